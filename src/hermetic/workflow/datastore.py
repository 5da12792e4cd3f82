"""The default datastore: files in the workspace's object store, public keys above all.

Nothing here hands out a storage account's key. The guide of 2020 sends it to the scoring service with every request;
here the service reads with its own access (`read_access`), and :attr:`Datastore.account_key` opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError, SettingsError
from .shelf import Shelf

PREFIX = "datastore"


class Datastore:
    """Files by name, in the object store of a workspace.

    Parameters
    ----------
    store
        The workspace's store.
    workspace
        The workspace's name.
    """

    def __init__(self, store: str, workspace: str) -> None:
        self._shelf = Shelf.at(store, PREFIX)
        self.url = store
        self.container_name = urlsplit(store).netloc or PREFIX
        self.protocol = urlsplit(store).scheme or "file"
        self.account_name = workspace
        self.account_key = "none-the-service-reads-with-its-own-access"

    def __repr__(self) -> str:
        return f"Datastore(container_name={self.container_name!r}, protocol={self.protocol!r})"

    def upload_files(
        self, files: Iterable[Path | str], target_path: str = "", overwrite: bool = False, show_progress: bool = True
    ) -> list[str]:
        """Upload files under their own names; gives the names in the store.

        Raises
        ------
        InputError
            If a file cannot be read.
        SettingsError
            If a name is taken and ``overwrite`` is False; if the store does not answer.
        """
        names = []
        for file in map(Path, files):
            name = "/".join(part for part in (target_path.strip("/"), file.name) if part)
            data = _read(file)
            if not self._shelf.put(name, data, overwrite=overwrite):
                raise SettingsError(f"{name} must not be in the datastore yet. It is: upload with overwrite=True.")
            if show_progress:
                print(f"Uploaded {name}, {len(data):,} bytes")
            names.append(name)
        return names

    def list_files(self) -> list[str]:
        """The names of all files."""
        return self._shelf.names()

    def delete_files(self, names: Iterable[str]) -> None:
        """Remove files; a name that is not there is no error."""
        for name in names:
            self._shelf.delete(name)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} must be a file that can be read. It is not: {error.strerror}.") from None
