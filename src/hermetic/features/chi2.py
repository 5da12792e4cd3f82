"""Features whose products are nearly the additive chi-squared kernel of histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .block import EPSILON, BlockDefaults, real_number, whole_number
from .fourier import cosine_range

MAX_INPUTS = 1 << 20
MAX_SAMPLES = 1 << 8


@dataclass(frozen=True)
class AdditiveChi2(BlockDefaults):
    """The kernel's spectrum (Vedaldi & Zisserman, PAMI 2012), which learns nothing from data.

    First sqrt(x·interval) of every input; then, for j = 1 … samples - 1, r·cos(j·interval·log x) of every input and
    r·sin(j·interval·log x) of every input, with r = sqrt(2·x·interval / cosh(pi·j·interval)). All are 0 where x is.

    Parameters
    ----------
    inputs
        How many. None of them may be negative.
    samples, interval
        How many samples of the spectrum are taken, and how far apart. Public.

    Raises
    ------
    ParameterError
        For a parameter out of range.
    """

    inputs: int
    samples: int = 2
    interval: float = 0.5
    kind: ClassVar[str] = "additive_chi2"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, MAX_INPUTS, "inputs")
        whole_number(self.samples, 1, MAX_SAMPLES, "samples")
        whole_number(self.outputs, 1, MAX_INPUTS, "the number of features")
        object.__setattr__(self, "interval", real_number(self.interval, 1e-6, 100.0, "interval"))

    @property
    def outputs(self) -> int:
        return self.inputs * (2 * self.samples - 1)

    def _radius(self, values: Reals, j: int) -> Reals:
        with np.errstate(over="ignore"):
            return np.asarray(np.sqrt(2 * values * self.interval / np.cosh(math.pi * j * self.interval)))

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """The radius' largest value times the range of its cosine.

        Raises
        ------
        ParameterError
            If inputs may be negative.
        """
        if (lower < 0).any():
            first = int((lower < 0).argmax())
            raise ParameterError(
                f"inputs of the additive chi-squared features must not be negative. The range of input {first} starts "
                f"at {lower[first]:g}: pass input_range."
            )
        with np.errstate(divide="ignore"):
            logs = [self.interval * np.log(one) for one in (lower, upper)]
        low, high = [np.sqrt(lower * self.interval)], [np.sqrt(upper * self.interval)]
        for j in range(1, self.samples):
            radius = self._radius(upper, j)
            for shift in (0.0, math.pi / 2):
                smallest, largest = cosine_range(j * logs[0] - shift, j * logs[1] - shift)
                low.append(np.minimum(radius * smallest, 0.0))
                high.append(np.maximum(radius * largest, 0.0))
        return np.concatenate(low), np.concatenate(high)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """That of the phase, which grows as the radius falls: sqrt(x)·|log x| is below 1 for x below 1."""
        moved = [np.zeros(self.inputs)]
        for j in range(1, self.samples):
            phase = np.maximum(
                self._radius(np.ones(1), j), self._radius(upper, j) * np.abs(np.log(np.maximum(upper, 1)))
            )
            moved += [8 * EPSILON * (1.0 + j * self.interval * phase)] * 2
        return np.concatenate(moved)

    def apply(self, values: Reals) -> Reals:
        """See :class:`hermetic.features.block.Block`. Raises :class:`InputError` for a negative input."""
        if (values < 0).any():
            row, column = np.argwhere(values < 0)[0]
            raise InputError(
                f"inputs must not be negative. Got {values[row, column]:g} (sample {row}, feature {column}) instead."
            )
        logs = self.interval * np.log(np.where(values > 0, values, 1.0))
        features = [np.sqrt(values * self.interval)]
        for j in range(1, self.samples):
            radius = self._radius(values, j)
            features += [radius * np.cos(j * logs), radius * np.sin(j * logs)]
        return np.concatenate(features, axis=1)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs, "samples": self.samples, "interval": self.interval}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> AdditiveChi2:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"], document["samples"], document["interval"])
