"""The range of the inputs of a feature map, and of the features that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import CompileError, ParameterError
from ..features import FeatureMap
from ..features.block import Flags
from .inputs import InputRange, Limits, input_range, limits_of, per_input
from .sample import Sample

_CONSTANT = 2.0**-40


def range_of_inputs(
    features: FeatureMap,
    rows: npt.NDArray[Any] | None,
    limits: Limits | None,
    step: Any,
    names: Sequence[str] | None = None,
) -> InputRange:
    """The range of every input; categories have that of their numbers, inputs that are not used 0 to 1.

    Parameters
    ----------
    rows
        A sample (n, inputs) that was read, or None.
    limits, step, names
        As in :func:`hermetic.compiler.inputs.input_range`.

    Raises
    ------
    CompileError
        If neither tells the range of an input that the range of a feature depends on, or they contradict each other.
    """
    n = features.inputs
    free = ~features.used
    free[list(features.categories)] = True
    sample = None
    if rows is not None:
        free |= _constant(features, rows, free)
        sample = Sample(_filled(np.where(free, 0, rows) if free.any() else rows), n, names)
        sample.spread(free)
    elif limits is None and (free.all() or _have_limits(features, *features.widest_limits())):
        limits = 0.0, 1.0
    if limits is not None:
        lower, upper = limits_of(limits, n, names)
        limits = np.where(free, 0.0, lower), np.where(free, 1.0, upper)
    steps = None if step is None else per_input(step, n, "input_step", names)
    if steps is not None and steps.any():
        steps = np.where(free, 1.0, steps)
    found = _with_categories(features, input_range(n, sample, limits, steps, names))
    if limits is None and sample is not None and not _have_limits(features, found.lower, found.upper):
        # Logarithms and roots have no value below 0: inputs that never were there stay above.
        found = replace(found, lower=np.where(sample.low >= 0, np.maximum(found.lower, 0), found.lower))
    return found


def range_of_features(features: FeatureMap, inputs: InputRange) -> InputRange:
    """Limits that hold for every input in range, and steps where all features have one.

    Raises
    ------
    CompileError
        If one has no limits.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lower, upper = features.limits(inputs.lower, inputs.upper)
    except ParameterError as error:
        raise CompileError(f"every feature must be defined for every input in range: {error}") from error
    if not np.isfinite([lower, upper]).all():
        raise CompileError(
            f"every feature must have a finite range. Those of the public {features} have none for inputs from "
            f"{inputs.lower.min():g} to {inputs.upper.max():g}: pass an input_range on which they have."
        )
    steps = features.steps(np.zeros(features.inputs) if inputs.step is None else inputs.step)
    if (steps > 0).all():
        return InputRange(lower, np.where(upper > lower, upper, lower + steps), steps, features.groups)
    largest = np.maximum(np.abs(lower), np.abs(upper))
    same = upper - lower <= largest * _CONSTANT
    return InputRange(lower, np.where(same, lower + np.maximum(1.0, largest), upper), None)


def as_values(features: FeatureMap, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows that were read, as clients would send them: objects where some categories are texts, or whole numbers that
    float64 does not hold.
    """
    if not features.categories:
        return rows
    found = rows.astype(object)
    for column, one in features.categories.items():
        found[:, column] = one.values_of(rows[:, column])
    real = all(_is_real(one) for column in features.categories for one in found[:, column])
    return found.astype(np.float64) if real else found


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and int(float(value)) == value)


def _with_categories(features: FeatureMap, found: InputRange) -> InputRange:
    """Categories are read as whole numbers, mostly; others leave no exact step."""
    if not features.categories:
        return found
    lower, upper, columns = found.lower.copy(), found.upper.copy(), list(features.categories)
    lower[columns], upper[columns] = zip(*(category.limits for category in features.categories.values()), strict=True)
    if found.step is None or not all(category.whole for category in features.categories.values()):
        return InputRange(lower, upper, None)
    steps = found.step.copy()
    steps[columns] = 1.0
    return InputRange(lower, upper, steps)


def _have_limits(features: FeatureMap, lower: Reals, upper: Reals) -> bool:
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return bool(np.isfinite(features.limits(lower, upper)).all())
    except ParameterError:
        return False


def _constant(features: FeatureMap, rows: npt.NDArray[Any], free: Flags) -> Flags:
    """Inputs that are constant in a sample, and that no feature's range depends on."""
    found = np.zeros(features.inputs, dtype=np.bool_)
    for column in np.flatnonzero((rows == rows[0]).all(axis=0) & ~free):
        lower, upper = features.widest_limits()
        rest = np.arange(features.inputs) != column
        lower[rest], upper[rest] = np.maximum(lower[rest], 0.0), np.minimum(upper[rest], 1.0)
        found[column] = _have_limits(features, lower, upper)
    return found


def _filled(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each missing value as the smallest of its column; a column without any is 0."""
    missing = np.isnan(rows)
    if not missing.any():
        return rows
    smallest = np.where(missing, np.inf, rows).min(axis=0)
    return np.where(missing, np.where(np.isfinite(smallest), smallest, 0.0), rows)
