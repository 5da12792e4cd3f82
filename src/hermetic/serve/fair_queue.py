"""Who waits for an evaluation process: in order within a tenant, and tenants take turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass

from .worker import Worker


@dataclass(frozen=True, eq=False)
class Place:
    """A request that waits for a process."""

    tenant: str
    key_id: str
    worker: asyncio.Future[Worker]


class FairQueue:
    """Who waits."""

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
