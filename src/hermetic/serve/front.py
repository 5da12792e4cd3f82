"""What every service has, whatever it serves: who may call, bodies, evaluation processes, limits, metrics, chores."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator

from starlette.routing import BaseRoute

from .access import Gatekeeper
from .allowance import Allowance
from .bodies import BodyReader
from .hosts import host_check
from .limits import MemoryBudget
from .logs import log
from .metrics import Metrics
from .origins import origin_check
from .pool import Pool, PoolOptions, Program
from .settings import MIB, Settings


class Front(ABC):
    """The parts of a running service that do not depend on what it serves.

    Raises
    ------
    SettingsError
        If a part cannot be opened as the settings say.
    """

    def __init__(self, settings: Settings, program: Program) -> None:
        self.settings = settings
        self.public_models = settings.public_models
        self.gate = Gatekeeper(settings.tokens)
        self.check_host = host_check(settings)
        self.check_origin = origin_check(settings)
        self.allowance = Allowance(settings.rate, settings.quota)
        self.pool = Pool(_pool_options(settings), program)
        budget = MemoryBudget(settings.body_memory * MIB)
        self.bodies = BodyReader(budget, settings.body_timeout, settings.min_upload_rate * 1000)
        self.metrics = Metrics()
        if settings.legacy_clients:
            log.warning(
                "clients of encrypted-inference 0.9 are answered in CKKS: the weights are not protected from them",
                extra={"event": "legacy_clients"},
            )
        self._open = False
        self._stopping = asyncio.Event()
        for name, text, read in (
            ("workers", "Evaluation processes that take requests.", lambda: self.pool.alive),
            ("worker_restarts", "Evaluation processes that were replaced.", lambda: self.pool.restarts),
            ("queue", "Requests that wait for an evaluation process.", lambda: self.pool.waiting),
            ("running", "Requests in an evaluation process.", lambda: self.pool.running),
            ("body_bytes", "Memory that request bodies take now.", lambda: budget.used),
        ):
            self.metrics.gauge(name, text, read)

    @property
    def ready(self) -> bool:
        """Whether requests would be answered now."""
        return self._open and self.pool.alive > 0

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """Every address it answers."""

    @abstractmethod
    async def load(self) -> None:
        """Load what is served into the evaluation processes. Raises :class:`SettingsError` if none of it loads."""

    def chores(self) -> Iterator[Coroutine[None, None, None]]:
        """What goes on in the background while it runs."""
        yield again_and_again(self.look, self.settings.rescan)

    async def look(self) -> None:
        """Hold the tokens against their file."""
        self.gate.reload()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and end it when the block ends."""
        chores = []
        try:
            await self.pool.start()
            await self.load()
            chores = [asyncio.create_task(one) for one in self.chores()]
            self._open = True
            yield
        finally:
            self._open = False
            self._stopping.set()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await self.pool.stop()


async def again_and_again(chore: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do a chore, and again after a pause, whatever comes of it."""
    while True:
        try:
            await chore()
        except Exception as error:
            log.error("chore failed", exc_info=error, extra={"event": "fault"})
        await asyncio.sleep(pause)


def _pool_options(settings: Settings) -> PoolOptions:
    return PoolOptions(
        workers=settings.workers,
        key_memory=settings.worker_key_memory * MIB,
        timeout=settings.evaluation_timeout,
        queue=settings.queue,
        queue_timeout=settings.queue_timeout,
    )
