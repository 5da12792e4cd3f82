"""Powers that make inputs more like a normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .block import EPSILON, BlockDefaults, real_numbers, whole_number
from .columns import MAX_WIDTH

MAX_EXPONENT = 1e3
METHODS = ("box-cox", "yeo-johnson")


@dataclass(frozen=True, eq=False)
class Power(BlockDefaults):
    """A power of every input, with an exponent of its own. Public: the exponents.

    ``box-cox`` (G. Box, D. Cox: *An analysis of transformations*, 1964) takes positive inputs: (x^e - 1)/e, or log x
    where e = 0. ``yeo-johnson`` (I. Yeo, R. Johnson: *A new family of power transformations*, 2000) is that of x + 1
    where x >= 0, and minus that of 1 - x with the exponent 2 - e below.

    Parameters
    ----------
    exponents
        (inputs,).
    method
        A name in :data:`METHODS`.

    Raises
    ------
    ParameterError
        For another method, or exponents beyond ±1000.
    """

    exponents: Reals
    method: str
    kind: ClassVar[str] = "power"
    whole: ClassVar[bool] = False

    def __init__(self, exponents: npt.ArrayLike, method: str) -> None:
        row = np.array(exponents, dtype=np.float64).reshape(-1)
        whole_number(len(row), 1, MAX_WIDTH, "the number of inputs")
        if not (np.abs(row) <= MAX_EXPONENT).all():
            raise ParameterError(f"exponents must be between {-MAX_EXPONENT:g} and {MAX_EXPONENT:g}.")
        if method not in METHODS:
            raise ParameterError(f"method must be one of {', '.join(METHODS)}. Got {method!r} instead.")
        object.__setattr__(self, "exponents", row)
        object.__setattr__(self, "method", method)

    @property
    def inputs(self) -> int:
        return len(self.exponents)

    @property
    def outputs(self) -> int:
        return len(self.exponents)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        low, high = self._raised(np.vstack([lower, upper]))
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), -np.inf, high)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """An exponential rounds by the size of its argument, and what is left of 1 by that of 1/e."""
        ends = np.vstack([lower, upper])
        largest, exponents = np.abs(self._raised(ends)).max(axis=0), np.abs(self.exponents) + 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.abs(np.log(ends) if self.method == "box-cox" else np.log1p(np.abs(ends))).max(axis=0)
        return np.asarray(8 * EPSILON * (1 + exponents * logarithm) * (1 + largest * exponents))

    def apply(self, values: Reals) -> Reals:
        """Raises :class:`InputError` where a power is not a real number."""
        found = self._raised(values)
        if not np.isfinite(found).all():
            row, column = np.argwhere(~np.isfinite(found))[0]
            raise InputError(
                f"inputs of {self.method} must be where it is finite{', above 0' if self.method == 'box-cox' else ''}. "
                f"Got {values[row, column]:g} (sample {row}) instead."
            )
        return found

    def _raised(self, values: Reals) -> Reals:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.method == "box-cox":
                return np.where(values > 0, _power(np.log(values), self.exponents), np.nan)
            above = _power(np.log1p(np.maximum(values, 0.0)), self.exponents)
            below = -_power(np.log1p(-np.minimum(values, 0.0)), 2.0 - self.exponents)
            return np.where(values >= 0, above, below)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "exponents": self.exponents.tolist(), "method": self.method}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Power:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(real_numbers(document["exponents"], MAX_WIDTH, "exponents"), document["method"])


def _power(logarithms: Reals, exponents: Reals) -> Reals:
    """(x^e - 1)/e from log x; log x itself where e is as good as 0."""
    nothing = np.abs(exponents) < EPSILON
    return np.where(nothing, logarithms, np.expm1(exponents * logarithms) / np.where(nothing, 1.0, exponents))
