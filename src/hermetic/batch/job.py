"""A job: one folder in an object store, which the data owner and the model owner share.

    manifest.json               what was asked: the model, the key, the shards; written last, so a job is whole or none
    public.key                  the public key that masks the answers
    queries/00000000            one query a shard
    answers/00000000            one answer a shard, written once

Everything here is public to whoever reads the store: ciphertexts, counts, digests. Row keys never come here.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

import obstore
from obstore.exceptions import AlreadyExistsError

from ..errors import SettingsError, WireError
from ..object_stores import Store, access_to, answering, open_store, shown
from .manifest import MAX_MANIFEST_BYTES, Manifest, Shard

_WHAT = "job's store"
_MANIFEST, _KEY = "manifest.json", "public.key"
_QUERIES, _ANSWERS = "queries", "answers"


@dataclass(frozen=True, eq=False)
class Job:
    """Reads and writes the objects of a job. Methods raise :class:`hermetic.object_stores.StoreError` if the store does
    not answer.

    Attributes
    ----------
    name
        What messages call it: its URL without what may be a secret.
    """

    name: str
    store: Store

    @staticmethod
    def open(url: str, *, create: bool = False) -> Job:
        """The job at a directory, or at an ``s3://``, ``az://`` or ``gs://`` URL.

        Raises
        ------
        SettingsError
            If there is no such place, or it cannot be opened.
        """
        try:
            return Job(shown(url), open_store(url, create=create, what=_WHAT))
        except SettingsError as error:
            raise SettingsError(f"the job {shown(url)}: {error}{access_to(url)}") from None

    def manifest(self) -> Manifest:
        """What was asked.

        Raises
        ------
        SettingsError
            If there is no manifest.
        WireError
            If it is none.
        """
        data = self._read(_MANIFEST, MAX_MANIFEST_BYTES)
        if data is None:
            raise SettingsError(
                f"the manifest of the job {self.name} was not found. hermetic batch encrypt writes it last: wait "
                "for it to end, or run it again."
            )
        try:
            return Manifest.from_bytes(data)
        except WireError as error:
            raise WireError(f"{_MANIFEST} of the job {self.name}: {error}") from None

    def has_manifest(self) -> bool:
        """Whether the job is whole."""
        return self._size(_MANIFEST) is not None

    def write_manifest(self, manifest: Manifest) -> None:
        """Declare the job whole."""
        self._write(_MANIFEST, manifest.to_bytes())

    def public_key(self, most: int) -> bytes:
        """The public key, of at most ``most`` bytes. Raises :class:`WireError` if there is none, or a larger one."""
        data = self._read(_KEY, most)
        if data is None:
            raise WireError(f"{_KEY} of the job {self.name} was not found: encrypt the table again.")
        return data

    def write_public_key(self, data: bytes) -> None:
        """Keep the public key beside the queries."""
        self._write(_KEY, data)

    def has_query(self, shard: Shard) -> bool:
        """Whether the query of a shard is there, of the right size."""
        return self._size(f"{_QUERIES}/{shard.name}") == shard.bytes

    def write_query(self, name: str, data: bytes) -> None:
        """Write the query of a shard; it replaces what a run that was ended may have left."""
        self._write(f"{_QUERIES}/{name}", data)

    def query(self, shard: Shard) -> bytes:
        """The query of a shard.

        Raises
        ------
        WireError
            If it is missing, or is not what the manifest says.
        """
        name = f"{_QUERIES}/{shard.name}"
        data = self._read(name, shard.bytes)
        if data is None:
            raise WireError(f"{name} was not found: encrypt the table again.")
        if len(data) != shard.bytes or hashlib.sha256(data).hexdigest() != shard.sha256:
            raise WireError(f"{name} must be what the manifest says. It is not: it was damaged or replaced.")
        return data

    def answered(self) -> set[str]:
        """The names of all shards that have an answer."""
        with answering(_WHAT):
            pages = list(obstore.list(self.store, f"{_ANSWERS}/"))
        return {one["path"].rsplit("/", 1)[-1] for page in pages for one in page}

    def write_answer(self, shard: Shard, data: bytes) -> None:
        """Write the answer of a shard, whole or not at all; one that another worker wrote before stays."""
        with contextlib.suppress(AlreadyExistsError):
            self._write(f"{_ANSWERS}/{shard.name}", data, create=True)

    def answer(self, shard: Shard, size: int) -> bytes | None:
        """The answer of a shard, of at most so many bytes, or None if there is none yet."""
        return self._read(f"{_ANSWERS}/{shard.name}", size)

    def _write(self, path: str, data: bytes, *, create: bool = False) -> None:
        with answering(_WHAT):
            obstore.put(self.store, path, data, mode="create" if create else "overwrite", use_multipart=False)

    def _size(self, path: str) -> int | None:
        try:
            with answering(_WHAT):
                return int(obstore.head(self.store, path)["size"])
        except FileNotFoundError:
            return None

    def _read(self, path: str, most: int) -> bytes | None:
        """An object of at most ``most`` bytes; the store says its size before anything is read."""
        try:
            with answering(_WHAT):
                found = obstore.get(self.store, path)
                if found.meta["size"] > most:
                    raise WireError(f"{path} must have at most {most} bytes. Got {found.meta['size']} instead.")
                return bytes(found.bytes())
        except FileNotFoundError:
            return None
