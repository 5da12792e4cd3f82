"""What a caller may still ask for: its token's limits, or the service's own, held against what it used."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

from .access import Caller
from .ledger import Ledger
from .limits import Meter, Rate
from .refusals import RefusalError, too_large
from .usage import Usage

_REFUSED_BODY = ("malformed", "too_large")


class Allowance:
    """Charges predictions to tenants.

    Parameters
    ----------
    rate, quota
        Limits of tenants whose tokens state none.
    ledger
        Keeps what was used.
    """

    def __init__(self, rate: Rate | None, quota: Rate | None, ledger: Ledger | None = None) -> None:
        self._meter = Meter()
        self.usage = Usage(self._meter, ledger)
        self._rate = rate
        self._quota = quota

    def check(self, caller: Caller) -> None:
        """Raise :class:`RefusalError` 429 if the tenant could not ask for a single prediction now."""
        _refuse_over_limit(self._meter.wait(caller.tenant, self._limits(caller), 1), 1)

    def charge(self, caller: Caller, cost: int) -> None:
        """Take ``cost`` predictions from every limit. Raises :class:`RefusalError` 413 or 429, taking nothing."""
        _refuse_over_limit(self._take(caller, cost), cost)

    @contextlib.contextmanager
    def counting_refusals(self, caller: Caller) -> Iterator[None]:
        """Take one prediction for a body that is refused inside, as far as there is one left: reading it was work."""
        try:
            yield
        except RefusalError as error:
            if error.code in _REFUSED_BODY:
                self._take(caller, 1)
            raise

    def _take(self, caller: Caller, cost: int) -> float:
        """Charge every limit and have that kept, or nothing; gives the seconds to wait."""
        limits = self._limits(caller)
        wait = self._meter.charge(caller.tenant, limits, cost)
        if not wait:
            self.usage.note(caller.tenant, limits, cost)
        return wait

    def _limits(self, caller: Caller) -> tuple[Rate, ...]:
        return tuple(limit for limit in (caller.rate or self._rate, caller.quota or self._quota) if limit)


def _refuse_over_limit(wait: float, cost: int) -> None:
    if math.isinf(wait):
        raise too_large(f"this request counts as {cost} predictions, more than your limit ever allows: send fewer.")
    if wait > 0:
        raise RefusalError(429, "over_limit", "your limit of predictions is used up for now.", retry_after=wait)
