"""The image and the compose file, read by hadolint and by the schema of the Compose specification."""

from pathlib import Path

import pytest
from rendering import TOOLS, checked, document, refused, rendered

from hermetic.deploy import Description
from hermetic.errors import SettingsError

COMPOSE = (TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec")


def test_compose_file_is_valid(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description, secrets={"AZURE_STORAGE_ACCOUNT_KEY": "k=="}, tags={"team": "a"})
    checked(*COMPOSE, tmp_path / "out" / "compose.yaml")


def test_the_validator_refuses_what_is_no_compose_file(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description)
    file = tmp_path / "out" / "compose.yaml"
    file.write_text(file.read_text().replace("read_only", "readonly"))
    assert refused(*COMPOSE, file)


def test_dockerfile_passes_hadolint(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description)
    checked(TOOLS / "hadolint", tmp_path / "out" / "image" / "Dockerfile")


def test_hadolint_refuses_an_image_that_is_not_pinned(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description, base_image="python")
    assert refused(TOOLS / "hadolint", tmp_path / "out" / "image" / "Dockerfile")


def test_container_may_do_nothing_that_it_does_not_need(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description, cores=1.5, memory_gb=2)
    service = document(tmp_path / "out" / "compose.yaml")["services"]["digits"]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert (service["cpus"], service["mem_limit"]) == (1.5, "2048m")


def test_without_tls_only_this_machine_reaches_it(description: Description, tmp_path: Path, material: Path) -> None:
    rendered("docker", tmp_path / "plain", description)
    assert document(tmp_path / "plain" / "compose.yaml")["services"]["digits"]["ports"] == ["127.0.0.1:8000:8000"]
    pem = material / "tokens"  # any file: what is in it is the service's to judge
    rendered("docker", tmp_path / "tls", description, tls_certificate=pem, tls_key=pem)
    service = document(tmp_path / "tls" / "compose.yaml")["services"]["digits"]
    assert service["ports"] == ["443:8000"]
    assert service["environment"]["HERMETIC_TLS_KEY"] == "/run/secrets/key.pem"
    assert "HERMETIC_INSECURE_NO_TLS" not in service["environment"]


def test_secrets_stay_out_of_the_image_and_of_the_compose_file(description: Description, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = rendered("docker", out, description, secrets={"AZURE_STORAGE_ACCOUNT_KEY": "s3cret=="})
    holding = {file.relative_to(out).as_posix() for file in done.files if b"s3cret" in file.read_bytes()}
    assert holding == {"secrets/environment"}
    assert (out / "secrets" / "environment").stat().st_mode & 0o777 == 0o600
    assert (out / "secrets").stat().st_mode & 0o777 == 0o700
    tokens = description.tokens.read_bytes() if description.tokens else b""
    assert [file.name for file in done.files if tokens in file.read_bytes()] == ["tokens"]


def test_dollars_reach_the_service_as_they_are(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path / "out", description, variables={"OTEL_SERVICE_NAME": "a$b"})
    environment = document(tmp_path / "out" / "compose.yaml")["services"]["digits"]["environment"]
    assert environment["OTEL_SERVICE_NAME"] == "a$$b"


def test_command_names_the_compose_file(description: Description, tmp_path: Path) -> None:
    done = rendered("docker", tmp_path / "out", description)
    assert done.commands == (f"docker compose --file {tmp_path}/out/compose.yaml up --build --detach",)


def test_one_machine_runs_one_replica(description: Description, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="docker runs one replica"):
        rendered("docker", tmp_path / "out", description, replicas=2, store="az://keys")
    assert not (tmp_path / "out").exists()
