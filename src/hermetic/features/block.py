"""What every kind of features has, and how its parameters are read from JSON."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]

LARGEST = 1.7976931348623157e308
"""The largest finite number of float64."""

EPSILON = 2.0**-52
"""The distance from 1 to the next number of float64."""


class Block(Protocol):
    """Some features of the inputs (n, inputs): real numbers (n, outputs) in a range that is known.

    :class:`BlockDefaults` has what most kinds say of missing and used inputs and of steps.
    """

    kind: ClassVar[str]

    @property
    def elementwise(self) -> bool:
        """Whether every feature is of the input in its place alone."""

    @property
    def inputs(self) -> int:
        """Values of one sample."""

    @property
    def outputs(self) -> int:
        """Features of one sample."""

    @property
    def whole(self) -> bool:
        """Whether every feature is a whole number."""

    @property
    def missing(self) -> Flags:
        """Which inputs may be NaN (inputs,): the block gives it a meaning."""

    @property
    def used(self) -> Flags:
        """Which inputs any feature depends on (inputs,)."""

    def missing_before(self, missing: Flags) -> Flags:
        """Which inputs may be NaN (inputs,) where a block that follows gives a meaning to features that are NaN
        (outputs,).
        """

    def steps(self, steps: Reals) -> Reals:
        """The exact step of every feature (outputs,) where inputs are multiples of ``steps`` (inputs,); 0 where values
        are any real numbers.
        """

    @property
    def groups(self) -> Numbers:
        """The group of every feature (outputs,), 0, 0, 1, …: of the features of a group, if they are several, at most
        one is 1 and all others are 0.
        """

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Smallest and largest value of every feature (outputs,), for every input with lower <= x <= upper (inputs,),
        which may be infinite; up to float64 rounding.
        """

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """How far float64 may move every feature (outputs,) between two ways to compute it, for inputs in range, where
        that is more than a few units of the last place.
        """

    def apply(self, values: Reals) -> Reals:
        """Inputs (n, inputs), finite but where ``missing`` -> features (n, outputs)."""

    def document(self) -> dict[str, Any]:
        """The parameters, as JSON."""


class BlockDefaults:
    """Every input must be there, and is used; features have a step where all are whole numbers."""

    elementwise: ClassVar[bool] = False

    @property
    def groups(self: Block) -> Numbers:
        return np.arange(self.outputs)

    @property
    def missing(self: Block) -> Flags:
        return np.zeros(self.inputs, dtype=np.bool_)

    @property
    def used(self: Block) -> Flags:
        return np.ones(self.inputs, dtype=np.bool_)

    def missing_before(self: Block, missing: Flags) -> Flags:
        return self.missing

    def steps(self: Block, steps: Reals) -> Reals:
        return np.full(self.outputs, float(self.whole))

    def rounding(self: Block, lower: Reals, upper: Reals) -> Reals:
        return np.zeros(self.outputs)


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


def real_numbers(value: Any, most: int, name: str) -> Reals:
    """A list of at most ``most`` finite numbers as an array. Raises :class:`ParameterError`."""
    if not isinstance(value, list) or len(value) > most:
        raise ParameterError(f"{name} must be a list of at most {most} numbers.")
    return np.array([real_number(one, -LARGEST, LARGEST, name) for one in value], dtype=np.float64)
