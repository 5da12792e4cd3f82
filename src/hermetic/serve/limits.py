"""How much a tenant may ask for, and how long a request body may be."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..signature import Signature

MAX_ANSWER_BYTES = 128 << 20
"""The most that one answer may take, where a request could be split."""

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(rf"([1-9][0-9]{{0,11}})/({'|'.join(_PERIODS)})")


@dataclass(frozen=True)
class Rate:
    """``amount`` predictions in ``seconds``."""

    amount: int
    seconds: int

    @staticmethod
    def parse(text: str) -> Rate:
        """Read ``600/minute``. Raises ValueError for anything else."""
        match = _RATE.fullmatch(text.strip())
        if not match:
            raise ValueError(f"must be a number a period, such as 600/minute ({', '.join(_PERIODS)}). Got {text!r}")
        return Rate(int(match[1]), _PERIODS[match[2]])

    def __str__(self) -> str:
        period = next(name for name, seconds in _PERIODS.items() if seconds == self.seconds)
        return f"{self.amount}/{period}"


class Meter:
    """What every tenant used of its limits: one bucket a tenant and limit, which refills evenly over the period.

    A tenant may spend a whole period's amount at once and then waits for it to come back, so that within any period it
    gets at most twice the amount. The buckets are in memory; :mod:`.usage` keeps what they lack.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_until: dict[tuple[str, Rate], float] = {}

    def wait(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> float:
        """Seconds until ``cost`` predictions fit into every limit: 0 for now, infinity for never."""
        return max([0.0, *(self._wait(tenant, rate, cost) for rate in limits)])

    def charge(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> float:
        """Take ``cost`` predictions from every limit if they fit; gives the seconds to wait otherwise."""
        wait = self.wait(tenant, limits, cost)
        if not wait:
            now = self._clock()
            for rate in limits:
                start = max(self._empty_until.get((tenant, rate), now), now)
                self._empty_until[tenant, rate] = start + cost * rate.seconds / rate.amount
        return wait

    def raise_to(self, tenant: str, rate: Rate, seconds: float) -> None:
        """Note that a limit will be unused again in so many seconds at the earliest: others charged it as well."""
        known = self._empty_until.get((tenant, rate), -math.inf)
        self._empty_until[tenant, rate] = max(known, self._clock() + seconds)

    def _wait(self, tenant: str, rate: Rate, cost: int) -> float:
        if cost > rate.amount:
            return math.inf
        now = self._clock()
        filled_at = max(self._empty_until.get((tenant, rate), now), now) + cost * rate.seconds / rate.amount
        return filled_at - rate.seconds - now


@dataclass(frozen=True)
class BodySizes:
    """The exact sizes that query envelopes of a model can have.

    ``units`` holds, for each kind of chunk, its bytes and how many of them a request may have.
    """

    fixed: int
    units: tuple[tuple[int, int], ...]

    @staticmethod
    def of(signature: Signature, max_samples: int) -> BodySizes:
        """The sizes for requests of at most ``max_samples`` predictions.

        No request may cost more, by the planner's estimate, than ``max_samples`` samples in the way that is best for
        them: thousands of samples one ciphertext each are refused; and none may have an answer of more than
        :data:`MAX_ANSWER_BYTES`. One chunk of every kind passes always.
        """
        circuit, units = signature.circuit, []
        budget = circuit.cost(max_samples).estimated_ms
        for chunk in circuit.chunks:
            affordable = int(min(budget // chunk.estimated_ms, MAX_ANSWER_BYTES // chunk.result_bytes))
            units.append((chunk.query_bytes, max(1, min(max_samples // chunk.samples, affordable))))
        return BodySizes(circuit.fixed_bytes, tuple(units))

    @property
    def largest(self) -> int:
        """Bytes of the largest query."""
        return self.fixed + max(unit * count for unit, count in self.units)

    def allow(self, size: int) -> bool:
        """Whether some query has exactly this size."""
        return any(chunks <= count for chunks, count in self._chunks(size))

    def too_many(self, size: int) -> bool:
        """Whether only queries of more than is allowed have this size."""
        return size > self.largest or (not self.allow(size) and any(self._chunks(size)))

    def _chunks(self, size: int) -> Iterator[tuple[int, int]]:
        """How many chunks of each kind a query of this size has, where it is a whole number, and may have."""
        body = size - self.fixed
        return ((body // unit, count) for unit, count in self.units if body > 0 and body % unit == 0)


class MemoryBudget:
    """Bytes of request bodies held at once: at most ``limit``, half of it of one tenant."""

    def __init__(self, limit: int) -> None:
        self.largest = limit // 2
        self._limit = limit
        self._used: Counter[str] = Counter()

    @property
    def used(self) -> int:
        return self._used.total()

    def take(self, tenant: str, size: int) -> bool:
        """Reserve ``size`` bytes; False if they do not fit now."""
        fits = self.used + size <= self._limit and self._used[tenant] + size <= self.largest
        if fits:
            self._used[tenant] += size
        return fits

    def give_back(self, tenant: str, size: int) -> None:
        self._used[tenant] -= size
