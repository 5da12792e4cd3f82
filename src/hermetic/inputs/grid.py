"""The public integer grid of a model's inputs: a real x becomes the integer round((x - offset)/step) in [low, high]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..arrays import Integers, Reals
from ..errors import InputError

ON_GRID = 2.0**-14
"""An exact grid accepts values this close to a grid point, in steps: float32 pixels divided by 255 qualify."""

ON_WHOLE_NUMBERS = 2.0**-32
"""The same for a grid of whole numbers, which every type of float holds exactly."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The public integer grid of every input feature; arrays of shape (d,).

    ``exact`` says that inputs are grid points (8-bit pixels, counts): nothing is rounded, and a value off the grid is
    refused unless the caller asks for rounding.

    ``groups`` (d,), which do not fall, say which features exclude each other: of those with the same number at most one
    is 1 and all others are 0. They follow from the model's public features; ``None`` if there are none.
    """

    offset: Reals
    step: Reals
    low: Integers
    high: Integers
    exact: bool
    groups: npt.NDArray[np.intp] | None = None

    @property
    def features(self) -> int:
        """d."""
        return len(self.step)

    @property
    def lower(self) -> Reals:
        """Smallest real value of each feature."""
        return self.offset + self.low * self.step

    @property
    def upper(self) -> Reals:
        """Largest real value of each feature."""
        return self.offset + self.high * self.step

    @property
    def magnitude(self) -> Integers:
        """Largest absolute integer of each feature."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def centre(self) -> Reals:
        """The point that scores of nearest neighbours count from (d,): ``offset`` of features far from 0, 0 of others.

        Far is where the middle of the range is more than twice its width away from 0.
        """
        return np.where(np.abs(self.offset) > 4 * self.step * self.magnitude, self.offset, 0.0)

    @cached_property
    def starts(self) -> npt.NDArray[np.intp] | None:
        """Where each group begins; a feature whose integers are not 0 and 1 is one of its own. None if all are."""
        if self.groups is None or not self.exact:
            return None
        bits = (self.offset == 0) & (self.step == 1) & (self.low == 0) & (self.high == 1)
        same = (np.diff(self.groups) == 0) & bits[1:] & bits[:-1]
        return np.flatnonzero(np.append(True, ~same)) if same.any() else None

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Which features (d,) exclude no other."""
        if self.starts is None:
            return np.ones(self.features, dtype=np.bool_)
        sizes = np.diff(np.append(self.starts, self.features))
        return np.repeat(sizes == 1, sizes)

    @property
    def reach(self) -> int:
        """The largest sum of |integers|, exact."""
        if self.starts is None:
            return int(self.magnitude.astype(object).sum())
        return int(np.maximum.reduceat(self.magnitude.astype(object), self.starts).sum())

    def largest_sum(self, absolute: Reals) -> Reals:
        """The largest sum over features of ``absolute`` (k, d) times |integer|, (k,)."""
        if self.starts is None:
            return np.asarray(absolute @ self.magnitude)
        return np.asarray(np.maximum.reduceat(absolute * self.magnitude, self.starts, axis=1).sum(axis=1))

    def largest_result(self, weights: Reals, bias: Reals) -> Reals:
        """The largest |weights (k, d) · integers + bias (k,)|, (k,)."""
        if self.starts is None:
            middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
            return np.asarray(np.abs(weights @ middle + bias) + np.abs(weights) @ half)
        ends = weights * self.low, weights * self.high
        least, most = np.minimum(*ends), np.maximum(*ends)
        low = np.minimum.reduceat(least, self.starts, axis=1).sum(axis=1)
        high = np.maximum.reduceat(most, self.starts, axis=1).sum(axis=1)
        return np.asarray(np.maximum(np.abs(low + bias), np.abs(high + bias)))

    @property
    def slack(self) -> Reals:
        """How far from its grid point a value may be, in steps: half a step, or a hair on an exact grid."""
        if not self.exact:
            return np.full(self.features, 0.5)
        whole = (self.step == np.rint(self.step)) & (self.offset == np.rint(self.offset))
        return np.where(whole, ON_WHOLE_NUMBERS, ON_GRID)

    def quantize(
        self,
        values: Reals,
        *,
        clip: bool = False,
        round_inputs: bool = False,
        name: Callable[[int], str] = "feature {}".format,
    ) -> Integers:
        """Reals (n, d) as integers (n, d); ``name`` is what errors call a feature.

        Raises
        ------
        InputError
            For NaN or infinity; for a value out of range unless ``clip``; for a value off an exact grid unless
            ``round_inputs``.
        """
        if not np.isfinite(values).all():
            raise InputError(f"inputs must be finite. Got {_first(values, ~np.isfinite(values), name)} instead.")
        if clip:
            values = np.clip(values, self.lower, self.upper)
        position = (values - self.offset) / self.step
        outside = (position < self.low - 0.5) | (position > self.high + 0.5)
        if outside.any():
            feature = int(np.argwhere(outside)[0][1])
            raise InputError(
                f"{name(feature)} must be between {self.lower[feature]:g} and {self.upper[feature]:g}. "
                f"Got {_first(values, outside, name)} instead. Check the units of the data, or make the client "
                "with clip=True to use the nearest value in range."
            )
        nearest = np.rint(position)
        if self.exact and not round_inputs:
            off = np.abs(position - nearest) > self.slack
            if off.any():
                feature = int(np.argwhere(off)[0][1])
                raise InputError(
                    f"{name(feature)} must be {self.lower[feature]:g} plus a multiple of {self.step[feature]:g}. "
                    f"Got {_first(values, off, name)} instead. Make the client with round_inputs=True to round to "
                    "the nearest step."
                )
        return np.clip(nearest.astype(np.int64), self.low, self.high)


def _first(values: Reals, mask: npt.NDArray[np.bool_], name: Callable[[int], str]) -> str:
    row, column = (int(i) for i in np.argwhere(mask)[0])
    return f"{values[row, column]:.9g} (sample {row}, {name(column).rstrip(',')})"
