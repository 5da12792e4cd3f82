"""One evaluation process as the front process sees it: started, asked, and what it holds.

The program in the process is :mod:`.evaluator` or :mod:`.script_runner`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .frames import encode_head, read_frame
from .messages import Done, DropKey, Evaluate, Evaluated, Failed, LoadModel, Message, Refused, UnloadModel

Data = bytes | bytearray | memoryview
Reply = TypeVar("Reply", bound=Message)

_READ_AHEAD = 1 << 20
_LOAD_SECONDS = 600.0


class WorkerLostError(Exception):
    """The evaluation process died or was killed before it answered."""


class EvaluationError(Exception):
    """The evaluation process refused a model file or a query; the message says why."""


class FaultError(Exception):
    """The evaluation process failed where it must not; the message says where."""


@dataclass(frozen=True)
class Program:
    """What an evaluation process runs: ``python -m module SOCKET OPTIONS``, answering :mod:`.frames`.

    Attributes
    ----------
    module
        Its full name.
    options
        What it is told, as JSON.
    environment
        Its environment variables.
    depth
        Requests in a process at once: one that it evaluates, and those that already wait in its socket.
    """

    module: str
    options: Mapping[str, Any]
    environment: Mapping[str, str]
    depth: int


@dataclass(frozen=True)
class PoolOptions:
    """How many processes, and the bounds on what they hold and how long callers wait.

    Attributes
    ----------
    workers
        Processes.
    key_memory
        Bytes of parsed public keys in each.
    timeout
        Seconds until a process that does not answer is killed.
    queue, queue_timeout
        Requests that may wait for a process, half of them of one tenant, and for how many seconds.
    """

    workers: int
    key_memory: int
    timeout: float
    queue: int
    queue_timeout: float


@dataclass(frozen=True)
class Answer:
    """A result envelope, and the milliseconds its evaluation took."""

    data: bytes
    ms: float


class Worker:
    """The front process's end of one evaluation process: what was sent to it, and what it holds."""

    def __init__(self, options: PoolOptions, program: Program) -> None:
        self.outstanding = 0
        self.models: set[str] = set()
        self._options = options
        self._program = program
        self._keys: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[int, asyncio.Future[tuple[Message, bytes]]] = {}
        self._numbers = itertools.count()
        self._lost = False

    async def start(self) -> None:
        """Start the process."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self._program.module, str(theirs.fileno()), json.dumps(self._program.options)),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                env=self._program.environment,
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=_READ_AHEAD)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, message, payload = await read_frame(reader)
                waiting = self._waiting.pop(number, None)
                if waiting and not waiting.done():
                    waiting.set_result((message, payload))

    async def ended(self) -> None:
        """Return when the process is gone; whatever waited for it gets :class:`WorkerLostError`."""
        await self._reading
        self._lost = True
        self.kill()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerLostError("the evaluation process died"))
                waiting.exception()  # nobody may be left to ask for it
        self._waiting.clear()
        await self.process.wait()
        self._writer.close()

    async def ask(
        self, message: Message, *payload: Data, reply: type[Reply], timeout: float | None = None
    ) -> tuple[Reply, bytes]:
        """Send a message and wait for its reply, with its payload; a process that takes too long is killed.

        Raises
        ------
        EvaluationError, WorkerLostError, FaultError
            As the process answers, or does not.
        """
        number = self._send(message, *payload)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout or self._options.timeout):
                answer, data = await waiting
        except TimeoutError:
            self.kill()
            raise WorkerLostError("the evaluation took too long") from None
        if isinstance(answer, Failed):
            raise FaultError(answer.reason)
        if isinstance(answer, Refused):
            raise EvaluationError(answer.reason)
        if not isinstance(answer, reply):
            raise FaultError(f"the reply to {type(message).__name__} is {type(answer).__name__}")
        return answer, data

    def _send(self, message: Message, *payload: Data) -> int:
        """Send a message; gives its number. The process takes messages in the order they were sent."""
        if self._lost or self._writer.is_closing():
            raise WorkerLostError("the evaluation process died")
        number = next(self._numbers)
        self._writer.writelines([encode_head(number, message, sum(map(len, payload))), *payload])
        return number

    async def load(self, model: str, data: bytes) -> bytes:
        """Load a model; gives its signature envelope."""
        _, envelope = await self.ask(LoadModel(model), data, reply=Done, timeout=_LOAD_SECONDS)
        self.models.add(model)
        return envelope

    async def unload(self, model: str) -> None:
        if model in self.models:
            self.models.remove(model)
            await self.ask(UnloadModel(model), reply=Done)

    async def evaluate(
        self, model: str, key_id: str, key: Data, *query: Data, kind: type[Evaluate] = Evaluate
    ) -> Answer:
        """Answer a query, in one part or several; the key's bytes go along if the process does not have it."""
        sent = b"" if key_id in self._keys else key
        dropped = self._hold(key_id, int(kind.key_growth * len(key)))
        message = kind(model, key_id, len(sent), dropped, list(map(len, query)))
        try:
            evaluated, data = await self.ask(message, sent, *query, reply=Evaluated)
        except BaseException:  # also of a caller that no longer waits
            if sent:
                self._renounce(key_id)
            raise
        return Answer(data, evaluated.ms)

    async def drop_key(self, key_id: str) -> None:
        if self._keys.pop(key_id, None):
            await self.ask(DropKey(key_id), reply=Done)

    def _renounce(self, key_id: str) -> None:
        """Whether the process could read a key, before its message failed, is not known: now it surely lacks it."""
        if self._keys.pop(key_id, None):
            with contextlib.suppress(WorkerLostError):
                self._send(DropKey(key_id))

    def has_key(self, key_id: str) -> bool:
        return key_id in self._keys

    def _hold(self, key_id: str, cost: int) -> list[str]:
        """Note that the process has the key now; give the keys it must drop for that."""
        self._keys[key_id] = cost
        self._keys.move_to_end(key_id)
        dropped = []
        while len(self._keys) > 1 and sum(self._keys.values()) > self._options.key_memory:
            dropped.append(self._keys.popitem(last=False)[0])
        return dropped

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def close(self) -> None:
        """Ask the process to end: it does when it has answered everything it was sent."""
        self._writer.write_eof()
