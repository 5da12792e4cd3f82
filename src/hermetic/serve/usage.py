"""Keeps what tenants used of their limits where restarts find it and other services see it: in a :mod:`.ledger`.

Each service counts for itself between two exchanges. Then it adds what it charged to what the ledger holds, and takes
over what others charged. So several services allow a tenant what one would, and for each further service at most what
the tenant can ask of it in the time between two exchanges, once: whatever it took is charged, and has to come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from .ledger import Ledger, Levels
from .limits import Limit, Meter, Moment, Rate
from .logs import log


@dataclass(frozen=True)
class Charges:
    """What charges to one limit, one after the other, make of a moment at which it would have been unused again.

    Attributes
    ----------
    total
        How long it takes until they all have come back.
    until
        When a limit that had been unused before the first of them is unused again.
    """

    total: Moment
    until: Moment

    def after(self, earlier: Charges) -> Charges:
        """Those and then these."""
        return Charges(earlier.total + self.total, self.to(earlier.until))

    def to(self, level: Moment) -> Moment:
        """When the limit is unused again, if that was to be at ``level`` without them."""
        return max(level + self.total, self.until)


class Usage:
    """Exchanges the charges of a meter with a ledger.

    Parameters
    ----------
    meter
        What this service goes by.
    ledger
        None for a service that keeps its usage to itself.
    clock
        Nanoseconds since 1970, the same for all services.
    """

    def __init__(self, meter: Meter, ledger: Ledger | None, clock: Callable[[], int] = time.time_ns) -> None:
        self._meter = meter
        self._ledger = ledger
        self._clock = clock
        self._charged: dict[Limit, Charges] = {}
        self._exchanging = asyncio.Lock()

    def note(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> None:
        """``cost`` predictions were charged to every limit now."""
        if self._ledger is not None:
            now = self._clock()
            for rate in set(limits):
                total = rate.cost(cost)
                self._add((tenant, rate), Charges(total, rate.at(now) + total))

    async def exchange(self) -> None:
        """Add what was charged since the last time, and take over what others charged. A failure is logged.

        Whoever is cancelled meanwhile leaves it to end, and the next exchange waits for that: no charge is lost.
        """
        if self._ledger is not None:
            await asyncio.shield(self._exchange(self._ledger))

    async def _exchange(self, ledger: Ledger) -> None:
        async with self._exchanging:
            charged, self._charged = self._charged, {}
            try:
                levels = await asyncio.to_thread(ledger.update, lambda levels: self._after(levels, charged))
            except OSError as error:
                later, self._charged = self._charged, charged
                for limit, charges in later.items():
                    self._add(limit, charges)
                log.error("usage not exchanged", extra={"event": "usage_failed", "reason": str(error)})
                return
        now = self._clock()
        for (tenant, rate), until in levels.items():
            self._meter.raise_to(tenant, rate, until - rate.at(now))

    def _add(self, limit: Limit, charges: Charges) -> None:
        earlier = self._charged.get(limit)
        self._charged[limit] = charges.after(earlier) if earlier else charges

    def _after(self, levels: Levels, charged: dict[Limit, Charges]) -> Levels:
        """The levels with the charges; those that are in the past by now go, if there is something to write at all."""
        if not charged:
            return levels
        now = self._clock()
        levels |= {limit: charges.to(levels.get(limit, 0)) for limit, charges in charged.items()}
        return {limit: until for limit, until in levels.items() if until > limit[1].at(now)}
