"""A local service really runs: supervised, limited, found by name, restarted, gone after delete()."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from hermetic.errors import InputError, RefusedError, SettingsError, UnreachableError
from hermetic.workflow import Environment, InferenceConfig, LocalWebservice, Model, Webservice, Workspace
from hermetic.workflow.service_home import ServiceHome
from ports import free_port
from serve.asking import until
from serve.stores import ACCOUNT_KEY, azurite

SCRIPT = """
import json, os, resource
from pathlib import Path

def init():
    global weights
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    weights = json.loads(next(folder.rglob("weights.json")).read_text())
    print("weights are", weights)

def run(raw_data):
    asked = json.loads(raw_data)
    if asked.get("memory"):
        return len(bytearray(asked["memory"]))
    if asked.get("raise"):
        raise ValueError("a problem of the script")
    return {
        "weights": weights, "asked": asked, "pid": os.getpid(), "cores": len(os.sched_getaffinity(0)),
        "limit": resource.getrlimit(resource.RLIMIT_DATA)[0], "prefix": __import__("sys").prefix,
    }
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text(SCRIPT)
    Path("weights.json").write_text("[1, 2]")
    made = Workspace.create()
    Model.register(made, "weights.json", "linear")
    yield made
    for service in Webservice.list(made):
        service.delete()


def deploy(workspace: Workspace, name: str = "svc", **limits: Any) -> Webservice:
    config = InferenceConfig(entry_script="score.py", environment=Environment("plain"))
    described = LocalWebservice.deploy_configuration(**limits)
    return Model.deploy(workspace, name, [Model(workspace, "linear")], config, described)


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that has the service's directory in its command or its environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            text = " ".join(process.cmdline()) + " ".join(process.environ().values())
            if str(home) in text and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_it_runs_within_its_limits_and_leaves_nothing(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    service = deploy(workspace, cpu_cores=0.5, memory_gb=1, tags={"a": "b"}, description="words")
    service.wait_for_deployment(show_output=True)
    printed = capsys.readouterr().out
    assert f"1 of {len(os.sched_getaffinity(0))} cores" in printed and "1 GB" in printed
    assert "svc: Healthy, http://127.0.0.1:" in printed
    answer = service.run(json.dumps({"x": [1]}))
    home = workspace.services / "svc"
    assert answer["weights"] == [1, 2] and answer["asked"] == {"x": [1]}
    assert (answer["cores"], answer["limit"]) == (1, 10**9)
    assert answer["prefix"] == str(home / "environment") != sys.prefix
    assert "weights are [1, 2]" in service.get_logs()
    assert (service.tags, service.description, service.state) == ({"a": "b"}, "words", "Healthy")
    with pytest.raises(RefusedError):
        service.run(json.dumps({"memory": 2 * 10**9}))
    assert len(processes_of(home)) >= 2
    service.delete()
    assert processes_of(home) == [] and not home.exists()
    with pytest.raises(SettingsError, match="was not found in this workspace"):
        Webservice(workspace, "svc")


def test_it_is_found_by_name_from_another_process(workspace: Workspace) -> None:
    """A service that one process deployed outlives it, and another one uses and ends it."""
    first = (
        "from hermetic.workflow import *\n"
        "ws = Workspace.from_config()\n"
        "config = InferenceConfig('score.py', Environment('plain'))\n"
        "Model.deploy(ws, 'svc', [Model(ws, 'linear')], config).wait_for_deployment()\n"
    )
    second = (
        "from hermetic.workflow import *\n"
        "service = Webservice(Workspace.from_config(), 'svc')\n"
        "print(service.run('{}')['weights'])\n"
        "service.delete()\n"
    )
    subprocess.run([sys.executable, "-c", first], check=True, timeout=480, capture_output=True)
    assert Webservice(workspace, "svc").run(b"{}")["weights"] == [1, 2]
    done = subprocess.run([sys.executable, "-c", second], check=True, timeout=480, capture_output=True, text=True)
    assert done.stdout == "[1, 2]\n"
    assert Webservice.list(workspace) == [] and processes_of(workspace.services) == []


def test_it_is_asked_with_text_bytes_and_files_and_nothing_else(workspace: Workspace) -> None:
    service = deploy(workspace)
    service.wait_for_deployment()
    text = json.dumps({"word": "é"}, ensure_ascii=False)
    Path("body.json").write_text(text, encoding="utf-8")
    with Path("body.json").open("rb") as raw, Path("body.json").open(encoding="utf-8") as read:
        bodies = (
            text,
            text.encode(),
            bytearray(text.encode()),
            memoryview(text.encode()),
            raw,
            read,
            io.StringIO(text),
        )
        assert [service.run(input_data=one)["asked"] for one in bodies] == [{"word": "é"}] * len(bodies)
    for wrong in ({"word": "é"}, [1, 2], None, 5, 1.5, Path("body.json"), np.zeros(3), {1}, (one for one in "ab")):
        with pytest.raises(InputError, match=rf"must be text or bytes.* Got {type(wrong).__name__} instead"):
            service.run(wrong)
    with pytest.raises(InputError, match="UTF-8"):
        service.run("\ud800")


def test_it_is_started_again_at_the_same_address_when_it_dies(workspace: Workspace) -> None:
    service = deploy(workspace)
    service.wait_for_deployment()
    address = service.scoring_uri
    child = ServiceHome(workspace.services / "svc").state().child
    os.killpg(child, signal.SIGKILL)
    until(lambda: service.restarts == 1 and service.state == "Healthy")
    assert service.run("{}")["weights"] == [1, 2]
    assert service.scoring_uri == address
    assert "ended with code -9" in service.get_logs()


def test_it_ends_with_its_supervisor_even_if_that_is_killed(workspace: Workspace) -> None:
    service = deploy(workspace)
    service.wait_for_deployment()
    os.kill(ServiceHome(workspace.services / "svc").state().supervisor, signal.SIGKILL)
    until(lambda: processes_of(workspace.services) == [])
    assert service.state == "Unhealthy"
    with pytest.raises(UnreachableError, match="Unhealthy"):
        service.run("{}")
    service.delete()
    assert not (workspace.services / "svc").exists()


def test_a_script_that_cannot_start_is_given_up_with_its_log(workspace: Workspace) -> None:
    Path("score.py").write_text("def init():\n    raise ValueError('no weights here')\ndef run(raw_data): ...\n")
    service = deploy(workspace)
    with pytest.raises(UnreachableError, match="no weights here"):
        service.wait_for_deployment()
    assert service.state == "Failed"
    until(lambda: processes_of(workspace.services) == [])


def test_several_models_are_found_by_name(workspace: Workspace) -> None:
    Path("score.py").write_text(
        "from hermetic.workflow import Model\n"
        "def init(): pass\n"
        "def run(raw_data): return [open(Model.get_model_path(name)).read() for name in ('linear', 'other')]\n"
    )
    Path("weights.json").write_text("[3]")
    Model.register(workspace, "weights.json", "other")
    config = InferenceConfig("score.py", Environment("plain"))
    models = [Model(workspace, "linear"), Model(workspace, "other")]
    service = Model.deploy(workspace, "svc", models, config)
    service.wait_for_deployment()
    assert service.run("") == ["[1, 2]", "[3]"]


def test_a_running_service_keeps_its_script_and_its_name(workspace: Workspace) -> None:
    service = deploy(workspace)
    service.wait_for_deployment()
    with pytest.raises(SettingsError, match="overwrite=True"):
        deploy(workspace)
    Path("score.py").write_text("def init(): pass\ndef run(raw_data): return 'new'\n")
    assert service.run("{}")["weights"] == [1, 2]
    config = InferenceConfig("score.py", Environment("plain"))
    again = Model.deploy(workspace, "svc", [Model(workspace, "linear")], config, overwrite=True)
    again.wait_for_deployment()
    assert again.run("{}") == "new"


def test_a_script_that_raises_is_refused_and_the_service_goes_on(workspace: Workspace) -> None:
    service = deploy(workspace)
    service.wait_for_deployment()
    with pytest.raises(RefusedError) as caught:
        service.run(json.dumps({"raise": True}))
    assert caught.value.status == 500 and "a problem of the script" not in str(caught.value)
    assert service.run("{}")["weights"] == [1, 2]


@pytest.mark.parametrize("limits", [{"cpu_cores": 0}, {"memory_gb": -1}, {"memory_gb": "1"}, {"port": 70000}])
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(limits))} must be"):
        LocalWebservice.deploy_configuration(**limits)


def test_it_listens_where_it_is_told(workspace: Workspace) -> None:
    port = free_port()
    service = deploy(workspace, port=port)
    service.wait_for_deployment()
    assert service.scoring_uri == f"http://127.0.0.1:{port}/score"


def test_looking_at_a_service_does_not_keep_its_supervisor_from_starting(tmp_path: Path) -> None:
    home = ServiceHome(tmp_path)
    with ThreadPoolExecutor(1) as thread:
        with home.supervised():
            waiting = thread.submit(lambda: home.supervised(seconds=240).__enter__())
            assert home.is_supervised() and not waiting.done()
        waiting.result(timeout=240)


def test_a_failed_deployment_leaves_nothing(workspace: Workspace) -> None:
    config = InferenceConfig("missing.py", Environment("plain"))
    with pytest.raises(SettingsError, match=r"missing\.py is not there"):
        Model.deploy(workspace, "svc", [], config)
    env = Environment("broken")
    env.python.conda_dependencies = env.python.conda_dependencies.create(["not a requirement!"])
    with pytest.raises(SettingsError, match="must be a requirement"):
        Model.deploy(workspace, "svc", [], InferenceConfig("score.py", env))
    assert not (workspace.services / "svc").exists()


def test_it_reads_public_keys_from_azure_with_its_own_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's credentials come from the environment: they are in no request, and in no file of the service."""
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text(
        "from hermetic.workflow.read_access import read_file\n"
        "def init(): ...\n"
        "def run(raw_data): return read_file(raw_data).decode()\n"
    )
    Path("key-1").write_text("a public key")
    with azurite() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        workspace = Workspace.create(store=store.url)
        workspace.get_default_datastore().upload_files(["key-1"])
        service = Model.deploy(workspace, "svc", [], InferenceConfig("score.py", Environment("plain")))
        try:
            service.wait_for_deployment()
            assert service.run("key-1") == "a public key"
            files = [one for one in workspace.services.rglob("*") if one.is_file() and "environment" not in one.parts]
            assert len(files) >= 4 and not [one for one in files if ACCOUNT_KEY.encode() in one.read_bytes()]
        finally:
            service.delete()
