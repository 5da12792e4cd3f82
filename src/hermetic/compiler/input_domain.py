"""Where queries come from: the sample and the range of the inputs, and of the public features that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import CompileError, InputError
from ..features import FeatureMap
from ..inputs.grid import Grid
from .feature_ranges import as_values, range_of_features, range_of_inputs
from .inputs import Limits, input_range
from .linear import LinearMap
from .rounding import cast_error
from .sample import Sample, column_names, spread_rows

_RANDOM_PROBES = 14
_PROBE_BITS = 20
_MISSING = 0.1


class InputDomain:
    """What is known about the inputs of a model.

    Attributes
    ----------
    encrypted
        The range of the values that are encrypted: of the inputs, or of their public features.
    linear
        The model, with the rounding of its features in the estimator's own; where ``centre`` is set and these are
        polynomials, they are centred on the inputs' range.

    ``dtypes`` are the types of float that the estimator rounds what it takes to.

    Raises
    ------
    CompileError
        If it is not known, or the sample is not what clients may encrypt, or not in range.
    """

    def __init__(
        self,
        linear: LinearMap,
        X_sample: Any,
        limits: Limits | None,
        step: Any,
        dtypes: Sequence[str] = (),
        *,
        centre: bool = True,
        share: bool = False,
    ) -> None:
        self.linear, names = linear, linear.feature_names or column_names(X_sample)
        self._map, self._rows, self._sample = linear.feature_map, None, None
        if self._map is None:
            if X_sample is not None:
                self._sample = Sample(X_sample, linear.inputs, names)
                if share:
                    self._sample.share_range()
            self.encrypted = self._inputs = input_range(linear.inputs, self._sample, limits, step, names)
            self.linear = cast_error(linear, self._inputs.lower, self._inputs.upper, dtypes)
            return
        if X_sample is not None:
            self._rows = _read(self._map, X_sample, linear.feature_names)
        self._inputs = range_of_inputs(self._map, self._rows, limits, step, names)
        if centre:
            self.linear = linear.centred(self._inputs.middle)
            self._map = self.linear.feature_map or self._map
            self._map = self._map.cast_first(dtypes)
            self.linear = replace(self.linear, feature_map=self._map)
        self.encrypted = range_of_features(self._map, self._inputs)
        if not centre:
            self.linear = cast_error(self.linear, self.encrypted.lower, self.encrypted.upper, dtypes)
        moved = self._map.rounding(self._inputs.lower, self._inputs.upper)
        self.linear = replace(self.linear, own_error=self.linear.own_error + self.linear.terms @ moved)

    def probes(self, count: int, *, corners: bool = True) -> tuple[Any, Reals]:
        """Inputs in range and their features (n, d): the smallest and largest inputs, random ones, and up to ``count``
        of the sample; these alone without ``corners``. Categories are their values, as clients send them.
        """
        rows = self._probes()[: None if corners else 0]
        if self._rows is not None:
            rows = np.vstack([rows, self._rows[spread_rows(len(self._rows), count)]])
        return rows if self._map is None else as_values(self._map, rows), self._features(rows)

    def _probes(self) -> Reals:
        found = np.clip(_on_grid(self._inputs.grid(_PROBE_BITS)), self._inputs.lower, self._inputs.upper)
        if self._map is None:
            return found
        random = np.random.default_rng(1)
        missing = self._map.missing & self._map.used
        for column, one in self._map.categories.items():
            found[:, column] = [*one.limits, *random.choice(one.all_numbers, len(found) - 2)]
            missing[column] = False
        return np.where(missing & (random.random(found.shape) < _MISSING), np.nan, found)

    def encrypted_values(self, count: int, grid: Grid, *, corners: bool = True) -> Reals:
        """Values that may be encrypted (n, d): the grid's smallest and largest, random ones, and those of up to
        ``count`` inputs of the sample; these alone without ``corners``.
        """
        sampled = self.sampled(count)
        return np.concatenate([_on_grid(grid)[: None if corners else 0], *([] if sampled is None else [sampled])])

    def sampled(self, count: int) -> Reals | None:
        """What is encrypted of up to ``count`` inputs of the sample (n, d); None without one."""
        if self._sample is not None:
            return self._sample.rows(count)
        return None if self._rows is None else self._features(self._rows[spread_rows(len(self._rows), count)])

    def _features(self, rows: npt.NDArray[Any]) -> Reals:
        """Of rows that were read: categories are numbers in them."""
        reals = rows.astype(np.float64)
        try:
            return reals if self._map is None else self._map.block.apply(reals)
        except InputError as error:
            raise CompileError(
                f"every feature must be defined for every input in range: {error} Pass another input_range."
            ) from error


def _read(features: FeatureMap, X: Any, names: tuple[str, ...] | None) -> npt.NDArray[Any]:
    try:
        return features.read(X, names)
    except InputError as error:
        raise CompileError(f"X_sample must be inputs that clients may encrypt: {error}") from error


def _on_grid(grid: Grid) -> Reals:
    """The smallest and largest values, and random ones, all on the grid."""
    random = np.random.default_rng(0).integers(grid.low, grid.high, (_RANDOM_PROBES, grid.features), endpoint=True)
    return np.asarray(grid.offset + grid.step * np.vstack([grid.low, grid.high, random]))
