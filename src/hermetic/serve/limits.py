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

NANOSECONDS = 10**9
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

    def at(self, nanoseconds: int) -> Moment:
        """The moment at which a clock shows this."""
        return nanoseconds * self.amount

    def cost(self, predictions: int) -> Moment:
        """How long it takes until so many predictions have come back."""
        return predictions * self.seconds * NANOSECONDS


Limit = tuple[str, Rate]
"""One limit of one tenant."""

Moment = int
"""A time. For a rate of n predictions a period it is counted in n-th parts of a nanosecond, so that one prediction is a
whole number of them, the period in nanoseconds: nothing is ever rounded, and an unused limit is unused.
"""


class Meter:
    """What every tenant used of its limits: one bucket a tenant and limit, which refills evenly over the period.

    A tenant may spend a whole period's amount at once and then waits for it to come back, so that within any period it
    gets at most twice the amount. The buckets are in memory; :mod:`.usage` keeps what they lack.

    Parameters
    ----------
    clock
        Nanoseconds; it never goes back.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._empty_until: dict[Limit, Moment] = {}

    def wait(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> float:
        """Seconds until ``cost`` predictions fit into every limit: 0 for now, infinity for never."""
        return self._wait(self._clock(), tenant, limits, cost)

    def charge(self, tenant: str, limits: tuple[Rate, ...], cost: int) -> float:
        """Take ``cost`` predictions from every limit if they fit; gives the seconds to wait otherwise.

        A limit that is given twice is one.
        """
        now = self._clock()
        wait = self._wait(now, tenant, limits, cost)
        if not wait:
            for rate in set(limits):
                self._empty_until[tenant, rate] = self._filled_after(now, tenant, rate, cost)
        return wait

    def raise_to(self, tenant: str, rate: Rate, later: Moment) -> None:
        """Note that a limit will be unused again so much later than now, or still later: others charged it as well."""
        known = self._empty_until.get((tenant, rate), 0)
        self._empty_until[tenant, rate] = max(known, rate.at(self._clock()) + later)

    def _wait(self, now: int, tenant: str, limits: tuple[Rate, ...], cost: int) -> float:
        if any(cost > rate.amount for rate in limits):
            return math.inf
        return max((self._lacking(now, tenant, rate, cost) for rate in limits), default=0) / NANOSECONDS

    def _lacking(self, now: int, tenant: str, rate: Rate, cost: int) -> int:
        """Nanoseconds, rounded up, until one limit has room."""
        parts = self._filled_after(now, tenant, rate, cost) - rate.at(now) - rate.cost(rate.amount)
        return max(0, -(-parts // rate.amount))

    def _filled_after(self, now: int, tenant: str, rate: Rate, cost: int) -> Moment:
        """When the bucket would be full again after it gave ``cost`` predictions now."""
        start = rate.at(now)
        return max(self._empty_until.get((tenant, rate), start), start) + rate.cost(cost)


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
