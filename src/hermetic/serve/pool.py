"""The evaluation processes: started, fed, watched, and replaced when they die or hang.

A request goes to the process with the least to do, and among equals to one that has the public key already. The front
process decides which keys a process holds (the ones used last, within ``key_memory`` bytes), so a key travels once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from ..errors import SettingsError
from .failures import describe_failure
from .frames import Head, encode_head, read_frame
from .logs import log

Data = bytes | bytearray | memoryview

_READ_AHEAD = 1 << 20
_LOAD_SECONDS = 600.0
_START_SECONDS = 120.0
_STOP_SECONDS = 5.0
_BACK_OFF = (0.0, 0.1, 0.5, 2.0, 5.0)
_STABLE_SECONDS = 30.0


class QueueFullError(Exception):
    """Every process is busy and the queue is full, or a place in it did not come up in time."""


class WorkerLostError(Exception):
    """The evaluation process died or was killed before it answered."""


class EvaluationError(Exception):
    """The evaluation process refused a model file or a query; the message says why."""


class FaultError(Exception):
    """The evaluation process failed where it must not; the message says where."""


_LOAD_ERRORS = (EvaluationError, WorkerLostError, FaultError)


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
    options: Head
    environment: Mapping[str, str]
    depth: int


@dataclass(frozen=True)
class LoadedModel:
    """The bytes of a model's file, for processes that start later, and its signature envelope."""

    file: bytes
    envelope: bytes


@dataclass(frozen=True)
class Answer:
    """A result envelope, and the milliseconds its evaluation took."""

    data: bytes
    ms: float


KEY_GROWTH = {"evaluate": 2.5, "evaluate_legacy": 2.2}
"""A parsed key takes about so many times its bytes, by the kind of evaluation that it is for."""


class Worker:
    """One evaluation process, and what it holds."""

    def __init__(self, options: PoolOptions, program: Program) -> None:
        self.outstanding = 0
        self.models: set[str] = set()
        self._options = options
        self._program = program
        self._keys: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[int, asyncio.Future[tuple[Head, bytes]]] = {}
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
                head, payload = await read_frame(reader)
                waiting = self._waiting.pop(head["id"], None)
                if waiting and not waiting.done():
                    waiting.set_result((head, payload))

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

    async def ask(self, head: Head, *payload: Data, timeout: float | None = None) -> tuple[Head, bytes]:
        """Send a message and wait for its answer; a process that takes too long is killed.

        Raises
        ------
        EvaluationError, WorkerLostError, FaultError
            As the process answers, or does not.
        """
        number = self._send(head, *payload)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout or self._options.timeout):
                reply, data = await answer
        except TimeoutError:
            self.kill()
            raise WorkerLostError("the evaluation took too long") from None
        if "fault" in reply:
            raise FaultError(reply["fault"])
        if "error" in reply:
            raise EvaluationError(reply["error"])
        return reply, data

    def _send(self, head: Head, *payload: Data) -> int:
        """Send a message; gives its number. The process takes messages in the order they were sent."""
        if self._lost or self._writer.is_closing():
            raise WorkerLostError("the evaluation process died")
        number = next(self._numbers)
        self._writer.writelines([encode_head({"id": number, **head}, sum(map(len, payload))), *payload])
        return number

    async def load(self, model: str, data: bytes) -> bytes:
        """Load a model; gives its signature envelope."""
        _, envelope = await self.ask({"op": "load", "model": model}, data, timeout=_LOAD_SECONDS)
        self.models.add(model)
        return envelope

    async def unload(self, model: str) -> None:
        if model in self.models:
            self.models.remove(model)
            await self.ask({"op": "unload", "model": model})

    async def evaluate(self, model: str, key_id: str, key: Data, *query: Data, op: str = "evaluate") -> Answer:
        """Answer a query, in one part or several; the key's bytes go along if the process does not have it."""
        sent = b"" if key_id in self._keys else key
        dropped = self._hold(key_id, int(KEY_GROWTH[op] * len(key)))
        head = {"op": op, "model": model, "key": key_id, "key_bytes": len(sent), "drop": dropped}
        try:
            reply, data = await self.ask({**head, "parts": list(map(len, query))}, sent, *query)
        except (EvaluationError, FaultError):
            if sent:
                self._renounce(key_id)
            raise
        return Answer(data, reply["ms"])

    async def drop_key(self, key_id: str) -> None:
        if self._keys.pop(key_id, None):
            await self.ask({"op": "drop", "key": key_id})

    def _renounce(self, key_id: str) -> None:
        """Whether the process could read a key, before its message failed, is not known: now it surely lacks it."""
        if self._keys.pop(key_id, None):
            with contextlib.suppress(WorkerLostError):
                self._send({"op": "drop", "key": key_id})

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


@dataclass(frozen=True, eq=False)
class Place:
    """A request that waits for a process."""

    tenant: str
    key_id: str
    worker: asyncio.Future[Worker]


class FairQueue:
    """Who waits: in order within a tenant, and tenants take turns."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, deque[Place]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._tenants.values()))

    def waiting_for(self, tenant: str) -> int:
        return len(self._tenants.get(tenant, ()))

    def add(self, place: Place) -> None:
        self._tenants.setdefault(place.tenant, deque()).append(place)

    def first(self) -> Place | None:
        """The next in turn."""
        return next(iter(self._tenants.values()))[0] if self._tenants else None

    def remove(self, place: Place) -> None:
        """Take out a place, if it is still in."""
        places = self._tenants.get(place.tenant, deque())
        if place in places:
            places.remove(place)
        if not places:
            self._tenants.pop(place.tenant, None)

    def turn(self, tenant: str) -> None:
        """The tenant had its turn."""
        if tenant in self._tenants:
            self._tenants.move_to_end(tenant)


class Pool:
    """All evaluation processes, and the queue before them."""

    def __init__(self, options: PoolOptions, program: Program) -> None:
        self.options = options
        self._program = program
        self.restarts = 0
        self._workers: list[Worker] = []
        self._models: dict[str, LoadedModel] = {}
        self._queue = FairQueue()
        self._supervisors: list[asyncio.Task[None]] = []
        self._admitted = asyncio.Event()
        self._closing = False

    @property
    def alive(self) -> int:
        """Processes that can take requests now."""
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Requests in a process."""
        return sum(worker.outstanding for worker in self._workers)

    async def start(self) -> None:
        """Start every process, and wait until each can take requests.

        Raises
        ------
        SettingsError
            If they do not come up.
        """
        self._supervisors = [asyncio.create_task(self._supervise()) for _ in range(self.options.workers)]
        try:
            async with asyncio.timeout(_START_SECONDS):
                while self.alive < self.options.workers:
                    self._admitted.clear()
                    await self._admitted.wait()
        except TimeoutError:
            count = f"{self.options.workers} evaluation processes"
            raise SettingsError(f"{count} must start. {self.alive} did, see the log: ask for fewer.") from None

    async def stop(self) -> None:
        """End every process after it has answered what it was sent; one that does not is killed."""
        self._closing = True
        for worker in self._workers:
            worker.close()
        _, alive = await asyncio.wait(self._supervisors, timeout=_STOP_SECONDS)
        if alive:
            for worker in self._workers:
                worker.kill()
            await asyncio.wait(alive, timeout=_STOP_SECONDS)

    async def _supervise(self) -> None:
        """Keep one process alive."""
        loop, failures = asyncio.get_running_loop(), 0
        while not self._closing:
            await asyncio.sleep(_BACK_OFF[min(failures, len(_BACK_OFF) - 1)])
            started = loop.time()
            try:
                await self._run_one()
            except Exception as error:
                log.error("evaluation process failed", exc_info=error, extra={"event": "fault"})
            if not self._closing:
                self.restarts += 1
                failures = 1 if loop.time() - started > _STABLE_SECONDS else failures + 1
                log.error("evaluation process ended", extra={"event": "worker_lost", "failures": failures})

    async def _run_one(self) -> None:
        worker = Worker(self.options, self._program)
        await worker.start()
        ended = asyncio.create_task(worker.ended())
        try:
            while lacking := [model for model in self._models if model not in worker.models]:
                await worker.load(lacking[0], self._models[lacking[0]].file)
        except _LOAD_ERRORS as error:
            log.error("evaluation process failed to start", extra={"event": "worker_failed", "reason": str(error)})
            worker.kill()
        else:
            self._workers.append(worker)
            self._admitted.set()
            self._hand_out()
        await ended
        if worker in self._workers:
            self._workers.remove(worker)

    async def load(self, model: str, data: bytes) -> bytes:
        """Load a model in every process, one after the other, so that the rest keep answering.

        Returns
        -------
        bytes
            The model's signature envelope.

        Raises
        ------
        EvaluationError, WorkerLostError, FaultError
            If a process refuses the file or dies from it, or none is alive. No process keeps it then.
        """
        if model in self._models:
            return self._models[model].envelope
        envelope = b""
        try:
            while lacking := [worker for worker in self._workers if model not in worker.models]:
                envelope = await lacking[0].load(model, data)
        except _LOAD_ERRORS:
            await self.unload(model)
            raise
        if not envelope:
            raise WorkerLostError("no evaluation process is alive")
        self._models[model] = LoadedModel(data, envelope)
        return envelope

    async def unload(self, model: str) -> None:
        """Forget a model in every process; what was sent before is still answered."""
        self._models.pop(model, None)
        await self._everywhere(lambda worker: worker.unload(model))

    async def drop_key(self, key_id: str) -> None:
        """Forget a public key in every process."""
        await self._everywhere(lambda worker: worker.drop_key(key_id))

    async def _everywhere(self, ask: Callable[[Worker], Awaitable[object]]) -> None:
        for answer in await asyncio.gather(*map(ask, list(self._workers)), return_exceptions=True):
            if isinstance(answer, Exception) and not isinstance(answer, WorkerLostError):
                log.error("evaluation process failed", extra={"event": "fault", "reason": describe_failure(answer)})

    @contextlib.asynccontextmanager
    async def worker_for(self, tenant: str, key_id: str) -> AsyncIterator[Worker]:
        """A process with a free place; tenants take turns for them. Raises :class:`QueueFullError`."""
        worker = None if len(self._queue) else self._take_free(key_id)
        if worker is None:
            worker = await self._wait_in_queue(tenant, key_id)
        try:
            yield worker
        finally:
            worker.outstanding -= 1
            self._hand_out()

    async def _wait_in_queue(self, tenant: str, key_id: str) -> Worker:
        queue, limit = self._queue, self.options.queue
        if self._closing or len(queue) >= limit or 2 * queue.waiting_for(tenant) >= limit:
            raise QueueFullError("the queue is full")
        place = Place(tenant, key_id, asyncio.get_running_loop().create_future())
        queue.add(place)
        try:
            async with asyncio.timeout(self.options.queue_timeout):
                return await place.worker
        except BaseException as error:
            if place.worker.done() and not place.worker.cancelled():  # handed out in the moment we left
                place.worker.result().outstanding -= 1
            queue.remove(place)
            self._hand_out()
            if isinstance(error, TimeoutError):
                raise QueueFullError("no evaluation process became free in time") from None
            raise

    def _take_free(self, key_id: str) -> Worker | None:
        free = [worker for worker in self._workers if worker.outstanding < self._program.depth]
        if not free:
            return None
        worker = min(free, key=lambda one: (one.outstanding, not one.has_key(key_id)))
        worker.outstanding += 1
        return worker

    def _hand_out(self) -> None:
        """Give free places to those who wait."""
        while (place := self._queue.first()) and (worker := self._take_free(place.key_id)):
            self._queue.remove(place)
            if place.worker.done():
                worker.outstanding -= 1
            else:
                place.worker.set_result(worker)
                self._queue.turn(place.tenant)
