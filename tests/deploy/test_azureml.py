"""The endpoint and its deployment, loaded by Azure's own client for machine learning."""

import json
from pathlib import Path
from typing import Any

import pytest
from rendering import AZUREML, TOOLS, checked, document, refused, rendered

from hermetic.deploy import Description
from hermetic.errors import SettingsError

LOADER = Path(__file__).with_name("load_azureml.py")
STORE = "az://keys/digits"


def loaded(folder: Path) -> dict[str, Any]:
    return dict(json.loads(checked(AZUREML, LOADER, folder).splitlines()[-1]))


def test_managed_endpoint_loads(description: Description, tmp_path: Path) -> None:
    rendered("azureml", tmp_path, description, store=STORE, replicas=3, tags={"team": "a"}, text="Digits.")
    assert loaded(tmp_path) == {
        "endpoint": "ManagedOnlineEndpoint",
        "deployment": "ManagedOnlineDeployment",
        "belongs_to": "digits",
        "identity": "system_assigned",
        "auth_mode": "key",
        "build": "./environment",
        "model": str(tmp_path / "model" / "digits.hermetic"),
        "script": "score.py",
        "store": STORE,
        "instances": 3,
    }


def test_endpoint_on_a_kubernetes_cluster_loads(description: Description, tmp_path: Path) -> None:
    rendered("azureml", tmp_path, description, store=STORE, compute="cluster", identity="/subscriptions/one/id")
    understood = loaded(tmp_path)
    assert understood["endpoint"] == "KubernetesOnlineEndpoint"
    assert understood["deployment"] == "KubernetesOnlineDeployment"
    assert understood["identity"] == "user_assigned"
    assert document(tmp_path / "deployment.yaml")["resources"]["limits"] == {"cpu": "1000m", "memory": "1024Mi"}


def test_the_loader_refuses_what_it_does_not_know(description: Description, tmp_path: Path) -> None:
    rendered("azureml", tmp_path, description, store=STORE)
    file = tmp_path / "deployment.yaml"
    file.write_text(file.read_text().replace("scoring_script", "script"))
    assert refused(AZUREML, LOADER, tmp_path)


def test_environment_is_built_from_the_lock_and_the_wheel(description: Description, tmp_path: Path) -> None:
    rendered("azureml", tmp_path, description, store=STORE)
    folder = tmp_path / "environment"
    checked(TOOLS / "hadolint", folder / "Dockerfile")
    assert document(folder / "conda.yaml")["dependencies"][-1] == {"pip": ["--requirement requirements.lock"]}
    assert (folder / "requirements.lock").read_text().startswith(f"./{description.wheel.name} --hash=sha256:")
    assert (folder / description.wheel.name).read_bytes() == description.wheel.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"store": None}, "azureml keeps no files"), ({"secrets": {"KEY": "v"}}, "azureml takes no secret variables")],
)
def test_what_would_not_start_is_refused(
    description: Description, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        rendered("azureml", tmp_path, description, **{"store": STORE, **change})


def test_an_endpoint_has_one_model(description: Description, tmp_path: Path) -> None:
    (model,) = description.models
    second = tmp_path / "second.hermetic"
    second.write_bytes(model.read_bytes())
    with pytest.raises(SettingsError, match="has one model"):
        rendered("azureml", tmp_path / "out", description, store=STORE, models=(model, second))
