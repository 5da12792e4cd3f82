"""Public affine maps: what scales, projects or sums inputs where non-linear features follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import BlockDefaults, Flags, real_numbers

MAX_ENTRIES = 1 << 22


@dataclass(frozen=True, eq=False)
class Scale(BlockDefaults):
    """(x - centre) / divisor * factor + shift, value by value and rounded in this order, as scalers compute it.

    Parameters
    ----------
    centre, divisor, factor, shift
        Numbers of every input (inputs,). Public.

    Raises
    ------
    ParameterError
        For other shapes, values that are not finite, or a divisor of 0.
    """

    centre: Reals
    divisor: Reals
    factor: Reals
    shift: Reals
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "scale"
    whole: ClassVar[bool] = False

    def __init__(
        self,
        inputs: int,
        *,
        centre: npt.ArrayLike = 0.0,
        divisor: npt.ArrayLike = 1.0,
        factor: npt.ArrayLike = 1.0,
        shift: npt.ArrayLike = 0.0,
    ) -> None:
        for name, value in (("centre", centre), ("divisor", divisor), ("factor", factor), ("shift", shift)):
            object.__setattr__(self, name, _finite(np.broadcast_to(np.array(value, np.float64), (inputs,)), name))
        if not inputs or (self.divisor == 0).any():
            raise ParameterError("a scale must have inputs, and no divisor of 0.")

    @property
    def inputs(self) -> int:
        return len(self.factor)

    @property
    def outputs(self) -> int:
        return len(self.factor)

    def missing_before(self, missing: Flags) -> Flags:
        return missing

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        first, second = self._at(lower), self._at(upper)
        return np.minimum(first, second), np.maximum(first, second)

    def _at(self, values: Reals) -> Reals:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(self.factor == 0, self.shift, self.apply(values)), dtype=values.dtype)

    def apply(self, values: Reals) -> Reals:
        found, dtype = values, values.dtype
        steps = (np.subtract, self.centre), (np.divide, self.divisor), (np.multiply, self.factor), (np.add, self.shift)
        for operation, numbers in steps:
            found = operation(found, numbers).astype(dtype, copy=False)
        return found

    def document(self) -> dict[str, Any]:
        names = ("centre", "divisor", "factor", "shift")
        return {"kind": self.kind, **{name: getattr(self, name).tolist() for name in names}}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Scale:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        names = ("centre", "divisor", "factor", "shift")
        rows = {name: real_numbers(document[name], MAX_ENTRIES, name) for name in names}
        if len({len(row) for row in rows.values()}) != 1:
            raise ParameterError("centre, divisor, factor and shift must have a number of every input each.")
        return cls(len(rows["factor"]), **rows)


@dataclass(frozen=True, eq=False)
class Affine(BlockDefaults):
    """weights · x + shift.

    Parameters
    ----------
    weights, shift
        (outputs, inputs), at most 2^22 numbers, and (outputs,). Public.

    Raises
    ------
    ParameterError
        For other shapes, or values that are not finite.
    """

    weights: Reals
    shift: Reals
    kind: ClassVar[str] = "affine"
    whole: ClassVar[bool] = False

    def __init__(self, weights: npt.ArrayLike, shift: npt.ArrayLike) -> None:
        matrix, row = np.array(weights, dtype=np.float64), np.array(shift, dtype=np.float64)
        if matrix.ndim != 2 or not 1 <= matrix.size <= MAX_ENTRIES or row.shape != matrix.shape[:1]:
            raise ParameterError(
                f"an affine map must have weights (outputs, inputs), at most {MAX_ENTRIES} numbers, and a shift "
                f"(outputs,). Got shapes {matrix.shape} and {row.shape} instead."
            )
        object.__setattr__(self, "weights", _finite(matrix, "weights"))
        object.__setattr__(self, "shift", _finite(row, "shift"))

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.weights.shape[0])

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        zero = self.weights == 0
        with np.errstate(invalid="ignore"):
            first, second = (np.where(zero, 0.0, self.weights * one) for one in (lower, upper))
            low, high = np.minimum(first, second).sum(axis=1), np.maximum(first, second).sum(axis=1)
        return low + self.shift, high + self.shift

    def apply(self, values: Reals) -> Reals:
        return np.asarray(values @ self.weights.T + self.shift)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "weights": self.weights.tolist(), "shift": self.shift.tolist()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Affine:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        rows, shift = document["weights"], real_numbers(document["shift"], MAX_ENTRIES, "shift")
        lists = isinstance(rows, list) and bool(rows) and all(isinstance(one, list) for one in rows)
        if not lists or len({len(one) for one in rows}) != 1 or len(rows) * len(rows[0]) > MAX_ENTRIES:
            raise ParameterError(f"weights must be rows of the same length, {MAX_ENTRIES} numbers at most.")
        return cls([real_numbers(one, MAX_ENTRIES, "weights") for one in rows], shift)


def _finite(values: Reals, name: str) -> Reals:
    if not np.isfinite(values).all():
        raise ParameterError(f"{name} of a public affine map must be finite. Got NaN or infinity.")
    return values
