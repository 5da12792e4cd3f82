"""The model repository: ``name/version/model.hermetic``, several at once, reloaded when files change.

A file is read once, into memory, and every evaluation process loads exactly those bytes, now and after a restart. A
file that does not load is reported and never served; a version that was served before goes on as it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import SettingsError, WireError
from ..signature import Signature
from .limits import BodySizes
from .logs import log
from .pool import Pool
from .worker import EvaluationError, FaultError, WorkerLostError

FILE = "model.hermetic"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_LOAD_TRIES = 3

Place = tuple[str, int]
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class ServedModel:
    """A model version that is answering.

    Attributes
    ----------
    name, version
        Its place in the repository.
    content
        SHA-256 of the file, the name under which evaluation processes hold it.
    envelope
        The signature, as clients get it.
    max_samples
        Predictions that one request may ask for.
    """

    name: str
    version: int
    content: str
    envelope: bytes
    max_samples: int

    @cached_property
    def signature(self) -> Signature:
        return Signature.from_bytes(self.envelope)

    @cached_property
    def digest(self) -> str:
        """The signature's digest, hexadecimal."""
        return self.signature.digest.hex()

    @cached_property
    def sizes(self) -> BodySizes:
        """The exact sizes that queries can have."""
        return BodySizes.of(self.signature, self.max_samples)


class Repository:
    """What is served now, and what is broken.

    Parameters
    ----------
    sources
        Model files (served as their stem, version 1) and directories.
    pool
        The evaluation processes.
    max_samples
        Predictions that one request may ask for.
    """

    def __init__(self, sources: tuple[Path, ...], pool: Pool, max_samples: int) -> None:
        if not sources:
            raise SettingsError("a model file, a directory of models, or --entry-script must be named. Got none.")
        self._sources = sources
        self._pool = pool
        self._max_samples = max_samples
        self._served: dict[Place, ServedModel] = {}
        self._stamps: dict[Place, Stamp] = {}
        self._busy = asyncio.Lock()
        self.broken: dict[str, str] = {}

    @property
    def models(self) -> list[ServedModel]:
        """Every served version, by name and version."""
        return [self._served[place] for place in sorted(self._served)]

    @property
    def directories(self) -> list[Path]:
        """The directories of models, for watching."""
        return [source for source in self._sources if source.is_dir()]

    def versions(self, name: str) -> list[ServedModel]:
        """The served versions of a model, lowest first."""
        return [model for model in self.models if model.name == name]

    def find(self, name: str, version: str | None = None) -> ServedModel | None:
        """A served version; without a version the highest."""
        if version is None:
            return max(self.versions(name), key=lambda model: model.version, default=None)
        return self._served.get((name, int(version))) if _VERSION.fullmatch(version) else None

    def find_by_digest(self, digest: str) -> ServedModel | None:
        """The highest served version whose signature has this digest."""
        return max(
            (model for model in self.models if model.digest == digest), key=lambda model: model.version, default=None
        )

    async def refresh(self) -> None:
        """Hold what is served against the files, and load or forget what changed."""
        async with self._busy:
            places, problems = self._scan()
            known = {str(path) for path in (*places.values(), *problems)}
            self.broken = {name: reason for name, reason in self.broken.items() if name in known}
            for path, reason in problems.items():
                self._report(path, reason)
            for place in [*self._served, *self._stamps]:
                if place not in places:
                    await self._forget(place)
            for place, path in sorted(places.items()):
                await self._update(place, path)

    def _scan(self) -> tuple[dict[Place, Path], dict[Path, str]]:
        places: dict[Place, Path] = {}
        problems: dict[Path, str] = {}
        for source in self._sources:
            for place, path in _entries(source, problems):
                if place in places:
                    problems[path] = f"{place[0]}/{place[1]} must be given once. {places[place]} is it already."
                else:
                    places[place] = path
        return places, problems

    def _report(self, path: Path, reason: str) -> None:
        if self.broken.get(str(path)) != reason:
            self.broken[str(path)] = reason
            log.error("model not loaded", extra={"event": "model_broken", "file": str(path), "reason": reason})

    async def _forget(self, place: Place) -> None:
        self._stamps.pop(place, None)
        if gone := self._served.pop(place, None):
            log.info("model removed", extra={"event": "model_removed", "model": gone.name, "version": gone.version})
            await self._release(gone.content)

    async def _release(self, content: str) -> None:
        if all(model.content != content for model in self._served.values()):
            await self._pool.unload(content)

    async def _update(self, place: Place, path: Path) -> None:
        try:
            stamp = _stamp(path)
            if self._stamps.get(place) == stamp:
                return
            data = await asyncio.to_thread(path.read_bytes)
            if _stamp(path) != stamp or len(data) != stamp[2]:
                return  # still being written: the next look finds it changed again
            self._stamps[place] = stamp
            await self._load(place, data)
        except OSError as error:
            self._report(path, f"the file cannot be read: {error.strerror}.")
        except (EvaluationError, FaultError, WorkerLostError, WireError) as error:
            self._report(path, str(error))
        else:
            self.broken.pop(str(path), None)

    async def _load(self, place: Place, data: bytes) -> None:
        content = hashlib.sha256(data).hexdigest()
        before = self._served.get(place)
        if before and before.content == content:
            return
        envelope = await self._load_in_pool(content, data)
        served = ServedModel(*place, content, envelope, self._max_samples)
        await asyncio.to_thread(lambda: served.sizes)  # reads the signature, which may be large
        self._served[place] = served
        log.info("model loaded", extra={"event": "model_loaded", "model": place[0], "version": place[1]})
        if before:
            await self._release(before.content)

    async def _load_in_pool(self, content: str, data: bytes) -> bytes:
        """Load, and try again if a process was lost: that may not be the file's fault."""
        for _ in range(_LOAD_TRIES - 1):
            try:
                return await self._pool.load(content, data)
            except WorkerLostError:
                await asyncio.sleep(1)
        return await self._pool.load(content, data)


def _entries(source: Path, problems: dict[Path, str]) -> list[tuple[Place, Path]]:
    if not source.is_dir():
        if not _NAME.fullmatch(source.stem):
            problems[source] = "the file's name must be letters, digits, dots, - and _, at most 100."
            return []
        return [((source.stem, 1), source)]
    found = []
    for path in sorted(source.glob(f"*/*/{FILE}")):
        name, version = path.parts[-3:-1]
        if name.startswith(".") or version.startswith("."):
            continue
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
            problems[path] = f"a model must lie in name/version/{FILE}, with a whole number from 1 as version."
        else:
            found.append(((name, int(version)), path))
    return found


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size
