"""The service of models: everything it is made of, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path

from starlette.routing import BaseRoute
from watchfiles import awatch

from ..circuits.masking import available_cores
from ..errors import SettingsError
from ..object_stores import shown
from . import brand, browser, openapi, pages, rest, v2
from .base_service import BaseService, Facts, again_and_again, forbidding
from .checks import check_files
from .keycache import KeyCache
from .keyquota import KeyQuota
from .keystore import DIGEST_BYTES, LEGACY_KEY_ID, AsyncKeyStore, is_open, open_keys
from .logs import log
from .queries import QueryHandler
from .refusals import RefusalError
from .repository import Repository
from .settings import MIB, Settings
from .worker import Program

_SWEEP_SECONDS = 3600.0
_INHERITED = ("PATH", "HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "PYTHON", "TMPDIR", "VIRTUAL_ENV")
_DEPTH = 2  # the next query is in the process before the one that it evaluates is answered


class ModelService(BaseService):
    """The parts of a running service of models.

    Raises
    ------
    SettingsError
        If a part cannot be opened as the settings say.
    """

    def __init__(self, settings: Settings) -> None:
        check_files(settings)
        keys = open_keys(settings)
        super().__init__(settings, _program(settings), keys.store)
        self.brand = brand.read_brand(settings.title, settings.logo, settings.descriptions or {})
        self.max_json_body = settings.max_json_body * MIB
        self.keys = AsyncKeyStore(keys)
        self._store_is_open = is_open(keys.store)
        self.quota = KeyQuota(self.keys, settings.max_keys)
        self._cache = KeyCache(self.keys, settings.key_cache * MIB, settings.key_recheck)
        self.checking_legacy_keys = asyncio.Lock()  # it takes some 40 MB: one after the other
        self.repository = Repository(settings.models, self.pool, settings.max_samples)
        self.queries = QueryHandler(self.repository, self._cache, self.pool, self.allowance, self.metrics)
        for name, text, read in (
            ("models", "Model versions that are served.", lambda: len(self.repository.models)),
            ("broken_models", "Model files that could not be loaded.", lambda: len(self.repository.broken)),
            ("cached_keys", "Public keys in the front process's memory.", lambda: len(self._cache)),
        ):
            self.metrics.gauge(name, text, read)

    @property
    def ready(self) -> bool:
        """Whether queries would be answered now."""
        return super().ready and bool(self.repository.models)

    def routes(self) -> list[BaseRoute]:
        modules = (v2, rest, browser, brand, pages, openapi)
        return [route for module in modules for route in module.routes()]

    async def load(self) -> None:
        """Load every model. Raises :class:`SettingsError` if there are some, and none can be served."""
        await self.repository.refresh()
        if not self.repository.models and self.repository.broken:
            raise SettingsError(f"a model that can be served must be named. Got {_reasons(self.repository.broken)}")

    def facts(self) -> Facts:
        models = [f"{model.name}/{model.version}" for model in self.repository.models]
        return {**super().facts(), "models": models, "store": shown(self.settings.store)}

    def check(self) -> None:
        """Raise :class:`SettingsError` if a model file would not be served."""
        if broken := self.repository.broken:
            raise SettingsError(f"every model must be servable. {_reasons(broken)}")

    def warnings(self) -> Iterator[tuple[str, str]]:
        yield from super().warnings()
        if not self.repository.models:
            places = ", ".join(map(str, self.settings.models))
            yield "no_models", f"no models: put some into {places} as NAME/VERSION/model.hermetic"
        if self._store_is_open:
            yield "open_store", f"the store {self.settings.store} can be written by everybody: chmod o-w it"

    async def forget_key(self, tenant: str, key_id: str) -> bool:
        """Delete a public key everywhere; False if there is none."""
        held = key_id
        if LEGACY_KEY_ID.fullmatch(key_id) and (stored := await self._cache.get(tenant, key_id)):
            held = stored[:DIGEST_BYTES].hex()
        found = await self.keys.delete(tenant, key_id)
        self._cache.forget(tenant, key_id)
        self.quota.freed(tenant)
        await self.pool.drop_key(held)
        return found

    def chores(self) -> Iterator[Coroutine[None, None, None]]:
        yield from super().chores()
        if directories := self.repository.directories:
            yield again_and_again(lambda: self._watch(directories), self.settings.rescan)
        if self.settings.key_days:
            yield again_and_again(self._sweep, _SWEEP_SECONDS)

    async def look(self) -> None:
        """Hold tokens and models against their files."""
        await super().look()
        await self.repository.refresh()

    async def _watch(self, directories: list[Path]) -> None:
        """Look as soon as something changes in a model directory."""
        async for _ in awatch(*directories, stop_event=self._stopping):
            await self.look()

    async def _sweep(self) -> None:
        """Delete expired keys."""
        with contextlib.suppress(RefusalError):
            if count := await self.keys.sweep():
                log.info("expired keys deleted", extra={"event": "keys_expired", "count": count})


def _reasons(broken: dict[str, str]) -> str:
    return "; ".join(f"{file}: {reason}" for file, reason in broken.items())


def _program(settings: Settings) -> Program:
    """The evaluator, with what it needs of our environment and its share of the cores: no credentials of stores."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}
    return Program(
        module=f"{__package__}.evaluator",
        options={"threads": max(1, available_cores() // settings.workers)},
        environment={**kept, **forbidding(settings), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        depth=_DEPTH,
    )
