"""How many public keys a tenant may store, whoever else stores keys of the tenant at the same time.

In this process a tenant's uploads go one after the other. Other services may share the store, so after an upload the
store itself is asked: a key that has so many others before it, by the store's own clock, is taken back. Of two uploads
at least the later one sees the other, so there are never too many; at the limit both may be refused.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from .keystore import AsyncKeyStore
from .refusals import RefusalError

_COUNT_SECONDS = 60.0


class KeyQuota:
    """Stores keys, at most ``limit`` a tenant. A count is believed for a minute, so that a full store is not listed for
    every upload that it refuses.
    """

    def __init__(self, keys: AsyncKeyStore, limit: int) -> None:
        self._keys = keys
        self._limit = limit
        self._uploading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._counts: dict[str, tuple[int, float]] = {}

    async def create(self, tenant: str, key_id: str, data: bytes) -> bool:
        """Store a key. True if it is new, False if it was there. Raises :class:`RefusalError` 409 beyond the limit."""
        async with self._uploading[tenant]:
            if not await self._keys.exists(tenant, key_id):
                await self._check_room(tenant)
            created = await self._keys.create(tenant, key_id, data)
            if created:
                await self._check_place(tenant, key_id)
            return created

    def freed(self, tenant: str) -> None:
        """A key of the tenant was deleted."""
        self._counts.pop(tenant, None)

    async def _check_room(self, tenant: str) -> None:
        count, counted = self._counts.get(tenant, (0, -_COUNT_SECONDS))
        if time.monotonic() - counted >= _COUNT_SECONDS:
            count = await self._keys.count(tenant)
            self._counts[tenant] = (count, time.monotonic())
        if count >= self._limit:
            raise self._too_many(count)

    async def _check_place(self, tenant: str, key_id: str) -> None:
        """Take back a key that was stored when others had filled the room. Keys of one moment all count as earlier."""
        stored = {key.key_id: key.modified for key in await self._keys.list(tenant)}
        self._counts[tenant] = (len(stored), time.monotonic())
        if key_id in stored and sum(modified <= stored[key_id] for modified in stored.values()) > self._limit:
            await self._keys.delete(tenant, key_id)
            raise self._too_many(len(stored) - 1)

    def _too_many(self, count: int) -> RefusalError:
        message = f"a tenant may store {self._limit} keys. There are {count}: delete some first."
        return RefusalError(409, "too_many_keys", message)
