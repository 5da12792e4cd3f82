"""The directory of one service: everything there is of it, so that removing it leaves nothing.

environment/   its packages           source/   the scoring script       models/   what it serves
rendered/      files for a cloud      log.txt   what it prints (and log.txt.1)
service.json   how to run it          state.json   how it is, written by its supervisor
lock           held by the supervisor as long as it lives
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from ..errors import SettingsError
from ..files import write_private

_LONGEST_STOP = 20.0


@dataclass(frozen=True)
class Plan:
    """How to run a service; written once, holds no secret.

    Attributes
    ----------
    command
        The process, without its port.
    environment
        Variables on top of those the supervisor was started with.
    memory_bytes
        The most private memory of each process.
    cores
        How many cores it may use.
    port
        Where to listen; 0 for a free port.
    """

    command: list[str]
    environment: dict[str, str]
    memory_bytes: int
    cores: int
    port: int
    tags: dict[str, str]
    description: str
    target: str


@dataclass(frozen=True)
class State:
    """How a service is.

    Attributes
    ----------
    name
        ``Transitioning``, ``Healthy``, ``Failed`` or ``Unhealthy`` (its supervisor is gone).
    supervisor, child
        Process numbers; ``child`` also names its process group.
    url
        Where it listens, once it does.
    restarts
        How often it died and was started again.
    """

    name: str
    supervisor: int = 0
    child: int = 0
    url: str | None = None
    restarts: int = 0


@dataclass(frozen=True)
class ServiceHome:
    """The directory of a service."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def write_plan(self, plan: Plan) -> None:
        write_private(self.path / "service.json", json.dumps(asdict(plan), indent=2).encode())

    def plan(self) -> Plan:
        """How to run it; SettingsError if there is no such service."""
        found = _read(self.path / "service.json")
        if found is None or set(found) != {field.name for field in fields(Plan)}:
            raise SettingsError(f"the service {self.path.name!r} was not found in this workspace: use Model.deploy.")
        return Plan(**found)

    def write_state(self, state: State) -> None:
        write_private(self.path / "state.json", json.dumps(asdict(state)).encode())

    def state(self) -> State:
        """The supervisor's last word; ``Unhealthy`` if it ended without one."""
        written = State(**(_read(self.path / "state.json") or {"name": "Transitioning"}))
        if written.name != "Failed" and written.supervisor and not self.is_supervised():
            return State("Unhealthy", restarts=written.restarts)
        return written

    @contextlib.contextmanager
    def supervised(self, seconds: float = 0) -> Iterator[None]:
        """Hold the lock; BlockingIOError if another process has it for so long."""
        deadline = time.monotonic() + seconds
        with (self.path / "lock").open("w") as file:
            while not _locks(file):
                if time.monotonic() >= deadline:
                    raise BlockingIOError(f"{self.path} is supervised")
                time.sleep(0.01)
            yield

    def is_supervised(self) -> bool:
        """Whether its supervisor lives: process numbers are used again, a held lock is not."""
        try:
            with self.supervised():
                return False
        except (BlockingIOError, FileNotFoundError):
            return (self.path / "lock").exists()

    def remove(self) -> None:
        """End the processes, then remove the files.

        Raises
        ------
        SettingsError
            If the supervisor does not end, or a file cannot be removed.
        """
        deadline = time.monotonic() + _LONGEST_STOP
        while self.is_supervised():
            pid = self.state().supervisor
            if time.monotonic() > deadline:
                raise SettingsError(f"the service's supervisor (process {pid}) must end. It does not: end it by hand.")
            with contextlib.suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGTERM)
            time.sleep(0.1)
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.exists():
            raise SettingsError(f"{self.path} must be removable. Not all of it is: remove it by hand.")


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
