"""What every service has, whatever it serves: who may call, bodies, evaluation processes, limits, metrics, chores."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from importlib.metadata import version
from typing import Any

from starlette.routing import BaseRoute

from ..legacy import FORBIDDEN
from ..object_stores import Store
from .access import Gatekeeper
from .allowance import Allowance
from .bodies import BodyReader
from .hosts import host_check
from .ledger import open_ledger
from .limits import MemoryBudget
from .logs import log
from .metrics import Metrics
from .origins import origin_check
from .pool import Pool
from .settings import MIB, Settings
from .worker import PoolOptions, Program

Facts = dict[str, Any]
"""What the log says of a service when it starts, by the names of its fields."""


class BaseService(ABC):
    """The parts of a running service that do not depend on what it serves.

    Raises
    ------
    SettingsError
        If a part cannot be opened as the settings say.
    """

    def __init__(self, settings: Settings, program: Program, store: Store | None) -> None:
        self.settings = settings
        self.public_models = settings.public_models
        self.gate = Gatekeeper(settings.tokens)
        self.check_host = host_check(settings)
        self.check_origin = origin_check(settings)
        self.allowance = Allowance(settings.rate, settings.quota, open_ledger(store) if store else None)
        self.pool = Pool(_pool_options(settings), program)
        budget = MemoryBudget(settings.body_memory * MIB)
        self.bodies = BodyReader(budget, settings.body_timeout, settings.min_upload_rate * 1000)
        self.metrics = Metrics()
        if settings.legacy_clients:
            log.warning(
                "legacy clients (encrypted-inference 0.9) are answered, in CKKS: weights are not protected from them",
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

    def facts(self) -> Facts:
        """What the log says of the service when it starts."""
        settings = self.settings
        tls = ("client certificates" if settings.tls_client_ca else "yes") if settings.tls_certificate else "no"
        tokens = "none needed" if self.gate.is_open else f"{self.gate.count} in {settings.tokens}"
        return {"release": version("hermetic"), "workers": settings.workers, "tls": tls, "tokens": tokens}

    def check(self) -> None:  # noqa: B027 (a script is loaded whole or not at all)
        """Raise :class:`SettingsError` if not everything that is named is served."""

    def warnings(self) -> Iterator[tuple[str, str]]:
        """What an operator may have overlooked: an event, and a sentence."""
        reach = "on this machine" if self.settings.is_loopback else "who reaches the port"
        if self.gate.is_open:
            yield "no_tokens", f"no tokens: everybody {reach} may call"
        elif not self.gate.count:
            yield "no_tokens", "no tokens: the tokens file holds none, so nobody may call"
        if self.settings.tls_certificate is None:
            yield "no_tls", f"no TLS: tokens and metadata are in the clear for everybody {reach}"

    def chores(self) -> Iterator[Coroutine[None, None, None]]:
        """What goes on in the background while it runs."""
        yield again_and_again(self.look, self.settings.rescan)
        yield again_and_again(self.allowance.usage.exchange, self.settings.usage_interval)

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
            await self.allowance.usage.exchange()
            for event, text in self.warnings():
                log.warning(text, extra={"event": event})
            chores = [asyncio.create_task(chore) for chore in self.chores()]
            self._open = True
            yield
        finally:
            self._open = False
            self._stopping.set()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await self.pool.stop()
            await self.allowance.usage.exchange()


async def again_and_again(chore: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do a chore, and again after a pause, whatever comes of it."""
    while True:
        try:
            await chore()
        except Exception as error:
            log.error("chore failed", exc_info=error, extra={"event": "fault"})
        await asyncio.sleep(pause)


def forbidding(settings: Settings) -> dict[str, str]:
    """What tells evaluation processes that legacy clients must not be answered, if they must not."""
    return {FORBIDDEN: "1"} if settings.forbid_legacy_clients else {}


def _pool_options(settings: Settings) -> PoolOptions:
    return PoolOptions(
        workers=settings.workers,
        key_memory=settings.worker_key_memory * MIB,
        timeout=settings.evaluation_timeout,
        queue=settings.queue,
        queue_timeout=settings.queue_timeout,
    )
