"""Any number of samples as batches of a sensible size, cut only when they are due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..real_values import with_shape
from ..signature import Signature

_REQUEST_MS = 5.0
_LARGEST_POWER = 16
_MAX_QUERY_BYTES = 32 << 20
_GOOD_ENOUGH = 1.1


def best_batch_size(signature: Signature, max_samples: int | None = None, max_bytes: int | None = None) -> int:
    """The least batch, a power of two, that costs at most 10 % more a sample than the cheapest one.

    Costs are the circuit's estimates, and a fixed time for every request.

    Parameters
    ----------
    signature
        The model's.
    max_samples, max_bytes
        What the service takes at once. Queries of more than 32 MiB are never made: they would only take memory.
    """
    most_bytes = min(max_bytes or _MAX_QUERY_BYTES, _MAX_QUERY_BYTES)
    sizes = [1 << power for power in range(_LARGEST_POWER + 1) if max_samples is None or 1 << power <= max_samples]
    fitting = [size for size in sizes if signature.circuit.query_bytes(size) <= most_bytes] or [1]
    costs = {size: (_REQUEST_MS + signature.circuit.cost(size).estimated_ms) / size for size in fitting}
    return next(size for size in fitting if costs[size] <= _GOOD_ENOUGH * min(costs.values()))


class Batches:
    """Samples cut into batches.

    Parameters
    ----------
    X
        (d,) or (n, d): an array (memory-mapped ones stay on disk), a DataFrame, a sparse matrix or a list.
    size
        Samples in a batch.

    Raises
    ------
    InputError
        If X is a list of rows of unequal length.
    """

    def __init__(self, X: Any, size: int) -> None:
        self._rows = X.tocsr() if hasattr(X, "tocsr") else with_shape(X)
        self._size = size
        shape = tuple(self._rows.shape)
        self.samples = int(shape[0]) if len(shape) == 2 else 1
        """n; 1 for one sample of shape (d,)."""

    def __len__(self) -> int:
        return max(1, -(-self.samples // self._size))

    @property
    def largest(self) -> int:
        """Samples in the largest batch."""
        return min(self.samples, self._size)

    def done(self, answered: int) -> int:
        """Samples in the first ``answered`` batches."""
        return min(self.samples, answered * self._size)

    def __iter__(self) -> Iterator[Any]:
        if len(self) == 1:
            yield self._rows
            return
        rows = getattr(self._rows, "iloc", self._rows)
        for start in range(0, self.samples, self._size):
            yield rows[start : start + self._size]

    def numbered(self) -> Iterator[tuple[int, Any]]:
        """(number of its first sample, batch) for every batch."""
        return zip(range(0, max(1, self.samples), self._size), self, strict=True)
