"""Public keys in an object store: created once, never overwritten, each below its tenant.

    <prefix>/keys/<tenant>/<key id>          key id = SHA-256 of the bytes, checked whenever they are read

Keys of legacy clients (encrypted-inference 0.9) have names that their clients chose. What is stored of them begins with
the SHA-256 of the rest, for the same check.

The store is the operator's own, named in the settings; nothing in a request ever says where to read from.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore

from ..errors import SettingsError
from ..files import make_private_directory
from ..object_stores import Store, StoreError, access_to, answering, open_store, shown
from .logs import log
from .refusals import RefusalError
from .settings import Settings

KEY_ID = re.compile(r"[0-9a-f]{64}")
LEGACY_KEY_ID = re.compile(r"[a-z2-7]{32}")
DIGEST_BYTES = 32

_THREADS = 16

T = TypeVar("T")


@dataclass(frozen=True)
class StoredKey:
    """What a listing says of a key."""

    tenant: str
    key_id: str
    size: int
    modified: datetime


class KeyStore:
    """The keys of all tenants. Every method raises :class:`StoreError` if the store does not answer.

    Parameters
    ----------
    store
        From :func:`hermetic.object_stores.open_store`.
    lifetime
        How long a key is valid after its upload; ``None`` for ever.
    """

    def __init__(self, store: Store, lifetime: timedelta | None = None) -> None:
        self._store = store
        self._lifetime = lifetime

    @property
    def store(self) -> Store:
        """Where they are."""
        return self._store

    def check(self) -> None:
        """List something, to see that the store is there and answers."""
        with answering(), contextlib.suppress(FileNotFoundError):
            next(iter(obstore.list(self._store, "keys/anonymous/", chunk_size=1)), None)

    def create(self, tenant: str, key_id: str, data: bytes) -> bool:
        """Store a key whose hash was checked. True if it is new, False if it was there; durable when this returns."""
        path = _path(tenant, key_id)
        with answering():
            if isinstance(self._store, LocalStore):
                make_private_directory((root_of(self._store) / path).parent)
            try:
                obstore.put(self._store, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                if self.read(tenant, key_id) is not None:
                    self._sync(path)
                    return False
                obstore.put(self._store, path, data, use_multipart=False)
            self._sync(path)
        return True

    def _sync(self, path: str) -> None:
        """A directory's file is its owner's alone, and reaches the disk. Object stores acknowledge what they keep."""
        if isinstance(self._store, LocalStore):
            (root_of(self._store) / path).chmod(0o600)
            _fsync(root_of(self._store), path)

    def read(self, tenant: str, key_id: str) -> bytes | None:
        """A key's bytes; ``None`` if there is none, it expired, or what is stored is damaged (which is logged)."""
        try:
            with answering():
                found = obstore.get(self._store, _path(tenant, key_id))
                data = bytes(found.bytes())
        except FileNotFoundError:
            return None
        if self._expired(found.meta["last_modified"]):
            return None
        if not _is_intact(key_id, data):
            log.error("stored key is damaged", extra={"event": "key_damaged", "tenant": tenant})
            return None
        return data

    def exists(self, tenant: str, key_id: str) -> bool:
        """Whether the key is stored and has not expired."""
        try:
            with answering():
                meta = obstore.head(self._store, _path(tenant, key_id))
        except FileNotFoundError:
            return False
        return not self._expired(meta["last_modified"])

    def delete(self, tenant: str, key_id: str) -> bool:
        """Delete a key; False if there is none."""
        path = _path(tenant, key_id)
        try:
            with answering():
                obstore.head(self._store, path)
                obstore.delete(self._store, path)
        except FileNotFoundError:
            return False
        return True

    def list(self, tenant: str | None = None) -> list[StoredKey]:
        """Every key, or every key of a tenant; expired ones too."""
        with answering():
            batches = list(obstore.list(self._store, f"keys/{tenant}/" if tenant else "keys/"))
        found = []
        for meta in (entry for batch in batches for entry in batch):
            tenant_of_key, key_id = meta["path"].split("/")[-2:]
            if KEY_ID.fullmatch(key_id) or LEGACY_KEY_ID.fullmatch(key_id):
                found.append(StoredKey(tenant_of_key, key_id, meta["size"], meta["last_modified"]))
        return found

    def sweep(self) -> int:
        """Delete every expired key; gives their number."""
        expired = [key for key in self.list() if self._expired(key.modified)]
        for key in expired:
            self.delete(key.tenant, key.key_id)
        return len(expired)

    def _expired(self, modified: datetime) -> bool:
        return self._lifetime is not None and datetime.now(UTC) - modified > self._lifetime


def _is_intact(key_id: str, data: bytes) -> bool:
    if LEGACY_KEY_ID.fullmatch(key_id):
        return hashlib.sha256(data[DIGEST_BYTES:]).digest() == data[:DIGEST_BYTES]
    return hashlib.sha256(data).hexdigest() == key_id


def _path(tenant: str, key_id: str) -> str:
    return f"keys/{tenant}/{key_id}"


def root_of(store: LocalStore) -> Path:
    return Path(str(store.prefix))


def is_open(store: Store) -> bool:
    """Whether everybody on this machine may write the store: delete keys, and give back used-up limits."""
    return isinstance(store, LocalStore) and bool(root_of(store).stat().st_mode & stat.S_IWOTH)


def _fsync(root: Path, path: str) -> None:
    file = root / path
    for target in (file, *file.parents[:3]):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_keys(settings: Settings, *, create: bool = True) -> KeyStore:
    """The keys of the store in the settings, once it answered.

    Raises
    ------
    SettingsError
        If the store does not open or does not answer. Says which it is, and what named it.
    """
    lifetime = timedelta(days=settings.key_days) if settings.key_days else None
    try:
        keys = KeyStore(open_store(settings.store, create=create), lifetime)
        keys.check()
    except (SettingsError, StoreError) as error:
        named = f"the store {shown(settings.store)}, given by {settings.origin('store')}"
        raise SettingsError(f"{named}: {error}{access_to(settings.store)}") from None
    return keys


class AsyncKeyStore:
    """A key store for an event loop: each call on a thread, and a store that does not answer becomes 503.

    Threads, because obstore's own coroutines can abort the process when it ends right after them.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")

    async def create(self, tenant: str, key_id: str, data: bytes) -> bool:
        return await self._run(lambda: self._keys.create(tenant, key_id, data))

    async def read(self, tenant: str, key_id: str) -> bytes | None:
        return await self._run(lambda: self._keys.read(tenant, key_id))

    async def exists(self, tenant: str, key_id: str) -> bool:
        return await self._run(lambda: self._keys.exists(tenant, key_id))

    async def delete(self, tenant: str, key_id: str) -> bool:
        return await self._run(lambda: self._keys.delete(tenant, key_id))

    async def list(self, tenant: str) -> list[StoredKey]:
        return await self._run(lambda: self._keys.list(tenant))

    async def count(self, tenant: str) -> int:
        return len(await self.list(tenant))

    async def sweep(self) -> int:
        return await self._run(self._keys.sweep)

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except StoreError as error:
            log.error("key store failed", extra={"event": "store_failed", "reason": str(error)})
            message = "the key store must answer. It does not: try again later."
            raise RefusalError(503, "store_unavailable", message, retry_after=5) from None
