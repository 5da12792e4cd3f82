"""A workspace: where models, environments and uploaded files are kept, and which services run.

DIRECTORY/.hermetic/workspace.json   its name and its store; what `Workspace.from_config` looks for
DIRECTORY/.hermetic/store/           the store, unless the file names one in a cloud
DIRECTORY/.hermetic/services/NAME/   a running service, see `service_home`
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import SettingsError
from .datastore import Datastore
from .shelf import Shelf, checked_name

FOLDER = ".hermetic"
_CONFIG = "workspace.json"
_FORMAT = 1


class Workspace:
    """A workspace, by its directory and the store it uses.

    Parameters
    ----------
    directory
        Services run below it.
    store
        A directory, ``az://CONTAINER/PREFIX``, ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``. Credentials come from
        the environment, as for the service.
    name
        For people; by default the directory's name.
    """

    def __init__(self, directory: Path | str, store: str | None = None, name: str | None = None) -> None:
        self.directory = Path(directory).resolve()
        self.store = store or str(self.directory / FOLDER / "store")
        self.name = checked_name("workspace", name or self.directory.name or "workspace")

    def __repr__(self) -> str:
        return f"Workspace(name={self.name!r}, store={self.store!r})"

    @classmethod
    def create(
        cls, directory: Path | str = ".", *, name: str | None = None, store: str | None = None, exist_ok: bool = False
    ) -> Workspace:
        """Make a workspace in a directory.

        Raises
        ------
        SettingsError
            If there is one already and ``exist_ok`` is False; if the store is not of a known kind.
        """
        config = Path(directory) / FOLDER / _CONFIG
        if config.exists():
            if exist_ok:
                return cls._read(config)
            raise SettingsError(f"{config} must not exist yet. It does: use Workspace.from_config({str(directory)!r}).")
        made = cls(directory, _checked_store(store), name)
        config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = {"format": _FORMAT, "name": made.name, "store": store}
        config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        return made

    @classmethod
    def from_config(cls, path: Path | str | None = None) -> Workspace:
        """The workspace of this directory or the nearest one above it.

        Parameters
        ----------
        path
            Where to look instead: a directory, or the URL of a store, whose services then run below this directory.

        Raises
        ------
        SettingsError
            If there is none, or its file is damaged.
        """
        if isinstance(path, str) and "://" in path:
            return cls(Path.cwd(), _checked_store(path))
        start = Path(path or ".").resolve()
        for folder in (start, *start.parents):
            if (folder / FOLDER / _CONFIG).is_file():
                return cls._read(folder / FOLDER / _CONFIG)
        raise SettingsError(
            f"{start} or a directory above it must hold {FOLDER}/{_CONFIG}. None does: make a workspace with "
            "Workspace.create(directory)."
        )

    @classmethod
    def _read(cls, config: Path) -> Workspace:
        try:
            found: Any = json.loads(config.read_text(encoding="utf-8"))
            if found["format"] != _FORMAT:
                raise ValueError(f"format {found['format']!r}")
            return cls(config.parent.parent, found["store"], found["name"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{config} must be a JSON object with format {_FORMAT}, name and store. It is not "
                f"({type(error).__name__}): mend it, or delete it and make the workspace again."
            ) from None

    def get_default_datastore(self) -> Datastore:
        """Where files such as public keys are uploaded to."""
        return Datastore(self.store, self.name)

    def shelf(self, kind: str) -> Shelf:
        """The part of the store that holds ``models`` or ``environments``."""
        return Shelf.at(self.store, kind)

    @property
    def services(self) -> Path:
        """The directory of the services; it need not exist."""
        return self.directory / FOLDER / "services"


def _checked_store(store: str | None) -> str | None:
    known = ("", "az", "s3", "gs")
    if store is not None and urlsplit(store).scheme not in known:
        raise SettingsError(
            f"the store must be a directory, az://, s3:// or gs://. Got {urlsplit(store).scheme}:// instead."
        )
    return str(Path(store).resolve()) if store and "://" not in store else store
