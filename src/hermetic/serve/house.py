"""Everything the service is made of, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path

from watchfiles import awatch

from ..errors import SettingsError
from .access import Gatekeeper
from .bodies import BodyReader
from .hosts import host_check
from .keycache import KeyCache
from .keystore import AsyncKeyStore, KeyStore, StoreError
from .limits import MemoryBudget, Meter
from .logs import log
from .metrics import Metrics
from .pool import Pool, PoolOptions
from .refusals import RefusalError
from .repository import Repository
from .service import Service
from .settings import MIB, Settings
from .stores import open_store

_SWEEP_SECONDS = 3600.0
_COUNT_SECONDS = 60.0


class KeyQuota:
    """How many keys a tenant may store. Counting lists the store, so a count is kept for a minute."""

    def __init__(self, keys: AsyncKeyStore, limit: int) -> None:
        self._keys = keys
        self._limit = limit
        self._counts: dict[str, tuple[int, float]] = {}

    async def check(self, tenant: str, key_id: str) -> None:
        """Raise :class:`RefusalError` 409 if the tenant may not store one more key; count this one otherwise."""
        if await self._keys.exists(tenant, key_id):
            return
        count, counted = self._counts.get(tenant, (0, -_COUNT_SECONDS))
        if time.monotonic() - counted >= _COUNT_SECONDS:
            count, counted = await self._keys.count(tenant), time.monotonic()
        if count >= self._limit:
            raise RefusalError(
                409, "too_many_keys", f"a tenant may store {self._limit} keys. There are {count}: delete some first."
            )
        self._counts[tenant] = (count + 1, counted)

    def freed(self, tenant: str) -> None:
        """A key of the tenant was deleted."""
        self._counts.pop(tenant, None)


class House:
    """The parts of a running service.

    Raises
    ------
    SettingsError
        If a part cannot be opened as the settings say.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.public_models = settings.public_models
        self.max_json_body = settings.max_json_body * MIB
        self.gate = Gatekeeper(settings.tokens)
        self.check_host = host_check(settings)
        lifetime = timedelta(days=settings.key_days) if settings.key_days else None
        keys = KeyStore(open_store(settings.store), lifetime)
        try:
            keys.check()
        except StoreError as error:
            raise SettingsError(str(error)) from None
        self.keys = AsyncKeyStore(keys)
        self.quota = KeyQuota(self.keys, settings.max_keys)
        self._cache = KeyCache(self.keys, settings.key_cache * MIB, settings.key_recheck)
        self.pool = Pool(_pool_options(settings))
        self.repository = Repository(settings.models, self.pool, settings.max_samples)
        budget = MemoryBudget(settings.body_memory * MIB)
        self.bodies = BodyReader(budget, settings.body_timeout, settings.min_upload_rate * 1000)
        self.metrics = Metrics()
        self.service = Service(
            self.repository, self._cache, self.pool, Meter(), self.metrics, rate=settings.rate, quota=settings.quota
        )
        self._open = False
        self._stopping = asyncio.Event()
        self._add_gauges(budget)

    def _add_gauges(self, budget: MemoryBudget) -> None:
        for name, text, read in (
            ("workers", "Evaluation processes that take requests.", lambda: self.pool.alive),
            ("worker_restarts", "Evaluation processes that were replaced.", lambda: self.pool.restarts),
            ("queue", "Requests that wait for an evaluation process.", lambda: self.pool.waiting),
            ("running", "Requests in an evaluation process.", lambda: self.pool.running),
            ("models", "Model versions that are served.", lambda: len(self.repository.models)),
            ("broken_models", "Model files that could not be loaded.", lambda: len(self.repository.broken)),
            ("cached_keys", "Public keys in the front process's memory.", lambda: len(self._cache)),
            ("body_bytes", "Memory that request bodies take now.", lambda: budget.used),
        ):
            self.metrics.gauge(name, text, read)

    @property
    def ready(self) -> bool:
        """Whether queries would be answered now."""
        return self._open and self.pool.alive > 0 and bool(self.repository.models)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and end it when the block ends."""
        chores = []
        try:
            await self.pool.start()
            await self.repository.refresh()
            self._check_models()
            chores = [asyncio.create_task(one) for one in self._chores()]
            self._open = True
            yield
        finally:
            self._open = False
            self._stopping.set()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await self.pool.stop()

    def _check_models(self) -> None:
        if not self.repository.models and self.repository.broken:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.repository.broken.items())
            raise SettingsError(f"a model that can be served must be named. Got {reasons}")

    async def forget_key(self, tenant: str, key_id: str) -> bool:
        """Delete a public key everywhere; False if there is none."""
        found = await self.keys.delete(tenant, key_id)
        self._cache.forget(tenant, key_id)
        self.quota.freed(tenant)
        await self.pool.drop_key(key_id)
        return found

    def _chores(self) -> Iterator[Coroutine[None, None, None]]:
        yield _again_and_again(self._look, self.settings.rescan)
        if directories := self.repository.directories:
            yield _again_and_again(lambda: self._watch(directories), self.settings.rescan)
        if self.settings.key_days:
            yield _again_and_again(self._sweep, _SWEEP_SECONDS)

    async def _look(self) -> None:
        """Hold tokens and models against their files."""
        self.gate.reload()
        await self.repository.refresh()

    async def _watch(self, directories: list[Path]) -> None:
        """Look as soon as something changes in a model directory."""
        async for _ in awatch(*directories, stop_event=self._stopping):
            await self._look()

    async def _sweep(self) -> None:
        """Delete expired keys."""
        with contextlib.suppress(RefusalError):
            if count := await self.keys.sweep():
                log.info("expired keys deleted", extra={"event": "keys_expired", "count": count})


async def _again_and_again(chore: Callable[[], Awaitable[None]], pause: float) -> None:
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
        zeros_ahead=settings.zeros_ahead,
        zero_memory=settings.zero_memory * MIB,
        timeout=settings.evaluation_timeout,
        queue=settings.queue,
        queue_timeout=settings.queue_timeout,
    )
