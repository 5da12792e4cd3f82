"""The sample of inputs that the model's owner passes: checked, and looked at a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import CompileError, InputError
from ..named_inputs import called, in_order
from ..real_values import as_reals, check_reals

_BLOCK = 1 << 20

Test = Callable[[Reals, Any], npt.NDArray[np.bool_]]
"""test(values, features): whether it holds for each value; ``array[features]`` is what a (d,) array has for them."""


class Sample:
    """Finite real inputs (n, d).

    Attributes
    ----------
    low, high
        Smallest and largest value of every feature, (d,).
    bytes
        Whether the values came as unsigned 8-bit integers.
    """

    def __init__(self, X: Any, features: int, feature_names: Sequence[str] | None) -> None:
        """Check a sample: an array (n, d) or (d,), a DataFrame, or a sparse matrix; ``feature_names`` are for messages.

        Raises
        ------
        CompileError
            For another shape, or values that are not finite real numbers.
        """
        self._name = called(feature_names)
        self._matrix = _sparse(X) if hasattr(X, "tocsr") else _dense(X)
        if self._matrix.ndim != 2 or self._matrix.shape[1] != features or not self._matrix.shape[0]:
            raise CompileError(f"X_sample must have shape (n, {features}). Got {self._matrix.shape} instead.")
        self.bytes = self._matrix.dtype == np.uint8
        self.low, self.high = _as_row(self._matrix.min(axis=0)), _as_row(self._matrix.max(axis=0))
        finite = np.isfinite(self.low) & np.isfinite(self.high)
        if not finite.all():
            raise CompileError(
                f"X_sample must be finite. {self.heading(finite.argmin())} holds NaN or infinity: leave such rows out."
            )

    def heading(self, feature: Any) -> str:
        """What messages call a feature, at the start of a sentence."""
        name = self._name(int(feature))
        return name[0].upper() + name[1:]

    def spread(self, features: npt.NDArray[np.bool_]) -> None:
        """Let the range of some features reach from 0 to 1 at least: no answer depends on it, so it need not vary."""
        self.low = np.where(features, np.minimum(self.low, 0), self.low)
        self.high = np.where(features, np.maximum(self.high, 1), self.high)

    def share_range(self) -> None:
        """Let features that never vary have the range of all: a network may have units that no input reaches."""
        same = self.low == self.high
        self.low, self.high = np.where(same, self.low.min(), self.low), np.where(same, self.high.max(), self.high)

    def every(self, test: Test) -> bool:
        """Whether a test holds for every value; the zeros that a sparse matrix does not store are left out."""
        return all(bool(test(values, features).all()) for values, features in self._blocks())

    def rows(self, count: int) -> Reals:
        """Up to ``count`` rows, spread over the sample."""
        n = self._matrix.shape[0]
        chosen = self._matrix[spread_rows(n, count)]
        dense = chosen.toarray() if hasattr(chosen, "toarray") else chosen
        return np.asarray(dense, dtype=np.float64)

    def _blocks(self) -> Iterator[tuple[Reals, Any]]:
        matrix = self._matrix
        if hasattr(matrix, "toarray"):
            for start in range(0, matrix.nnz, _BLOCK):
                stored = slice(start, start + _BLOCK)
                yield matrix.data[stored].astype(np.float64), matrix.indices[stored]
            return
        rows = max(1, _BLOCK // matrix.shape[1])
        for start in range(0, len(matrix), rows):
            yield matrix[start : start + rows].astype(np.float64), slice(None)


def in_model_order(X: Any, names: Sequence[str] | None, what: str) -> Any:
    """Values of the model's owner in the model's order, see :func:`hermetic.named_inputs.in_order`. Raises
    :class:`CompileError`.
    """
    try:
        return in_order(X, names)
    except InputError as error:
        raise CompileError(f"{what} must fit the model: {error}") from error


def column_names(X: Any) -> tuple[str, ...] | None:
    """The names of a table's columns, if all are texts."""
    names = tuple(getattr(X, "columns", ()))
    return names if names and all(isinstance(one, str) for one in names) else None


def _dense(X: Any) -> Any:
    try:
        values = as_reals(X, what="X_sample")
    except InputError as error:
        raise CompileError(str(error)) from error
    return values[None] if values.ndim == 1 else values


def _sparse(X: Any) -> Any:
    matrix = X.tocsr()
    try:
        check_reals(matrix.dtype)
    except TypeError as error:
        raise CompileError(f"X_sample must be real numbers. Got a sparse matrix that is not: {error}.") from None
    if matrix.dtype.kind == "b":
        matrix = matrix.astype(np.int8)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _as_row(extremes: Any) -> Reals:
    dense = extremes.toarray() if hasattr(extremes, "toarray") else extremes
    return np.asarray(dense, dtype=np.float64).reshape(-1)


def spread_rows(n: int, count: int) -> npt.NDArray[np.intp]:
    """Up to ``count`` of n rows, from the first to the last, as far apart as can be."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).astype(np.intp))
