"""The public range of the inputs: from what the model's owner says, or from a sample.

What is published is each feature's range and step. A range found in a sample is widened by a tenth and rounded
outwards to two digits of its width, so that no extreme value of the sample is published; 8-bit pixels and small counts
get the range of their type, and what never varies that from 0 to its value. Pass ``input_range`` to publish nothing
that was learned from data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import shown
from ..arrays import Reals
from ..errors import CompileError
from ..inputs.grid import ON_GRID, Grid
from ..named_inputs import called
from .sample import Sample, in_model_order

_LOG = logging.getLogger("hermetic")

_MARGIN = 0.1
_BYTE = 255
_MAX_FOUND_STEPS = 1 << 16
_MAX_STEPS = 1 << 48
_LEAST_WIDTH = 2.0**-36
_LARGEST = 1e100

Limits = tuple[npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True, eq=False)
class InputRange:
    """Smallest and largest value of every feature (d,), and the exact step (d,) if inputs are grid points; ``groups``
    are those of :class:`hermetic.inputs.grid.Grid`.
    """

    lower: Reals
    upper: Reals
    step: Reals | None
    groups: npt.NDArray[np.intp] | None = None

    @property
    def middle(self) -> Reals:
        """The point of the grid (d,) from which values are smallest: 0, or where grids count from."""
        grid = self.grid(1)
        smaller = grid.step * grid.magnitude < np.maximum(np.abs(self.lower), np.abs(self.upper))
        return np.where(smaller, grid.offset, 0.0)

    def grid(self, bits: int) -> Grid:
        """The integer grid; ``bits`` is the resolution of inputs that are not exact."""
        if self.step is None:
            half = np.full(len(self.lower), 1 << (bits - 1), dtype=np.int64)
            middle = (self.lower + self.upper) / 2
            step = np.maximum(middle - self.lower, self.upper - middle) / (1 << (bits - 1))
            return Grid(middle, step, -half, half, exact=False)
        steps = np.rint((self.upper - self.lower) / self.step).astype(np.int64)
        # What is 0 or 1 stays so: then features that exclude each other are 0 but for one.
        below = np.where(steps == 1, 0, (steps + 1) // 2)
        return Grid(self.lower + below * self.step, self.step, -below, steps - below, exact=True, groups=self.groups)


RangeOf = Callable[[int, tuple[str, ...] | None], InputRange | None]
"""The range of so many inputs, and their names if they have any; None where it is not known yet."""


def input_range(
    features: int,
    sample: Sample | None,
    limits: Limits | None,
    step: npt.ArrayLike | None,
    names: Sequence[str] | None = None,
) -> InputRange:
    """The range of every feature.

    Parameters
    ----------
    features
        d.
    sample
        A sample of the inputs, or None.
    limits
        (smallest, largest), each a number or of shape (d,); None reads them from the sample.
    step
        The exact step, a number or of shape (d,); 0 if inputs are any real numbers; None finds it in the sample.
    names
        Those of the features, or None. Limits and steps that have names are put in their order.

    Raises
    ------
    CompileError
        If neither tells the range of a feature, or they contradict each other.
    """
    steps = None if step is None else per_input(step, features, "input_step", names)
    real = steps is not None and not steps.any()
    if limits is not None:
        lower, upper = limits_of(limits, features, names)
        found = None if steps is not None or sample is None else _found_step(sample)
        if found is not None and _divides(found, lower, upper):
            steps = np.full(features, found)
    elif sample is None:
        raise CompileError("the range of the inputs must be known. Pass X_sample or input_range=(smallest, largest).")
    elif real:
        lower, upper = _widened(sample)
    elif steps is not None:
        lower, upper = _on_steps(sample, steps)
    else:
        lower, upper, steps = _from_sample(sample)
    found_range = InputRange(lower, upper, None if real else steps)
    _check(found_range, called(names))
    if sample is not None:
        _check_holds(found_range, sample)
    return found_range


def limits_of(limits: Limits, features: int, names: Sequence[str] | None = None) -> tuple[Reals, Reals]:
    """(smallest, largest) of every feature (d,). Raises :class:`CompileError`."""
    try:
        smallest, largest = _pair(limits)
    except (LookupError, TypeError, ValueError) as error:
        raise CompileError(f"input_range must be a pair (smallest, largest). Got {shown(limits)} instead.") from error
    return per_input(smallest, features, "input_range", names), per_input(largest, features, "input_range", names)


def _pair(limits: Any) -> tuple[Any, Any]:
    """What would else be a pair of names: the two rows of a DataFrame, and pairs under the names of features."""
    if hasattr(limits, "iloc"):
        smallest, largest = (limits.iloc[i] for i in range(len(limits)))
    elif isinstance(limits, Mapping):
        smallest, largest = ({name: pair[i] for name, pair in limits.items()} for i in range(2))
    else:
        smallest, largest = limits
    return smallest, largest


def per_input(value: npt.ArrayLike, features: int, name: str, names: Sequence[str] | None = None) -> Reals:
    """A number, or one of every feature, as (d,). Raises :class:`CompileError`."""
    value = in_model_order(value, names, name)
    try:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (features,)).copy()
    except (TypeError, ValueError, OverflowError) as error:
        raise CompileError(f"{name} must be made of numbers or arrays of shape ({features},): {error}.") from error


def _found_step(sample: Sample) -> float | None:
    """The step of a sample of whole numbers or of 8-bit pixels divided by 255."""
    if sample.every(lambda values, _: values == np.rint(values)):
        return 1.0
    within = sample.low.min() >= 0 and sample.high.max() <= 1
    return 1 / _BYTE if within and sample.every(lambda values, _: _are_pixels(values)) else None


def _are_pixels(values: Reals) -> npt.NDArray[np.bool_]:
    """Which are 0 / 255 to 255 / 255, but for rounding; nothing rounds to 0 but 0, so small numbers are none."""
    levels = values * _BYTE
    nearest = np.rint(levels)
    return np.asarray(np.abs(levels - nearest) <= ON_GRID * np.minimum(nearest, 1))


def _from_sample(sample: Sample) -> tuple[Reals, Reals, Reals | None]:
    ones, step = np.ones(len(sample.low)), _found_step(sample)
    if step is None:
        return *_widened(sample), None
    if step < 1:
        return 0 * ones, ones, step * ones
    if sample.low.min() >= 0 and sample.high.max() <= _BYTE:
        top = _BYTE if sample.bytes else (1 << max(1, int(sample.high.max()).bit_length())) - 1
        return 0 * ones, top * ones, ones
    lower, upper = _widened(sample)
    lower, upper = np.floor(lower), np.ceil(upper)
    return lower, upper, ones if _divides(1.0, lower, upper) else None


def _widened(sample: Sample) -> tuple[Reals, Reals]:
    """The sample's extremes, moved outwards by a tenth of the width and to two decimal digits of it."""
    low, high = _with_width(sample)
    width = high - low
    digits = np.floor(np.log10(width)) - 1
    return (
        _rounded(np.floor, low - _MARGIN * width, digits),
        _rounded(np.ceil, high + _MARGIN * width, digits),
    )


def _rounded(towards: np.ufunc, values: Reals, digits: Reals) -> Reals:
    """Values rounded to multiples of 10^digits; decimal numbers, as they are written."""
    small, large = 10.0 ** -np.minimum(digits, 0), 10.0 ** np.maximum(digits, 0)
    return np.asarray(towards(values * small / large) * large / small)


def _with_width(sample: Sample) -> tuple[Reals, Reals]:
    """The extremes of every feature. One that never varies has no width of its own: it reaches from its value to 0, or
    from 0 to 1.
    """
    low, high = sample.low, sample.high
    largest = np.maximum(np.abs(low), np.abs(high))
    if largest.max() > _LARGEST:
        raise CompileError(
            f"inputs must be between {-_LARGEST:g} and {_LARGEST:g}. {sample.heading(largest.argmax())} of X_sample "
            f"reaches {largest.max():g}: check its units."
        )
    constant = high - low <= np.maximum(largest * _LEAST_WIDTH, 1 / _LARGEST)
    if constant.any():
        _LOG.warning(
            "%s never varies in X_sample (%d such features): its range is taken from 0 to its value. Pass "
            "input_range if clients have others.",
            sample.heading(constant.argmax()),
            np.count_nonzero(constant),
        )
    low, high = np.where(constant, np.minimum(low, 0), low), np.where(constant, np.maximum(high, 0), high)
    return low, np.where(high - low <= 1 / _LARGEST, 1.0, high)


def _on_steps(sample: Sample, step: Reals) -> tuple[Reals, Reals]:
    """The widened range, on the steps that the sample is on; rounding may leave the largest value out, a step more does
    not.
    """
    if not (np.isfinite(step) & (step > 0)).all():
        return sample.low, sample.high
    lower, upper = _widened(sample)
    lower = sample.low - np.ceil((sample.low - lower) / step) * step
    found = lower + np.ceil((upper - lower) / step) * step
    return lower, np.where(found > sample.high, found, found + step)


def _divides(step: float, lower: Reals, upper: Reals) -> bool:
    """Whether a step found in a sample leads from lower to upper and to zero, in a reasonable number of steps."""
    whole = [np.abs(one / step - np.rint(one / step)) < ON_GRID for one in (lower, upper)]
    return bool(np.all(whole)) and bool(((upper - lower) / step <= _MAX_FOUND_STEPS).all())


def _check(found: InputRange, name: Callable[[int], str]) -> None:
    lower, upper = found.lower, found.upper
    valid = (lower < upper) & (np.maximum(np.abs(lower), np.abs(upper)) <= _LARGEST)
    if not valid.all():
        first = int(valid.argmin())
        raise CompileError(
            f"input_range must be finite, and smallest below largest for every feature. "
            f"Got {lower[first]:g} and {upper[first]:g} for {name(first)} instead."
        )
    if found.step is None:
        return
    positive = (found.step > 0) & np.isfinite(found.step)
    if not positive.all():
        raise CompileError(
            "input_step must be positive for every feature, or 0 for all if inputs are any real numbers. "
            f"Got {found.step[positive.argmin()]:g} for {name(int(positive.argmin()))} instead."
        )
    steps = (upper - lower) / found.step
    fits = (np.abs(steps - np.rint(steps)) <= ON_GRID) & (steps >= 1) & (steps <= _MAX_STEPS)
    if not fits.all():
        first = int(fits.argmin())
        raise CompileError(
            f"input_step must divide the width of input_range into at most 2^48 steps. "
            f"Got {steps[first]:.9g} steps of {found.step[first]:g} for {name(first)} instead."
        )


def _check_holds(found: InputRange, sample: Sample) -> None:
    lower, upper = found.lower, found.upper
    slack = 0.0 if found.step is None else ON_GRID * found.step
    outside = (sample.low < lower - slack) | (sample.high > upper + slack)
    if outside.any():
        first = int(outside.argmax())
        raise CompileError(
            f"X_sample must lie in input_range. {sample.heading(first)} reaches from {sample.low[first]:.9g} to "
            f"{sample.high[first]:.9g} in the sample, beyond {lower[first]:.9g} to {upper[first]:.9g}: widen "
            "input_range, or clip the sample and make clients with clip=True."
        )
    if found.step is None:
        return
    grid = found.grid(0)

    def on_grid(values: Reals, features: Any) -> npt.NDArray[np.bool_]:
        position = (values - grid.offset[features]) / grid.step[features]
        return np.asarray(np.abs(position - np.rint(position)) <= grid.slack[features])

    if not sample.every(on_grid):
        raise CompileError(
            "X_sample must be on the steps of input_range: smallest plus a multiple of input_step. Some of its values "
            "are not: pass the right input_step, or 0 if inputs are any real numbers."
        )
