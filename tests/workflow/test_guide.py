"""The notebook of the 2020 guide runs from top to bottom in a real kernel, with nothing but import lines changed."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "follow-the-guide.md"
# What a guide to anything uses: its methods need no row.
OTHERS = {"np", "plt", "os", "json", "glob", "public_keys", "conn_str_template", "X_test", "y_test", "load_data"}
CELLS = Path(__file__).with_name("guide_of_2020.txt").read_text(encoding="utf-8").split("%%%%%%%%\n")[1:]

# An import line of the guide -> ours. An empty one is dropped.
IMPORTS = {
    "import azureml.core": "from hermetic import workflow as azureml",
    "from azureml.core.environment import Environment": "from hermetic.workflow import Environment",
    "from azureml.core.conda_dependencies import CondaDependencies": "from hermetic.workflow import CondaDependencies",
    "from azureml.core.webservice import AciWebservice": "from hermetic.workflow import AciWebservice",
    "from azureml.core.webservice import Webservice": "from hermetic.workflow import Webservice",
    "from azureml.core.model import InferenceConfig": "from hermetic.workflow import InferenceConfig",
    "from azureml.core.model import Model": "from hermetic.workflow import Model",
    "from azureml.core import Workspace": "from hermetic.workflow import Workspace",
    "from azureml.core import Workspace, Datastore": "from hermetic.workflow import Workspace, Datastore",
    "from azureml.core import Webservice": "from hermetic.workflow import Webservice",
    "from azureml.core import Dataset": "",
    "from azureml.opendatasets import MNIST": "from hermetic.workflow import MNIST",
    "from utils import load_data": "from hermetic.workflow import load_data",
    "from azure.storage.blob import BlobServiceClient, BlobClient, ContainerClient, PublicAccess": (
        "from hermetic.workflow.read_access import BlobServiceClient"
    ),
}
# Not code: it would install the old package, whose names Hermetic brings itself.
INSTALLATION = "!pip install encrypted-inference==0.9"

# What the guide asks for before it starts: a workspace with a registered model.
PREREQUISITES = """
import joblib
from hermetic.demo.mnist import features, load_mnist
from hermetic.workflow import Model, Workspace
from sklearn.linear_model import LogisticRegression

ws = Workspace.create(".")
mnist = load_mnist()
classifier = LogisticRegression(C=0.05, tol=3e-4).fit(features(mnist.train_images[:5000]), mnist.train_labels[:5000])
joblib.dump(classifier, "sklearn_mnist_model.pkl")
Model.register(ws, "sklearn_mnist_model.pkl", "sklearn_mnist")
"""
CHECKS = """
import json, numpy
expected = classifier.decision_function(X_test[sample_index][None])[0]
print(json.dumps({
    "error": float(numpy.abs(results - expected).max()),
    "prediction": int(prediction),
    "label": int(y_test[sample_index]),
    "services": [one.name for one in Webservice.list(ws)],
    "sent": data.decode()[-400:],
}))
"""


def changed(cell: str) -> str:
    """The cell with our import lines."""
    return "\n".join(IMPORTS.get(line, line) for line in cell.splitlines())


def test_only_import_lines_differ() -> None:
    lines = {line for cell in CELLS for line in cell.splitlines()}
    assert set(IMPORTS) <= lines
    assert all(line.startswith(("import ", "from ")) for line in IMPORTS)
    assert not [line for line in lines - set(IMPORTS) if line.startswith(("import a", "from a"))]


def calls_of_the_guide() -> set[str]:
    """Names that it imports from Azure and encrypted-inference and uses, and the methods that it calls on them."""
    text = "\n".join(line for cell in CELLS for line in cell.splitlines() if not line.startswith(("%", "!")))
    nodes = list(ast.walk(ast.parse(text)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    named: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("azure", "encrypted", "utils")):
            named |= {alias.name for alias in node.names} & used
        elif isinstance(node, ast.Attribute) and not OTHERS & {one.id for one in ast.walk(node) if hasattr(one, "id")}:
            named.add(node.attr)
    return named


def test_the_page_has_every_call_of_the_guide_and_no_empty_cell() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Every call")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) > 30
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
    listed = " ".join(row[0] for row in rows)
    calls = calls_of_the_guide()
    assert {"BlobServiceClient", "upload_files", "account_key", "wait_for_deployment", "get_public_keys"} <= calls
    assert not {name for name in calls if not re.search(rf"\b{name}\b", listed)}


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = [changed(cell) for cell in CELLS if cell.strip() != INSTALLATION]
    assert len(kept) == len(CELLS) - 1
    cells = [nbformat.v4.new_code_cell(source) for source in (PREREQUISITES, *kept, CHECKS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=480, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    printed = ["".join(one.get("text", "") for one in cell.outputs) for cell in notebook.cells]
    found = json.loads(printed[-1])
    assert found["error"] < 1e-3 and found["prediction"] == found["label"] == 2
    assert found["services"] == []
    assert "none-the-service-reads" in found["sent"]  # where the guide sends the storage account's key
    everything = "".join(printed)
    for words in ("encrypted-inference==0.9: replaced", "Healthy, http://127.0.0.1:", "Uploaded "):
        assert words in everything
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
