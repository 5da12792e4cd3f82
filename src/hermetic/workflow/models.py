"""Models by name and version: files in the workspace's store, checked against their digests when they come back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelFileError, SettingsError
from .shelf import checked_name
from .workspace import Workspace

if TYPE_CHECKING:
    from .configuration import DeployConfiguration, InferenceConfig
    from .webservice import Webservice

MODEL_DIR = "AZUREML_MODEL_DIR"
_RECORD = {"files", "tags", "description", "created"}


class Model:
    """A registered model.

    Parameters
    ----------
    workspace
        Where it is registered.
    name
        Its name.
    version
        By default the highest.

    Raises
    ------
    SettingsError
        If there is no such model or version.
    """

    def __init__(self, workspace: Workspace, name: str, version: int | None = None) -> None:
        self._shelf = workspace.shelf("models")
        self.name = name
        self.version, self._record = self._shelf.version("model", name, version, holds=_RECORD)

    def __repr__(self) -> str:
        return f"Model(name={self.name!r}, version={self.version})"

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._record["tags"])

    @property
    def description(self) -> str:
        return str(self._record["description"])

    @property
    def created_time(self) -> datetime:
        return datetime.fromisoformat(self._record["created"])

    @classmethod
    def register(
        cls,
        workspace: Workspace,
        model_path: Path | str,
        model_name: str,
        tags: Mapping[str, str] | None = None,
        description: str = "",
    ) -> Model:
        """Keep a file, or every file below a directory, as the next version of a model.

        Raises
        ------
        ModelFileError
            If it cannot be read, or is empty.
        """
        shelf, files = workspace.shelf("models"), {}
        checked_name("model", model_name)
        for relative, data in _contents(Path(model_path)).items():
            files[relative] = hashlib.sha256(data).hexdigest()
            shelf.put(f"{model_name}/files/{files[relative]}", data)
        record = {
            "files": files,
            "tags": dict(tags or {}),
            "description": description,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        version = shelf.add_version(model_name, record)
        print(f"Registered model {model_name}, version {version}")
        return cls(workspace, model_name, version)

    @staticmethod
    def list(workspace: Workspace, name: str | None = None) -> list[Model]:
        """The highest version of every model, or every version of one."""
        shelf = workspace.shelf("models")
        if name is not None:
            return [Model(workspace, name, version) for version in shelf.versions(name)]
        names = sorted({one.split("/")[0] for one in shelf.names() if one.endswith(".json")})
        return [Model(workspace, one) for one in names]

    def download(self, target_dir: Path | str = ".") -> Path:
        """Write its files below a directory; gives the file, or the directory if there are several.

        Raises
        ------
        ModelFileError
            If the store no longer holds what was registered.
        """
        folder = Path(target_dir)
        for relative, digest in self._record["files"].items():
            data = self._shelf.get(f"{self.name}/files/{digest}")
            if data is None or hashlib.sha256(data).hexdigest() != digest:
                raise ModelFileError(
                    f"{relative} of {self!r} must be what was registered. It is missing or damaged: register it again."
                )
            if not (folder / relative).resolve().is_relative_to(folder.resolve()):
                raise ModelFileError(f"the files of {self!r} must stay below one directory. Got {relative!r} instead.")
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            (folder / relative).write_bytes(data)
        return _only_file(folder)

    def delete(self) -> None:
        """Remove this version, and files that no other version holds."""
        self._shelf.delete(f"{self.name}/{self.version}.json")
        records = (
            self._shelf.version("model", self.name, one, holds=_RECORD)[1] for one in self._shelf.versions(self.name)
        )
        kept = {digest for record in records for digest in record["files"].values()}
        for digest in set(self._record["files"].values()) - kept:
            self._shelf.delete(f"{self.name}/files/{digest}")

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: Workspace | None = None) -> str:
        """In a service: where the model's file is, or its directory if it has several.

        Outside one, name the workspace: the model is then downloaded to its ``.hermetic/models``.

        Raises
        ------
        SettingsError
            If there is no such model.
        """
        if _workspace is not None:
            model = Model(_workspace, model_name, version)
            folder = _workspace.services.parent / "models" / model_name / str(model.version)
            return str(model.download(folder))
        root = Path(os.environ.get(MODEL_DIR, "."))
        versions = root.parent if root.parent.name == model_name else root / checked_name("model", model_name)
        found = sorted((int(one.name), one) for one in versions.glob("[0-9]*") if one.name.isdecimal())
        for number, folder in reversed(found):
            if version in (None, number):
                return str(_only_file(folder))
        raise SettingsError(
            f"the model {model_name!r} was not found below {MODEL_DIR}: name it in Model.deploy(models=[…]), or "
            "outside a service pass _workspace."
        )

    @staticmethod
    def deploy(
        workspace: Workspace,
        name: str,
        models: Sequence[Model],
        inference_config: InferenceConfig,
        deployment_config: DeployConfiguration | None = None,
        overwrite: bool = False,
    ) -> Webservice:
        """Start a service, see :func:`hermetic.workflow.deployment.deploy`."""
        from .deployment import deploy

        return deploy(workspace, name, models, inference_config, deployment_config, overwrite=overwrite)


def _contents(path: Path) -> dict[str, bytes]:
    """Relative name -> bytes."""
    try:
        if path.is_dir():
            files = sorted(one for one in path.rglob("*") if one.is_file())
            found: dict[str, Any] = {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
        else:
            found = {path.name: path.read_bytes()}
    except OSError as error:
        raise ModelFileError(f"{path} must be a file or directory. It cannot be read: {error.strerror}.") from None
    if not any(found.values()):
        raise ModelFileError(f"{path} must hold something. It is empty.")
    return found


def _only_file(folder: Path) -> Path:
    files = [one for one in folder.rglob("*") if one.is_file()]
    return files[0] if len(files) == 1 else folder
