"""Keeps one service running, in a process that outlives the notebook: ``python -m hermetic.workflow.supervisor HOME``.

The service is a process group of its own, with limits that the kernel enforces. When it dies it is started again on the
same port, after a pause that doubles from 0.2 to 10 s; a service that never came up is given up after three tries. It
ends with the supervisor, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, cast

from .service_home import Plan, ServiceHome, State

_TRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_STEADY = 60.0
_GRACE = 10.0
_LONGEST_LOOK = 5.0
_LOG_BYTES, _LONGEST_LINE = 5_000_000, 65_536
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LOGGER = "hermetic.workflow.supervisor"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None)


class Supervisor:
    """Runs a service until it is told to stop (SIGTERM) or gives up."""

    def __init__(self, home: ServiceHome) -> None:
        self._home = home
        self._plan = home.plan()
        self._port = self._plan.port
        self._state = State("Transitioning", supervisor=os.getpid())
        self._stop = threading.Event()
        self._log = _log_to(home.log)

    def run(self) -> None:
        """Start the service, again and again."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._enter("Transitioning")
        pause, tries = _FIRST_PAUSE, 0
        while not self._stop.is_set():
            started = time.monotonic()
            came_up, code = self._once()
            tries = 0 if came_up or self._state.restarts else tries + 1
            if self._stop.is_set():
                return
            if tries == _TRIES:
                self._enter("Failed")
                return
            pause = _FIRST_PAUSE if time.monotonic() - started > _STEADY else min(2 * pause, _LONGEST_PAUSE)
            self._log.info(f"the service ended with code {code}: it is started again in {pause:.1f} s")
            self._enter("Transitioning", restarts=self._state.restarts + came_up)
            self._stop.wait(pause)

    def _once(self) -> tuple[bool, int]:
        """One life of the service: whether it came up, and its exit code."""
        child = subprocess.Popen(
            [*self._plan.command, "--port", str(self._port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=self._home.path / "source", env=_environment(self._plan), start_new_session=True,
            preexec_fn=limited(self._plan),  # noqa: PLW1509 (no other thread runs: the last reader has ended)
        )  # fmt: skip
        self._enter("Transitioning", child=child.pid)
        reader = threading.Thread(target=self._read, args=(child,))
        reader.start()
        deadline = None
        while child.poll() is None:
            if self._stop.is_set() and deadline is None:
                child.terminate()
                deadline = time.monotonic() + _GRACE
            if deadline is not None and time.monotonic() > deadline:
                child.kill()
            self._stop.wait(0.1) if deadline is None else time.sleep(0.1)
        _end_group(child.pid)
        reader.join()
        return self._state.name == "Healthy", child.returncode

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        """Keep what it prints, and notice where it listens."""
        stream = cast("IO[bytes]", child.stdout)
        while line := stream.readline(_LONGEST_LINE):
            self._log.info(line.decode(errors="replace").rstrip("\n"))
            if found := _listening(line):
                self._port = int(found[1])
                self._enter("Healthy", child=child.pid, url=found[0])

    def _enter(self, name: str, *, child: int = 0, url: str | None = None, restarts: int | None = None) -> None:
        count = self._state.restarts if restarts is None else restarts
        self._state = State(name, os.getpid(), child, url or self._state.url, count)
        self._home.write_state(self._state)


def _listening(line: bytes) -> re.Match[str] | None:
    """The address in a log line that says ``listening``."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("event") != "listening":
        return None
    return _ADDRESS.fullmatch(str(entry.get("url")))


def limited(plan: Plan) -> Callable[[], None]:
    """What a new process does before it becomes the service: limits that its own children inherit.

    RLIMIT_DATA counts private writable memory, which is what a service allocates; mapped libraries do not count.
    """
    allowed = sorted(os.sched_getaffinity(0))
    cores = random.sample(allowed, min(plan.cores, len(allowed)))

    def limit() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cores)
        resource.setrlimit(resource.RLIMIT_DATA, (plan.memory_bytes, plan.memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _end_group(group: int) -> None:
    """End what a dead service left of its process group, and wait for it: its children are the supervisor's by now."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def _environment(plan: Plan) -> dict[str, str]:
    """The supervisor's own, which holds a store's credentials; without settings meant for another service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HERMETIC_")}
    return {**kept, **plan.environment}


def _log_to(path: Path) -> logging.Logger:
    log = logging.getLogger(_LOGGER)
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8"))
    return log


def _supervise(home: ServiceHome) -> None:
    """Run the supervisor, and end the process while it still holds the lock: once that is free, no process is left."""
    try:
        Supervisor(home).run()
    except Exception:
        logging.getLogger(_LOGGER).exception("the supervisor failed")
    finally:
        os._exit(0)


def main() -> None:
    """Supervise the service of a directory, in a process that nobody waits for.

    The lock is taken before the fork and stays with the new process, so the caller finds the service supervised.
    Others take it for a moment to see whether it is free.
    """
    home = ServiceHome(Path(sys.argv[1]))
    with home.supervised(_LONGEST_LOOK):
        if os.fork() == 0:
            _supervise(home)


if __name__ == "__main__":
    main()
