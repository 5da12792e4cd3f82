"""The container group, read by the models of Azure's own SDK."""

import base64
from pathlib import Path
from typing import Any

import pytest
from rendering import CHECK, REGISTRY, check_manifests, document, refused, rendered

from hermetic.deploy import Description
from hermetic.errors import SettingsError

OPEN: dict[str, Any] = {
    "image": f"{REGISTRY}/digits:1",
    "region": "westeurope",
    "store": "az://keys/digits",
    "insecure_no_tls": True,
}


def test_group_is_what_the_sdk_reads(description: Description, tmp_path: Path) -> None:
    changes = {"dns_label": "digits", "identity": "/subscriptions/one/id", "secrets": {"KEY": "v"}, "tags": {"a": "b"}}
    rendered("aci", tmp_path / "out", description, **OPEN, **changes)
    check_manifests(tmp_path / "out" / "container-group.yaml")


@pytest.mark.parametrize(("old", "new"), [("osType", "os_type"), ("cpu: 1", "cpu: many"), ("memoryInGB", "memory")])
def test_the_sdk_refuses_what_it_does_not_know(description: Description, tmp_path: Path, old: str, new: str) -> None:
    rendered("aci", tmp_path / "out", description, **OPEN)
    file = tmp_path / "out" / "container-group.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert refused(*CHECK, file)


def test_secrets_are_secure_values_in_a_private_file(description: Description, tmp_path: Path) -> None:
    rendered("aci", tmp_path / "out", description, **OPEN, secrets={"AZURE_STORAGE_ACCOUNT_KEY": "k"})
    file = tmp_path / "out" / "container-group.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    group = document(file)["properties"]
    variables = group["containers"][0]["properties"]["environmentVariables"]
    assert {"name": "AZURE_STORAGE_ACCOUNT_KEY", "secureValue": "k"} in variables
    assert {"name": "HERMETIC_TOKENS", "value": "/run/hermetic/tokens"} in variables
    assert description.tokens is not None
    assert base64.b64decode(group["volumes"][0]["secret"]["tokens"]) == description.tokens.read_bytes()


def test_commands_build_in_the_registry_and_create_the_group(description: Description, tmp_path: Path) -> None:
    build, create = rendered("aci", tmp_path, description, **OPEN).commands
    assert build == f"az acr build --registry example --image digits:1 {tmp_path}/image"
    assert create.endswith(f"--file {tmp_path}/container-group.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "digits:1"}, "must name the registry"),
        ({"region": None}, "region must be given"),
        ({"insecure_no_tls": False}, "open to the internet"),
        ({"store": None}, "keeps no files"),
        ({"replicas": 2}, "aci runs one replica"),
        ({"tokens": None}, "hermetic token new"),
    ],
)
def test_what_would_not_be_safe_or_not_start_is_refused(
    description: Description, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        rendered("aci", tmp_path, description, **{**OPEN, **change})
