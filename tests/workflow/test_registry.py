"""Models, environments and files in a workspace's store: on disk and in a real Azurite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hermetic.demo.mnist import load_mnist
from hermetic.errors import InputError, ModelFileError, SettingsError
from hermetic.workflow import MNIST, CondaDependencies, Environment, Model, Workspace, load_data
from hermetic.workflow.read_access import VARIABLE, BlobServiceClient, read_file
from serve.stores import ACCOUNT_KEY, StoreAt, azurite


@pytest.fixture(scope="module")
def azure() -> Iterator[StoreAt]:
    with azurite() as store:
        yield store


@pytest.fixture(params=["directory", "azure"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    if request.param == "directory":
        return Workspace.create(tmp_path / "house")
    store = request.getfixturevalue("azure")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return Workspace.create(tmp_path / "house", store=f"{store.url}/{tmp_path.name}")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_model_comes_back_by_name_and_version(workspace: Workspace, tmp_path: Path) -> None:
    Model.register(workspace, write(tmp_path / "one.pkl", "first"), "digits", tags={"data": "MNIST"}, description="d")
    Model.register(workspace, write(tmp_path / "one.pkl", "second"), "digits")
    newest, first = Model(workspace, "digits"), Model(workspace, "digits", version=1)
    assert (newest.version, first.version, first.tags, first.description) == (2, 1, {"data": "MNIST"}, "d")
    assert newest.download(tmp_path / "new").read_text() == "second"
    assert first.download(tmp_path / "old").read_text() == "first"
    assert Path(Model.get_model_path("digits", _workspace=workspace)).read_text() == "second"
    assert [one.version for one in Model.list(workspace, "digits")] == [1, 2]


def test_a_deleted_version_takes_only_its_own_files(workspace: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "model" / "same", "same").parent
    write(folder / "below" / "other", "one")
    Model.register(workspace, folder, "digits")
    write(folder / "below" / "other", "two")
    Model.register(workspace, folder, "digits")
    Model(workspace, "digits", 1).delete()
    assert len(workspace.shelf("models").names()) == 3  # a record and two files
    found = Model(workspace, "digits").download(tmp_path / "back")
    assert {one.name: one.read_text() for one in found.rglob("*") if one.is_file()} == {"same": "same", "other": "two"}


def test_an_environment_comes_back(workspace: Workspace) -> None:
    env = Environment("tutorial-env")
    env.python.conda_dependencies = CondaDependencies.create(["joblib"], ["scikit-learn==0.22.1"])
    assert env.register(workspace=workspace).version == 1
    assert env.register(workspace=workspace).version == 1  # nothing changed
    env.python.conda_dependencies = CondaDependencies.create(["joblib>=1"])
    assert env.register(workspace=workspace).version == 2
    first = Environment.get(workspace=workspace, name="tutorial-env", version=1)
    assert first.python.conda_dependencies == CondaDependencies(("joblib",), ("scikit-learn==0.22.1",))
    assert Environment.get(workspace, "tutorial-env").python.conda_dependencies.pip_packages == ("joblib>=1",)


def test_the_service_reads_what_was_uploaded(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    datastore = workspace.get_default_datastore()
    assert datastore.upload_files([write(tmp_path / "key-1", "public")]) == ["key-1"]
    assert "key-1, 6 bytes" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, workspace.store)
    assert read_file("key-1") == b"public"
    service = BlobServiceClient.from_connection_string(conn_str="of another account")
    assert service.get_blob_client(container="other", blob="key-1").download_blob().readall() == b"public"
    with pytest.raises(SettingsError, match="overwrite=True"):
        datastore.upload_files([tmp_path / "key-1"])
    datastore.upload_files([write(tmp_path / "key-1", "new")], overwrite=True, show_progress=False)
    assert read_file("key-1") == b"new"
    assert datastore.upload_files([tmp_path / "key-1"], target_path="below/it") == ["below/it/key-1"]
    assert read_file("below/it/key-1") == b"new"
    datastore.delete_files(["key-1", "below/it/key-1", "never there"])
    assert datastore.list_files() == []
    with pytest.raises(InputError, match="upload it first"):
        read_file("key-1")


def test_no_key_leaves_the_datastore(workspace: Workspace) -> None:
    datastore = workspace.get_default_datastore()
    shown = "".join(map(str, (datastore, datastore.account_key, datastore.account_name, datastore.protocol, workspace)))
    assert ACCOUNT_KEY not in shown + (workspace.directory / ".hermetic" / "workspace.json").read_text()
    assert ";" not in shown  # the guide puts these into a connection string


def test_a_request_cannot_read_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.create(tmp_path)
    Model.register(workspace, write(tmp_path / "m", "weights"), "m")
    monkeypatch.setenv(VARIABLE, workspace.store)
    for name in ("../models/m/1.json", "/etc/passwd", "..", "a/../../models/m/1.json", "", "a\0b", "x" * 200):
        with pytest.raises(InputError, match="name must be"):
            read_file(name)


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.create(tmp_path)
    workspace.get_default_datastore().upload_files([write(tmp_path / "long", "x" * 101)])
    monkeypatch.setenv(VARIABLE, workspace.store)
    monkeypatch.setattr("hermetic.workflow.read_access.MOST_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        read_file("long")


def test_writers_at_the_same_time_get_different_versions(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    shelf = workspace.shelf("models")
    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(lambda i: shelf.add_version("m", {"i": i}), range(24)))
    assert sorted(versions) == list(range(1, 25))


def test_damaged_or_hostile_files_are_not_used(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    Model.register(workspace, write(tmp_path / "m", "weights"), "m")
    record = next((tmp_path / ".hermetic/store/models/m").glob("1.json"))
    stored = next((tmp_path / ".hermetic/store/models/m/files").iterdir())
    stored.write_text("other weights")
    with pytest.raises(ModelFileError, match="missing or damaged"):
        Model(workspace, "m").download(tmp_path / "out")
    record_text = record.read_text()
    for damaged in ("", "[]", "{}", '{"files": {}}'):
        record.write_text(damaged)
        with pytest.raises(SettingsError, match="damaged: register it again"):
            Model(workspace, "m")
    record.write_text(record_text)
    stored.write_text("weights")
    changed = json.loads(record.read_text())
    changed["files"] = {"../../outside": changed["files"]["m"]}
    record.write_text(json.dumps(changed))
    with pytest.raises(ModelFileError, match="stay below"):
        Model(workspace, "m").download(tmp_path / "out")


def test_the_workspace_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Workspace.create(tmp_path, name="house")
    below = tmp_path / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    for found in (Workspace.from_config(), Workspace.from_config(tmp_path), Workspace.create(tmp_path, exist_ok=True)):
        assert (found.directory, found.store, found.name) == (made.directory, made.store, "house")
    by_url = Workspace.from_config("s3://bucket/prefix")
    assert (by_url.directory, by_url.store) == (below, "s3://bucket/prefix")


def test_mnist_is_the_real_one(tmp_path: Path) -> None:
    MNIST.get_file_dataset().download(tmp_path, overwrite=True)
    images = load_data(tmp_path / "t10k-images-idx3-ubyte.gz", False)
    labels = load_data(tmp_path / "t10k-labels-idx1-ubyte.gz", True)
    data = load_mnist()
    assert images.shape == (10000, 784) and labels.shape == (10000, 1)
    assert np.array_equal(images.reshape(-1, 28, 28), data.test_images)
    assert np.array_equal(labels[:, 0], data.test_labels)
    with pytest.raises(SettingsError, match="overwrite=True"):
        MNIST.get_file_dataset().download(tmp_path)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ws, _: Model(ws, "nothing"), "register it first"),
        (lambda ws, _: Model(ws, "../x"), "name must be"),
        (lambda ws, _: Environment.get(ws, "nothing"), "register it first"),
        (lambda ws, _: Environment("a/b"), "name must be"),
        (lambda ws, _: CondaDependencies.create("joblib"), "list of strings"),
        (lambda ws, at: Workspace.create(at), "must not exist yet"),
        (lambda ws, at: Workspace.create(at / "new", store="ftp://x"), "az://, s3:// or gs://. Got ftp://"),
        (lambda ws, _: Workspace.from_config("/"), "make a workspace with"),
        (lambda ws, at: Model.get_model_path("nothing"), "'nothing' was not found below"),
    ],
)
def test_what_cannot_be_is_said_in_words(call: Callable[[Workspace, Path], object], words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words):
        call(Workspace.create(tmp_path), tmp_path)


def test_a_model_must_be_there_and_hold_something(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    for path in (tmp_path / "missing", write(tmp_path / "empty", "")):
        with pytest.raises(ModelFileError):
            Model.register(workspace, path, "m")
    with pytest.raises(InputError, match="can be read"):
        workspace.get_default_datastore().upload_files([tmp_path / "missing"])


def test_a_damaged_workspace_file_is_reported(tmp_path: Path) -> None:
    Workspace.create(tmp_path)
    for text in ("", "[]", '{"format": 99, "name": "a", "store": null}'):
        (tmp_path / ".hermetic" / "workspace.json").write_text(text)
        with pytest.raises(SettingsError, match="mend it"):
            Workspace.from_config(tmp_path)
