"""Keeps what tenants used of their limits where restarts find it and other services see it: in a :mod:`.ledger`.

Each service counts for itself between two exchanges. Then it adds what it charged to what the ledger holds, and takes
over what others charged. So several services allow a tenant what one would, and for each further service at most what
the tenant can ask of it in the time between two exchanges, once: whatever it took is charged, and has to come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .ledger import Ledger, Levels
from .limits import Meter, Rate
from .logs import log


class Usage:
    """Exchanges the charges of a meter with a ledger.

    Parameters
    ----------
    meter
        What this service goes by.
    ledger
        None for a service that keeps its usage to itself.
    clock
        Seconds since 1970, the same for all services.
    """

    def __init__(self, meter: Meter, ledger: Ledger | None, clock: Callable[[], float] = time.time) -> None:
        self._meter = meter
        self._ledger = ledger
        self._clock = clock
        self._charged: dict[tuple[str, Rate], float] = {}

    def note(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> None:
        """``cost`` predictions were charged to every limit."""
        if self._ledger is not None:
            for rate in limits:
                self._add(tenant, rate, cost * rate.seconds / rate.amount)

    def _add(self, tenant: str, rate: Rate, seconds: float) -> None:
        self._charged[tenant, rate] = self._charged.get((tenant, rate), 0.0) + seconds

    async def exchange(self) -> None:
        """Add what was charged since the last time, and take over what others charged. A failure is logged."""
        if self._ledger is None:
            return
        charged, self._charged = self._charged, {}

        def add(levels: Levels) -> Levels:
            now = self._clock()
            for key, seconds in charged.items():
                levels[key] = max(levels.get(key, now), now) + seconds
            return {key: until for key, until in levels.items() if until > now} if charged else levels

        try:
            levels = await asyncio.to_thread(self._ledger.update, add)
        except OSError as error:
            for (tenant, rate), seconds in charged.items():
                self._add(tenant, rate, seconds)
            log.error("usage not exchanged", extra={"event": "usage_failed", "reason": str(error)})
            return
        for (tenant, rate), until in levels.items():
            self._meter.raise_to(tenant, rate, until - self._clock())
