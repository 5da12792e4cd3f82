"""Public keys in the front process's memory."""

from __future__ import annotations

import time
from collections import OrderedDict

from .keystore import AsyncKeyStore


class KeyCache:
    """The keys used last, within ``memory`` bytes.

    A key that was not looked up in the store for ``recheck`` seconds is looked up again, so that a deletion or an
    expiry elsewhere takes effect here.
    """

    def __init__(self, keys: AsyncKeyStore, memory: int, recheck: float) -> None:
        self._keys = keys
        self._memory = memory
        self._recheck = recheck
        self._used = 0
        self._held: OrderedDict[tuple[str, str], tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    async def get(self, tenant: str, key_id: str) -> bytes | None:
        """A key's bytes, or ``None`` if the tenant has no such key."""
        place = (tenant, key_id)
        if place in self._held:
            data, checked = self._held[place]
            if time.monotonic() - checked < self._recheck:
                self._held.move_to_end(place)
                return data
            self.forget(*place)
        data_or_none = await self._keys.read(*place)
        if data_or_none is not None:
            self._keep(place, data_or_none)
        return data_or_none

    def forget(self, tenant: str, key_id: str) -> None:
        """Drop a key that was deleted."""
        if held := self._held.pop((tenant, key_id), None):
            self._used -= len(held[0])

    def _keep(self, place: tuple[str, str], data: bytes) -> None:
        self.forget(*place)
        self._held[place] = (data, time.monotonic())
        self._used += len(data)
        while self._used > self._memory and len(self._held) > 1:
            _, (dropped, _) = self._held.popitem(last=False)
            self._used -= len(dropped)
