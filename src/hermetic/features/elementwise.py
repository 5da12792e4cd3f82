"""Functions of single inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .block import BlockDefaults, real_numbers, whole_number
from .columns import MAX_WIDTH

INCREASING: dict[str, tuple[np.ufunc, float]] = {
    "arcsinh": (np.arcsinh, -np.inf),
    "cbrt": (np.cbrt, -np.inf),
    "exp": (np.exp, -np.inf),
    "expm1": (np.expm1, -np.inf),
    "log": (np.log, 0.0),
    "log10": (np.log10, 0.0),
    "log1p": (np.log1p, -1.0),
    "log2": (np.log2, 0.0),
    "sign": (np.sign, -np.inf),
    "sqrt": (np.sqrt, 0.0),
    "tanh": (np.tanh, -np.inf),
}
"""NumPy's increasing functions, and from where on they are real."""

EVEN: dict[str, Callable[[Reals], Reals]] = {"absolute": np.absolute, "square": np.square}
"""Functions of the absolute value."""

FUNCTIONS = tuple(sorted(INCREASING.keys() | EVEN.keys()))


@dataclass(frozen=True)
class Elementwise(BlockDefaults):
    """A function of NumPy of every input. Public: its name.

    Parameters
    ----------
    inputs
        How many.
    function
        A name in :data:`INCREASING` or :data:`EVEN`.

    Raises
    ------
    ParameterError
        For another name.
    """

    inputs: int
    function: str
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "elementwise"

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, MAX_WIDTH, "inputs")
        if self.function not in FUNCTIONS:
            raise ParameterError(f"function must be one of {', '.join(FUNCTIONS)}. Got {self.function!r} instead.")

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def whole(self) -> bool:
        return self.function == "sign"

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        if self.function in EVEN:
            ends = np.abs(lower), np.abs(upper)
            least = np.where((lower <= 0) & (upper >= 0), 0.0, np.minimum(*ends))
            return EVEN[self.function](least), EVEN[self.function](np.maximum(*ends))
        function, _ = INCREASING[self.function]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            low, high = function(lower), function(upper)
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), -np.inf, high)

    def apply(self, values: Reals) -> Reals:
        """Raises :class:`InputError` where the function is not a real number."""
        if self.function in EVEN:
            return EVEN[self.function](values)
        function, _ = INCREASING[self.function]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.asarray(function(values))
        if not np.isfinite(found).all():
            row, column = np.argwhere(~np.isfinite(found))[0]
            raise InputError(
                f"inputs of {self.function} must be where it is finite. Got {values[row, column]:g} (sample {row}) "
                "instead."
            )
        return found

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs, "function": self.function}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Elementwise:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"], document["function"])


@dataclass(frozen=True, eq=False)
class Clip(BlockDefaults):
    """The nearest value in a range of every input.

    Parameters
    ----------
    low, high
        The ranges (inputs,). Public.

    Raises
    ------
    ParameterError
        For ranges that are not finite, or empty.
    """

    low: Reals
    high: Reals
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "clip"
    whole: ClassVar[bool] = False

    def __init__(self, low: npt.ArrayLike, high: npt.ArrayLike) -> None:
        rows = [np.array(one, dtype=np.float64).reshape(-1) for one in (low, high)]
        whole_number(len(rows[0]), 1, MAX_WIDTH, "the number of inputs")
        if len(rows[0]) != len(rows[1]) or not np.isfinite(rows).all() or (rows[0] > rows[1]).any():
            raise ParameterError("low and high must be finite, of every input, and low not above high.")
        object.__setattr__(self, "low", rows[0])
        object.__setattr__(self, "high", rows[1])

    @property
    def inputs(self) -> int:
        return len(self.low)

    @property
    def outputs(self) -> int:
        return len(self.low)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return self.apply(lower), self.apply(upper)

    def apply(self, values: Reals) -> Reals:
        return np.clip(values, self.low.astype(values.dtype), self.high.astype(values.dtype))

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Clip:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(*(real_numbers(document[name], MAX_WIDTH, name) for name in ("low", "high")))
