"""A configuration for a cloud renders what it needs and says which command applies it; the service runs here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.rendering import build_wheel, new_tokens
from fitted import petals
from hermetic.errors import SettingsError
from hermetic.workflow import (
    AciWebservice,
    AksWebservice,
    Environment,
    InferenceConfig,
    LocalWebservice,
    Model,
    Webservice,
    Workspace,
)

SCRIPT = "def init(): ...\ndef run(raw_data): return 'here'\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text(SCRIPT)
    petals().model.save(Path("petals.hermetic"))
    made = Workspace.create()
    Model.register(made, "petals.hermetic", "petals")
    Model.register(made, "score.py", "uncompiled")
    yield made
    for service in Webservice.list(made):
        service.delete()


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("material")
    new_tokens(folder / "tokens")
    wheel = build_wheel(folder)
    image = "example.azurecr.io/petals:1"
    return {"wheel": str(wheel), "tokens": str(folder / "tokens"), "image": image, "store": "az://keys/petals"}


ACI = {"region": "westeurope", "insecure_no_tls": True}
AKS = {"host": "predict.example.com"}


@pytest.mark.parametrize(
    ("kind", "options", "command"),
    [(AciWebservice, ACI, "az container create"), (AksWebservice, AKS, "kubectl apply")],
)
def test_it_is_rendered_and_runs_here(
    kind: type[Webservice], options: dict[str, object], command: str, workspace: Workspace,
    material: dict[str, str], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    described = kind.deploy_configuration(cpu_cores=1, memory_gb=1, cloud={**material, **options})
    config = InferenceConfig("score.py", Environment("plain"))
    service = Model.deploy(workspace, "petals-svc", [Model(workspace, "petals")], config, described)
    service.wait_for_deployment()
    assert isinstance(service, kind) and service.run("") == "here"
    printed = capsys.readouterr().out
    folder = workspace.services / "petals-svc" / "rendered"
    assert command in printed and str(folder) in printed
    assert any("petals" in one.read_text(errors="ignore") for one in folder.rglob("*.yaml"))
    service.delete()
    assert not folder.exists()


def test_without_options_the_command_is_named(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    config = InferenceConfig("score.py", Environment("plain"))
    described = AksWebservice.deploy_configuration(cpu_cores=1, memory_gb=1)
    Model.deploy(workspace, "svc", [Model(workspace, "uncompiled")], config, described).delete()
    assert "hermetic deploy --target kubernetes" in capsys.readouterr().out


def test_what_cannot_be_rendered_is_said_before_anything_runs(workspace: Workspace, material: dict[str, str]) -> None:
    config = InferenceConfig("score.py", Environment("plain"))
    for model, options, words in (
        ("petals", {**material, "regoin": "x"}, "Got 'regoin'"),
        ("petals", {"region": "x"}, "pip wheel"),
        ("uncompiled", material, "compile, register and deploy"),
        ("petals", material, "region must be given"),
    ):
        described = AciWebservice.deploy_configuration(cloud=options)
        with pytest.raises(SettingsError, match=words):
            Model.deploy(workspace, "svc", [Model(workspace, model)], config, described)
        assert Webservice.list(workspace) == []
    with pytest.raises(SettingsError, match="left out"):
        LocalWebservice.deploy_configuration(cloud={"region": "x"})
