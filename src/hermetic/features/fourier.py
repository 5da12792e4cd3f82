"""Random Fourier features, which learn nothing from data but, perhaps, their scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .block import EPSILON, LARGEST, BlockDefaults, real_number, real_numbers, whole_number
from .matrices import matrix, matrix_from

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Fourier(BlockDefaults):
    """sqrt(2/outputs) · cos(x · weights + offset): a linear map of them is nearly any smooth function, where weights
    are random (Rahimi & Recht, NIPS 2007).

    Parameters
    ----------
    weights, offset
        (inputs, outputs), at most 2^20 numbers, and (outputs,), in radians. Public.

    Raises
    ------
    ParameterError
        For other shapes, or values that are not finite.
    """

    weights: Reals
    offset: Reals
    kind: ClassVar[str] = "fourier"
    whole: ClassVar[bool] = False

    def __init__(self, weights: npt.ArrayLike, offset: npt.ArrayLike) -> None:
        object.__setattr__(self, "weights", matrix(weights, "the weights of Fourier features"))
        object.__setattr__(self, "offset", matrix(np.atleast_2d(offset), "the offset of Fourier features")[0])
        if self.offset.shape != self.weights.shape[1:]:
            raise ParameterError(
                f"the offset must have {self.weights.shape[1]} numbers, one of every feature. Got {self.offset.size}."
            )

    @property
    def inputs(self) -> int:
        return len(self.weights)

    @property
    def outputs(self) -> int:
        return len(self.offset)

    @property
    def _size(self) -> float:
        return math.sqrt(2.0 / self.outputs)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """The cosine's range between the smallest and the largest phase."""
        zero = self.weights == 0
        with np.errstate(invalid="ignore", over="ignore"):
            ends = [np.where(zero, 0.0, one[:, None] * self.weights) for one in (lower, upper)]
            low = np.minimum(*ends).sum(axis=0) + self.offset
            high = np.maximum(*ends).sum(axis=0) + self.offset
        bounds = cosine_range(low, high)
        return self._size * bounds[0], self._size * bounds[1]

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """That of the phase: a sum of as many products as there are inputs."""
        largest = np.maximum(np.abs(lower), np.abs(upper)) @ np.abs(self.weights) + np.abs(self.offset)
        return np.asarray(self._size * (self.inputs + 8) * EPSILON * (1.0 + largest))

    def apply(self, values: Reals) -> Reals:
        return np.asarray(np.cos(values @ self.weights + self.offset) * self._size)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "weights": self.weights.tolist(), "offset": self.offset.tolist()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Fourier:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        weights = matrix_from(document["weights"], "weights")
        return cls(weights, real_numbers(document["offset"], weights.shape[1], "offset"))


def cosine_range(low: Reals, high: Reals) -> tuple[Reals, Reals]:
    """Smallest and largest cosine of phases from low to high, these rounded outwards."""
    slack = _ROUNDING * (1.0 + np.maximum(np.abs(low), np.abs(high)))
    with np.errstate(invalid="ignore"):
        low, high = low - slack, high + slack
        whole = ~(high - low < 2 * math.pi)
    low, high = np.where(whole, 0.0, low), np.where(whole, 2 * math.pi, high)
    ends = np.cos(low), np.cos(high)
    turns = low / (2 * math.pi), high / (2 * math.pi)
    top = np.floor(turns[1]) >= np.ceil(turns[0])
    bottom = np.floor(turns[1] - 0.5) >= np.ceil(turns[0] - 0.5)
    return np.where(bottom, -1.0, np.minimum(*ends)), np.where(top, 1.0, np.maximum(*ends))


@dataclass(frozen=True)
class Logarithms(BlockDefaults):
    """log(x + shift) of every input.

    Parameters
    ----------
    inputs
        How many.
    shift
        Inputs must be larger than -shift. Public.

    Raises
    ------
    ParameterError
        For a parameter out of range.
    """

    inputs: int
    shift: float
    kind: ClassVar[str] = "logarithms"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, 1 << 20, "inputs")
        object.__setattr__(self, "shift", real_number(self.shift, -LARGEST, LARGEST, "shift"))

    @property
    def outputs(self) -> int:
        return self.inputs

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """See :class:`hermetic.features.block.Block`. Raises :class:`ParameterError` for a range that reaches below."""
        if (lower <= -self.shift).any():
            first = int((lower <= -self.shift).argmax())
            raise ParameterError(
                f"inputs of logarithms must be above {0.0 - self.shift:g}. The range of input {first} starts at "
                f"{lower[first]:g}: pass input_range."
            )
        return np.log(lower + self.shift), np.log(upper + self.shift)

    def apply(self, values: Reals) -> Reals:
        """See :class:`hermetic.features.block.Block`. Raises :class:`InputError` for inputs of -shift and below."""
        if (values <= -self.shift).any():
            row, column = np.argwhere(values <= -self.shift)[0]
            raise InputError(
                f"inputs must be above {0.0 - self.shift:g}. Got {values[row, column]:g} (sample {row}, feature "
                f"{column}) instead."
            )
        return np.log(values + self.shift)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs, "shift": self.shift}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Logarithms:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"], document["shift"])
