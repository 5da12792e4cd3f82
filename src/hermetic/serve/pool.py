"""The evaluation processes: started, fed, watched, and replaced when they die or hang.

A request goes to the process with the least to do, and among equals to one that has the public key already. The front
process decides which keys a process holds (the ones used last, within ``key_memory`` bytes), so a key travels once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ..errors import SettingsError
from .failures import describe_failure
from .fair_queue import FairQueue, Place
from .logs import log
from .worker import EvaluationError, FaultError, PoolOptions, Program, Worker, WorkerLostError

_START_SECONDS = 120.0
_STOP_SECONDS = 5.0
_BACK_OFF = (0.0, 0.1, 0.5, 2.0, 5.0)
_STABLE_SECONDS = 30.0
_LOAD_ERRORS = (EvaluationError, WorkerLostError, FaultError)


class QueueFullError(Exception):
    """Every process is busy and the queue is full, or a place in it did not come up in time."""


@dataclass(frozen=True)
class LoadedModel:
    """The bytes of a model's file, for processes that start later, and its signature envelope."""

    file: bytes
    envelope: bytes


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
        worker = min(free, key=lambda worker: (worker.outstanding, not worker.has_key(key_id)))
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
