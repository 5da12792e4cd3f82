"""What every kind of features has, and how its parameters are read from JSON."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError

Reals = npt.NDArray[np.float64]


class Block(Protocol):
    """Some features of the inputs (n, inputs): real numbers (n, outputs) in a range that is known."""

    kind: ClassVar[str]

    @property
    def inputs(self) -> int:
        """Values of one sample."""

    @property
    def outputs(self) -> int:
        """Features of one sample."""

    @property
    def whole(self) -> bool:
        """Whether every feature is a whole number."""

    def limits(self) -> tuple[float, float]:
        """Smallest and largest value that any feature takes, for any finite input."""

    def apply(self, values: Reals) -> Reals:
        """Finite inputs (n, inputs) -> features (n, outputs)."""

    def document(self) -> dict[str, Any]:
        """The parameters, as JSON."""


def whole_number(value: Any, low: int, high: int, name: str) -> int:
    """Raise :class:`ParameterError` unless the value is a whole number from low to high."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ParameterError(f"{name} must be a whole number from {low} to {high}. Got {value!r} instead.")
    return value


def real_number(value: Any, low: float, high: float, name: str) -> float:
    """Raise :class:`ParameterError` unless the value is a number from low to high."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not low <= value <= high:
        raise ParameterError(f"{name} must be a number from {low:g} to {high:g}. Got {value!r} instead.")
    return float(value)
