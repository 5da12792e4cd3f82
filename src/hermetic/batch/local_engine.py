"""Workers on this machine: a process each. One that dies is started again, and its shard is answered by another."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import SettingsError
from .evaluator import TRIES, Outcome
from .manifest import Shard

_LOST = "its worker died"


class _Process:
    """One worker's process."""

    def __init__(self, options: dict[str, Any]) -> None:
        # A session of its own: whoever interrupts the command lets workers finish what they do.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hermetic.batch.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._begun = self._ask(options)
        if self._begun is not None and "refused" in self._begun:
            self.end()
            raise SettingsError(self._begun["refused"])

    def answer(self, shard: Shard) -> Outcome | None:
        """A shard's outcome; None if the process died, or has not even begun."""
        reply = self._ask(shard.__dict__) if self._begun else None
        return None if reply is None else Outcome(**reply)

    def _ask(self, document: dict[str, Any]) -> dict[str, Any] | None:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(document) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            return None
        found: dict[str, Any] | None = json.loads(line) if line.endswith("\n") else None
        return found

    def end(self) -> None:
        """Let it finish what it does, and end."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.close()
        except OSError:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def run(job: str, model: str, shards: Sequence[Shard], workers: int) -> Iterator[Outcome]:
    """Answer shards with so many workers, one thread each; outcomes as they come.

    A shard whose worker died, or whose store did not answer, is tried three times.

    Raises
    ------
    SettingsError
        If a worker refuses the job, with the reason.
    """
    engine = _Engine({"job": job, "model": model}, shards)
    threads = [threading.Thread(target=engine.work, daemon=True) for _ in range(min(workers, len(shards)))]
    for one in threads:
        one.start()
    try:
        yield from engine.outcomes()
    finally:
        engine.stop()
        for one in threads:
            one.join()


class _Engine:
    """Shards that wait, and outcomes that came."""

    def __init__(self, options: dict[str, Any], shards: Sequence[Shard]) -> None:
        self._options = options
        self._waiting: queue.SimpleQueue[tuple[Shard, int] | None] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._left = len(shards)
        self._stopped = False
        for shard in shards:
            self._waiting.put((shard, 1))

    def outcomes(self) -> Iterator[Outcome]:
        """One of every shard."""
        while self._left:
            said = self._said.get()
            if isinstance(said, BaseException):
                raise said
            self._left -= 1
            yield said

    def stop(self) -> None:
        """Begin no shard any more."""
        self._stopped = True
        self._waiting.put(None)

    def work(self) -> None:
        """One worker's thread."""
        process: _Process | None = None
        try:
            while (taken := self._waiting.get()) is not None and not self._stopped:
                process = process or _Process(self._options)
                shard, tries = taken
                outcome = process.answer(shard)
                if outcome is None:
                    process.end()
                    process = None
                    outcome = Outcome(shard.number, error=f"{_LOST} {tries} times", again=True)
                if outcome.again and tries < TRIES:
                    self._waiting.put((shard, tries + 1))
                else:
                    self._said.put(outcome)
        except BaseException as error:
            self._said.put(error)
        finally:
            self._waiting.put(None)  # whoever waits next is told as well
            if process is not None:
                process.end()
