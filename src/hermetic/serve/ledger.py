"""What tenants used of their limits, kept in the key store: over restarts, and for every service that shares it.

``usage.json`` holds, for each tenant and limit, the time since 1970 at which the limit will be unused again, in
nanoseconds times the limit's amount, as :data:`.limits.Moment` says:

    {"clinic": {"20000/day": 35344512010000000000000}}

Services change it one after the other: in a directory under a lock, in a cloud by a write that only succeeds if nobody
wrote since. Times in a cloud are by the store's clock, so that services whose clocks differ count alike.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import LocalStore, MemoryStore

from ..files import write_private
from ..object_stores import Store, StoreError, answering
from .keystore import root_of
from .limits import NANOSECONDS, Limit, Moment, Rate
from .logs import log

Levels = dict[Limit, Moment]
"""For a tenant and a limit, the time since 1970 at which it will be unused again."""

Change = Callable[[Levels], Levels]

_FILE, _LOCK, _CLOCK = "usage.json", "usage.lock", "usage.clock"
_TRIES = 20

_TOLERATED = 5 * NANOSECONDS
"""Clocks that differ by less are taken for the same: stores tell their time in whole seconds."""


class Ledger(Protocol):
    """Where the levels are kept."""

    def update(self, change: Change) -> Levels:
        """Replace the levels by what ``change`` makes of them; gives those. Raises OSError if that cannot be."""
        ...


def open_ledger(store: Store) -> Ledger | None:
    """The ledger of a store; None for one in memory, which nobody shares and no restart finds again."""
    if isinstance(store, MemoryStore):
        return None
    return DirectoryLedger(root_of(store)) if isinstance(store, LocalStore) else ObjectLedger(store)


class DirectoryLedger:
    """A file in a directory, for services on one machine."""

    def __init__(self, root: Path) -> None:
        self._file, self._lock = root / _FILE, root / _LOCK

    def update(self, change: Change) -> Levels:
        with self._alone():
            before = _decode(self._file.read_bytes()) if self._file.exists() else {}
            after = change(dict(before))
            if after != before:
                write_private(self._file, _encode(after))
        return after

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock.open("a") as file:
            self._lock.chmod(0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class ObjectLedger:
    """An object of a cloud's store, replaced only in the version that was read; ``clock`` is this machine's."""

    def __init__(self, store: Store, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._clock = clock
        self._learned: int | None = None

    def update(self, change: Change) -> Levels:
        ahead = self._ahead()
        for _ in range(_TRIES):
            before, version = self._read()
            own = change(_moved(before, -ahead))
            after = _moved(own, ahead)
            if after == before or self._write(after, version):
                return own
        raise StoreError(f"{_FILE} must be free now and then. Other services wrote it {_TRIES} times in a row.")

    def _ahead(self) -> int:
        """By how much the store's clock is ahead of this machine's; asked once."""
        if self._learned is None:
            begun = self._clock()
            with answering():
                obstore.put(self._store, _CLOCK, b"", use_multipart=False)
                written = obstore.head(self._store, _CLOCK)["last_modified"]
            found = round(written.timestamp()) * NANOSECONDS - (begun + self._clock()) // 2
            self._learned = found if abs(found) > _TOLERATED else 0
        return self._learned

    def _read(self) -> tuple[Levels, str | None]:
        try:
            with answering():
                found = obstore.get(self._store, _FILE)
                return _decode(bytes(found.bytes())), found.meta["e_tag"]
        except FileNotFoundError:
            return {}, None

    def _write(self, levels: Levels, version: str | None) -> bool:
        """Whether nobody wrote since that version."""
        with answering():
            try:
                mode = {"e_tag": version} if version else "create"
                obstore.put(self._store, _FILE, _encode(levels), mode=mode, use_multipart=False)  # type: ignore[arg-type]
            except (AlreadyExistsError, PreconditionError):
                return False
        return True


def _moved(levels: Levels, by: int) -> Levels:
    """The levels by a clock that is so many nanoseconds ahead."""
    return {limit: until + limit[1].at(by) for limit, until in levels.items()}


def _encode(levels: Levels) -> bytes:
    document: dict[str, dict[str, Moment]] = {}
    for (tenant, rate), until in sorted(levels.items(), key=str):
        document.setdefault(tenant, {})[str(rate)] = until
    return json.dumps(document, indent=1).encode()


def _decode(data: bytes) -> Levels:
    """What was written; nothing, and a line in the log, if that is damaged."""
    try:
        tenants = json.loads(data).items()
        return {
            (tenant, Rate.parse(rate)): _moment(until) for tenant, limits in tenants for rate, until in limits.items()
        }
    except (ValueError, TypeError, AttributeError):
        log.error("stored usage is damaged: limits start afresh", extra={"event": "usage_damaged"})
        return {}


def _moment(value: object) -> Moment:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value
