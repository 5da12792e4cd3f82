"""Random sketches of all products of inputs, which learn nothing from data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import EPSILON, BlockDefaults, real_number, whole_number
from .matrices import MAX_NUMBERS

MAX_OUTPUTS = 1 << 16
MAX_DEGREE = 16
_CHUNK = 1 << 21


@dataclass(frozen=True, eq=False)
class CountSketch(BlockDefaults):
    """A short sketch of the polynomial kernel (gamma·x·x' + coef0)^degree (Pham & Pagh, KDD 2013).

    Each of ``degree`` sketches adds every input times sqrt(gamma), and sqrt(coef0) as one input more, with a sign to
    one of the outputs; the features are the circular convolution of the sketches.

    Parameters
    ----------
    places, signs
        (degree, inputs + 1): where each input is added, from 0, and 1 or -1; at most 2^20 numbers. Random, and public.
    outputs
        The number of features.
    gamma, coef0
        See above; gamma is positive, coef0 not negative.

    Raises
    ------
    ParameterError
        For other shapes or numbers.
    """

    places: npt.NDArray[np.intp]
    signs: npt.NDArray[np.intp]
    outputs: int
    gamma: float
    coef0: float
    kind: ClassVar[str] = "count_sketch"
    whole: ClassVar[bool] = False

    def __init__(
        self, places: npt.ArrayLike, signs: npt.ArrayLike, outputs: int, gamma: float = 1.0, coef0: float = 0.0
    ) -> None:
        whole_number(outputs, 1, MAX_OUTPUTS, "outputs")
        tables = [np.array(one) for one in (places, signs)]
        for table, allowed in zip(tables, ("from 0 to outputs - 1", "1 or -1"), strict=True):
            fits = table.ndim == 2 and table.shape == tables[0].shape and table.dtype.kind == "i"
            if not fits or not 2 <= table.shape[1] <= table.size <= MAX_NUMBERS or len(table) > MAX_DEGREE:
                raise ParameterError(
                    f"places and signs must be 1 to {MAX_DEGREE} rows of whole numbers {allowed}, one of every input "
                    "and one more."
                )
        if not ((tables[0] >= 0) & (tables[0] < outputs)).all() or not (np.abs(tables[1]) == 1).all():
            raise ParameterError(f"places must be from 0 to {outputs - 1}, and signs 1 or -1.")
        object.__setattr__(self, "places", tables[0])
        object.__setattr__(self, "signs", tables[1])
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "gamma", real_number(gamma, 1e-300, 1e300, "gamma"))
        object.__setattr__(self, "coef0", real_number(coef0, 0.0, 1e300, "coef0"))

    @property
    def inputs(self) -> int:
        return int(self.places.shape[1]) - 1

    def _scaled(self, values: Reals) -> Reals:
        """Values and coef0, so that their products are those of the kernel: (n, inputs + 1)."""
        one = np.full((len(values), 1), np.sqrt(self.coef0))
        return np.concatenate([np.sqrt(self.gamma) * values, one], axis=1)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Each sketch is a middle and a radius; the convolution of middles moves by at most that of their absolute
        values and radii, without that of the absolute values alone.
        """
        middles, radii = self._sketches(lower, upper)
        if not np.isfinite([middles, radii]).all():
            return np.full(self.outputs, -np.inf), np.full(self.outputs, np.inf)
        centre, still, moved = (_convolved(one[None])[0] for one in (middles, np.abs(middles), np.abs(middles) + radii))
        reach = np.maximum(moved - still, 0.0) + 2.0**-40 * moved.max()
        return centre - reach, centre + reach

    def _sketches(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Middles and radii of every sketch (degree, outputs)."""
        low, high = self._scaled(np.stack([lower, upper]))
        middles, radii = (np.zeros((len(self.places), self.outputs)) for _ in range(2))
        with np.errstate(invalid="ignore"):
            for places, signs, middle, radius in zip(self.places, self.signs, middles, radii, strict=True):
                np.add.at(middle, places, signs * (low + high) / 2)
                np.add.at(radius, places, (high - low) / 2)
        return middles, radii

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """That of Fourier transforms, in each of which no value is larger than the sum of the sketch."""
        middles, radii = self._sketches(lower, upper)
        largest = float((np.abs(middles) + radii).sum(axis=1).prod())
        steps = (len(self.places) + 1) * (math.log2(self.outputs) + 1) + self.inputs
        return np.full(self.outputs, 8 * steps * EPSILON * largest)

    def apply(self, values: Reals) -> Reals:
        rows = max(1, _CHUNK // (len(self.places) * self.outputs))
        chunks = [self._features(values[i : i + rows]) for i in range(0, len(values), rows)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self.outputs))

    def _features(self, values: Reals) -> Reals:
        scaled = self._scaled(values)
        sketches = np.zeros((len(values), len(self.places), self.outputs))
        for d, (places, signs) in enumerate(zip(self.places, self.signs, strict=True)):
            np.add.at(sketches[:, d].T, places, (scaled * signs).T)
        return _convolved(sketches)

    def document(self) -> dict[str, Any]:
        tables = {"places": self.places.tolist(), "signs": self.signs.tolist()}
        return {"kind": self.kind, **tables, **{name: getattr(self, name) for name in ("outputs", "gamma", "coef0")}}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> CountSketch:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        places, signs = (_table(document[name], name) for name in ("places", "signs"))
        return cls(places, signs, document["outputs"], document["gamma"], document["coef0"])


def _table(value: Any, name: str) -> list[list[int]]:
    lists = isinstance(value, list) and all(isinstance(one, list) for one in value)
    if not lists or len({len(one) for one in value}) != 1 or sum(map(len, value)) > MAX_NUMBERS:
        raise ParameterError(f"{name} must be rows of the same length, at most {MAX_NUMBERS} numbers in all.")
    return [[whole_number(one, -1, MAX_OUTPUTS, name) for one in row] for row in value]


def _convolved(sketches: Reals) -> Reals:
    """(n, degree, outputs) -> the circular convolution of every sample's sketches (n, outputs)."""
    if sketches.shape[1] == 1:
        return sketches[:, 0]
    spectrum = np.fft.rfft(sketches, axis=2).prod(axis=1)
    return np.asarray(np.fft.irfft(spectrum, n=sketches.shape[2], axis=1))
