"""The notebook runs from top to bottom, in a real kernel and an empty directory, and leaves nothing behind."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "guide.ipynb"
LONGEST_CELL = 480
PICTURES = 4


@cache
def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_no_output_is_stored() -> None:
    nbformat.validate(stored())
    assert all(not cell.outputs and cell.execution_count is None for cell in stored().cells if cell.cell_type == "code")


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more fight with other tests for the cores
    notebook = nbformat.from_dict(stored())
    resources = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=LONGEST_CELL, kernel_name="python3", resources=resources).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    printed = "".join(one.get("text", "") for one in outputs)
    assert sum("image/png" in one.get("data", {}) for one in outputs) == PICTURES
    assert not [one for one in outputs if one.get("name") == "stderr"]
    found = re.search(r"largest difference (\S+),", printed)
    assert found and float(found[1]) < 1e-3
    assert "Predicted 2, true label 2" in printed
    assert "1000 of 1000 labels are those of the classifier" in printed
    assert "services: [] files in the datastore: []" in printed
    assert list(tmp_path.iterdir()) == []
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
