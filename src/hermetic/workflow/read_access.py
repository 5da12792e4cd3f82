"""The service's own read access to the datastore, for a scoring script.

The names of `azure.storage.blob` that the guide's scoring script uses are here too, so that only its import line
changes. They take a connection string because the script passes one, and ignore what is in it: which store is read is
set when the service is deployed, never by a request. Read-only: there is no method that writes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import InputError, SettingsError
from .datastore import PREFIX
from .shelf import Shelf, checked_name

VARIABLE = "WORKFLOW_DATASTORE"
"""The environment variable with the store's address; a deployment sets it."""

MOST_BYTES = 64_000_000
"""Longer files are refused before they are read; public keys of the old format have 9 MB."""


def read_file(name: str) -> bytes:
    """The bytes of a file in the datastore; directories in its name are separated by ``/``.

    Raises
    ------
    InputError
        If there is none by that name, or it is too long.
    SettingsError
        If the process was not started by a deployment, or the store does not answer.
    """
    store = os.environ.get(VARIABLE)
    if not store:
        raise SettingsError(
            f"{VARIABLE} must hold the address of the workspace's store. It is not set: deploy with Model.deploy."
        )
    try:
        path = "/".join(checked_name("file", part) for part in str(name).split("/"))
        data = Shelf.at(store, PREFIX).get(path, most=MOST_BYTES)
    except SettingsError as error:
        raise InputError(str(error)) from None
    if data is None:
        raise InputError(f"the datastore must hold {name}. It does not: upload it first.")
    return data


@dataclass(frozen=True)
class BlobClient:
    """One file of the datastore."""

    blob: str

    def download_blob(self) -> BlobClient:
        """Itself: what follows is ``readall``."""
        return self

    def readall(self) -> bytes:
        """The bytes, see :func:`read_file`."""
        return read_file(self.blob)


class BlobServiceClient:
    """The datastore, as the guide's scoring script asks for it."""

    @classmethod
    def from_connection_string(cls, conn_str: str) -> BlobServiceClient:
        """The datastore of this deployment. The connection string, which came with the request, is not looked at."""
        return cls()

    def get_blob_client(self, container: str, blob: str) -> BlobClient:
        """A file. The container came with the request and is not looked at either."""
        return BlobClient(blob)
