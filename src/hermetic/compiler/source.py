"""Where queries come from: the sample and the range of the inputs, and of the public features that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError, InputError
from ..features import FeatureMap
from ..quantize import Grid, Reals
from .inputs import InputRange, Limits, input_range
from .linear import LinearMap
from .sample import Sample, check_columns

_RANDOM_PROBES = 14
_PROBE_BITS = 20


class Source:
    """What is known about the inputs of a model.

    Attributes
    ----------
    encrypted
        The range of the values that are encrypted: of the inputs, or of their public features.

    Raises
    ------
    CompileError
        If it is not known, or the sample is not what clients may encrypt, or not in range.
    """

    def __init__(self, linear: LinearMap, X_sample: Any, limits: Limits | None, step: Any) -> None:
        self._map, self._rows, self._sample = linear.feature_map, None, None
        if self._map is None:
            if X_sample is not None:
                self._sample = Sample(X_sample, linear.inputs, linear.feature_names)
            self.encrypted = self._inputs = input_range(linear.inputs, self._sample, limits, step)
            return
        if X_sample is not None:
            self._rows = _read(self._map, X_sample, linear.feature_names)
        self._inputs = _range_of_inputs(self._map, self._rows, limits, step)
        self.encrypted = _range_of_features(self._map, self._inputs)

    def probes(self, count: int) -> tuple[Any, Reals]:
        """Inputs in range and their features (n, d): the smallest and largest inputs, random ones, and up to ``count``
        of the sample.
        """
        asked = _probes(self._inputs.grid(_PROBE_BITS))
        if self._rows is not None:
            asked = np.vstack([asked, self._rows[_spread(len(self._rows), count)]])
        return asked, self._features(asked)

    def encrypted_values(self, count: int, grid: Grid) -> Reals:
        """Values that may be encrypted (n, d): the grid's smallest and largest, random ones, and those of up to
        ``count`` inputs of the sample.
        """
        found = [_probes(grid)]
        if self._sample is not None:
            found.append(self._sample.rows(count))
        elif self._rows is not None:
            found.append(self._features(self._rows[_spread(len(self._rows), count)]))
        return np.concatenate(found)

    def _features(self, rows: Any) -> Reals:
        return rows if self._map is None else self._map.apply(rows)


def _spread(n: int, count: int) -> npt.NDArray[np.intp]:
    return np.unique(np.linspace(0, n - 1, min(n, count)).astype(np.intp))


def _read(features: FeatureMap, X: Any, names: tuple[str, ...] | None) -> npt.NDArray[Any]:
    check_columns(X, names)
    try:
        return features.read(X)
    except InputError as error:
        raise CompileError(f"X_sample must be inputs that clients may encrypt: {error}") from error


def _range_of_inputs(
    features: FeatureMap, rows: npt.NDArray[Any] | None, limits: Limits | None, step: Any
) -> InputRange:
    n = features.inputs
    if rows is not None:
        sample = Sample(_filled(rows), n, None)
        sample.spread(_without_range(features, sample))
        return input_range(n, sample, limits, step)
    if limits is None and _are_finite(features, np.full(n, -np.inf), np.full(n, np.inf)):
        limits = 0.0, 1.0
    return input_range(n, None, limits, step)


def _range_of_features(features: FeatureMap, inputs: InputRange) -> InputRange:
    """Limits that hold for every input in range, and steps where all have one."""
    if not _are_finite(features, inputs.lower, inputs.upper):
        raise CompileError(
            f"every feature must have a finite range. Those of {features} have none for inputs up to "
            f"{np.abs(inputs.upper).max():g}: pass a narrower input_range."
        )
    lower, upper = features.limits(inputs.lower, inputs.upper)
    steps = features.steps(np.zeros(features.inputs) if inputs.step is None else inputs.step)
    if (steps > 0).all():
        return InputRange(lower, np.where(upper > lower, upper, lower + steps), steps)
    largest = np.maximum(np.abs(lower), np.abs(upper))
    same = upper - lower <= largest * 2.0**-40
    return InputRange(lower, np.where(same, lower + np.maximum(1.0, largest), upper), None)


def _are_finite(features: FeatureMap, lower: Reals, upper: Reals) -> bool:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return all(bool(np.isfinite(one).all()) for one in features.limits(lower, upper))


def _without_range(features: FeatureMap, sample: Sample) -> npt.NDArray[np.bool_]:
    """Inputs that no feature depends on, and constant ones that no feature's range depends on."""
    free = ~features.used
    for column in np.flatnonzero(~free & (sample.low == sample.high)):
        lower, upper = sample.low.copy(), sample.high.copy()
        lower[column], upper[column] = -np.inf, np.inf
        free[column] = _are_finite(features, lower, upper)
    return free


def _filled(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each missing value as the smallest of its column; a column without any is 0."""
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    smallest = np.where(missing, np.inf, rows).min(axis=0)
    return np.where(missing, np.where(np.isfinite(smallest), smallest, 0.0), rows)


def _probes(grid: Grid) -> Reals:
    """The smallest and largest values, and random ones, all on the grid."""
    random = np.random.default_rng(0).integers(grid.low, grid.high, (_RANDOM_PROBES, grid.features), endpoint=True)
    return np.asarray(grid.offset + grid.step * np.vstack([grid.low, grid.high, random]))
