"""One place for bytes by name: a part of the workspace's object store, with errors in words.

<store>/models/NAME/N.json           a version: its files, their digests, tags
<store>/models/NAME/files/DIGEST     what the files hold
<store>/environments/NAME/N.json     a version: its packages
<store>/datastore/…                  what `Datastore.upload_files` puts there
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from ..errors import SettingsError
from ..object_stores import Store, open_store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def checked_name(kind: str, name: str) -> str:
    """The name, if it can be part of a path anywhere; SettingsError otherwise."""
    if not _NAME.fullmatch(str(name)):
        raise SettingsError(
            f"the {kind}'s name must be 1 to 128 letters, digits, '-', '_' or '.', and start with a letter or "
            f"digit. Got {name!r} instead."
        )
    return name


@dataclass(frozen=True)
class Shelf:
    """A prefix of a store. Every method raises SettingsError if the store does not answer or refuses the name."""

    store: Store
    prefix: str

    @classmethod
    def at(cls, url: str, prefix: str) -> Shelf:
        """Below a directory, ``az://``, ``s3://`` or ``gs://``; credentials come from the environment."""
        return cls(open_store(url), prefix)

    def put(self, name: str, data: bytes, *, overwrite: bool = True) -> bool:
        """Store; False if the name is taken and must not be overwritten."""
        with _answering():
            try:
                obstore.put(self.store, self._path(name), data, mode="overwrite" if overwrite else "create")
            except AlreadyExistsError:
                return False
        return True

    def get(self, name: str, *, most: int | None = None) -> bytes | None:
        """The bytes, or None if there is nothing by that name. ``most``: refuse what is longer, before reading it."""
        try:
            with _answering():
                found = obstore.get(self.store, self._path(name))
                if most is not None and found.meta["size"] > most:
                    raise SettingsError(f"{name} must be at most {most:,} bytes. Got {found.meta['size']:,} instead.")
                return bytes(found.bytes())
        except FileNotFoundError:
            return None

    def names(self, below: str = "") -> list[str]:
        """Every name that starts with the path ``below``, sorted."""
        prefix = self._path(below) if below else self.prefix
        with _answering():
            found = [one["path"] for batch in obstore.list(self.store, prefix) for one in batch]
        return sorted(path.removeprefix(f"{self.prefix}/") for path in found)

    def delete(self, name: str) -> None:
        """Remove it; nothing happens if it is not there."""
        with _answering(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self.store, self._path(name))

    def add_version(self, name: str, record: dict[str, Any]) -> int:
        """Keep a record as the next version of ``name``; two writers never get the same number."""
        version = max(self.versions(name), default=0) + 1
        while not self.put(f"{name}/{version}.json", json.dumps(record).encode(), overwrite=False):
            version += 1
        return version

    def versions(self, name: str) -> list[int]:
        """The versions of ``name``, lowest first."""
        found = (re.fullmatch(rf"{re.escape(name)}/(\d+)\.json", one) for one in self.names(name))
        return sorted(int(one[1]) for one in found if one)

    def version(self, kind: str, name: str, version: int | None, *, holds: set[str]) -> tuple[int, dict[str, Any]]:
        """A version's number and record; by default the highest. SettingsError if there is none, or it is damaged."""
        known = self.versions(checked_name(kind, name))
        if not known or (version is not None and version not in known):
            what = f"have {' and '.join(map(str, known))}" if known else "are none"
            raise SettingsError(
                f"the {kind} {name!r}{'' if version is None else f' version {version}'} must be registered in the "
                f"workspace. Its versions {what}: register it first."
            )
        number = known[-1] if version is None else version
        record = _parsed(self.get(f"{name}/{number}.json"))
        if not isinstance(record, dict) or set(record) != holds:
            raise SettingsError(f"the record of {kind} {name!r} version {number} is damaged: register it again.")
        return number, record

    def _path(self, name: str) -> str:
        return f"{self.prefix}/{name}"


def _parsed(data: bytes | None) -> Any:
    try:
        return json.loads(data or b"")
    except ValueError:
        return None


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """What a store raises becomes SettingsError, without its text, which may hold addresses and more."""
    try:
        yield
    except (FileNotFoundError, SettingsError):
        raise
    except (BaseError, OSError, ValueError) as error:
        raise SettingsError(
            f"the workspace's store must answer. It does not ({type(error).__name__}): check its address, the "
            "container or bucket, the name asked for, and the credentials in the environment."
        ) from None
