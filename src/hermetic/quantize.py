"""Reals to integers, on both sides, with the worst case known.

A feature's public grid maps a real x to the integer round((x - offset)/step) in [low, high]. A model's private
weights map to integers at one public scale 2^-s. Then

    W·x + b  =  2^-s · (integers) + error,      |error| <= guaranteed, for every x in range

and more precision than T-bit results allow comes from *limbs*: an integer weight w = sum of w_i·2^(i·limb_bits) becomes
several outputs of the same engine, recombined by the client.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, PrecisionError

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.signedinteger[Any]]
"""int64, or in large models a narrower type that holds them."""

ON_GRID = 2.0**-14
"""An exact grid accepts values this close to a grid point, in steps: float32 pixels divided by 255 qualify."""

ON_WHOLE_NUMBERS = 2.0**-32
"""The same for a grid of whole numbers, which every type of float holds exactly."""

MAX_RESULT_BITS = 62
_MAX_SCALE_EXPONENT = 1000
_UNDERFLOW = 1e-290
_BLOCK = 1 << 20
"""Weights that are worked on at a time, so that no step takes a multiple of their memory."""


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
            raise InputError(f"inputs must be finite. Got {_first(values, ~np.isfinite(values))} instead.")
        if clip:
            values = np.clip(values, self.lower, self.upper)
        position = (values - self.offset) / self.step
        outside = (position < self.low - 0.5) | (position > self.high + 0.5)
        if outside.any():
            feature = int(np.argwhere(outside)[0][1])
            raise InputError(
                f"{name(feature)} must be between {self.lower[feature]:g} and {self.upper[feature]:g}. "
                f"Got {_first(values, outside)} instead. Check the units of the data, or make the client "
                "with clip=True to use the nearest value in range."
            )
        nearest = np.rint(position)
        if self.exact and not round_inputs:
            off = np.abs(position - nearest) > self.slack
            if off.any():
                feature = int(np.argwhere(off)[0][1])
                raise InputError(
                    f"{name(feature)} must be {self.lower[feature]:g} plus a multiple of {self.step[feature]:g}. "
                    f"Got {_first(values, off)} instead. Make the client with round_inputs=True to round to "
                    "the nearest step."
                )
        return np.clip(nearest.astype(np.int64), self.low, self.high)


def _first(values: Reals, mask: npt.NDArray[np.bool_]) -> str:
    row, column = (int(i) for i in np.argwhere(mask)[0])
    return f"{values[row, column]:.9g} (sample {row}, feature {column})"


@dataclass(frozen=True, eq=False)
class IntegerMap:
    """A private affine map over integers: limb-outputs (k·limbs, d), ordered limb by limb, least significant first."""

    weights: Weights
    bias: Integers
    scale_exponent: int
    limbs: int
    limb_bits: int

    def apply(self, values: Integers) -> Integers:
        """The integer reference: (n, d) -> (n, k·limbs), what decryption must give bit for bit."""
        parts = [values @ self.weights[rows].T.astype(np.int64) for rows in row_blocks(self.weights)]
        return np.concatenate(parts, axis=1) + self.bias

    @cached_property
    def norms(self) -> list[int]:
        """||w_v||_1 of every limb-output; exact, where int64 sums may overflow."""
        found = []
        for rows in row_blocks(self.weights):
            absolute = np.abs(self.weights[rows].astype(np.int64))
            high, low = (absolute >> 31).sum(axis=1), (absolute & ((1 << 31) - 1)).sum(axis=1)
            found += [(one << 31) + other for one, other in zip(high.tolist(), low.tolist(), strict=True)]
        return found


def row_blocks(weights: npt.NDArray[Any]) -> list[slice]:
    """The rows of a matrix (k, d), about a million numbers at a time; none has no rows."""
    rows, columns = weights.shape
    step = max(1, _BLOCK // max(1, columns))
    return [slice(first, first + step) for first in range(0, max(1, rows), step)]


def worst_case(weights: Weights, bias: Integers, grid: Grid) -> int:
    """An upper bound on |result| over every output and every input in range."""
    largest, terms = _reach(weights, bias, grid)
    return math.ceil(largest + terms * (grid.features + 8) * 2.0**-52)


def _reach(weights: npt.NDArray[Any], bias: npt.NDArray[Any], grid: Grid) -> tuple[float, float]:
    """The largest |weights·x + bias| over every x in range, and the largest sum of its absolute terms."""
    largest = terms = 0.0
    for rows in row_blocks(weights):
        some, shift = weights[rows].astype(np.float64), bias[rows].astype(np.float64)
        largest = max(largest, float(grid.largest_result(some, shift).max(initial=0.0)))
        terms = max(terms, float((grid.largest_sum(np.abs(some)) + np.abs(shift)).max(initial=0.0)))
    return largest, terms


def quantize_map(weights: Reals, bias: Reals, grid: Grid, result_bits: int, limbs: int) -> IntegerMap:
    """The finest integers for ``weights`` (k, d) and ``bias`` (k,), both in units of grid steps, that T bits hold.

    Raises
    ------
    PrecisionError
        If not even one-bit weights fit.
    """
    limit = (1 << (result_bits - 1)) - 1
    limb_bits = 0
    if limbs > 1:
        reach = grid.reach + 1
        limb_bits = min((limit // reach).bit_length(), (MAX_RESULT_BITS - 1) // limbs)
        if limb_bits < 2:
            raise PrecisionError(f"{result_bits}-bit results leave no room for limbs over {grid.features} features.")
    exponent = _finest_exponent(weights, bias, grid, result_bits - 1 + limb_bits * (limbs - 1))
    for s in range(exponent, exponent - 4, -1):
        candidate = _at_scale(weights, bias, s, limbs, limb_bits)
        if worst_case(candidate.weights, candidate.bias, grid) <= limit:
            return candidate
    raise PrecisionError(f"{result_bits}-bit results cannot hold these weights.")


def _finest_exponent(weights: Reals, bias: Reals, grid: Grid, bits: int) -> int:
    """The largest s for which results times 2^s stay below 2^bits, and weights times 2^s fit 62 bits."""
    largest, _ = _reach(weights, bias, grid)
    if largest == 0:
        return 0
    heaviest = MAX_RESULT_BITS - 1 - math.frexp(_heaviest(weights))[1]
    return min(bits - math.frexp(largest)[1], heaviest, _MAX_SCALE_EXPONENT)


def _heaviest(weights: Reals) -> float:
    """The largest |weight|."""
    return max(float(weights.max(initial=0.0)), -float(weights.min(initial=0.0)))


def _at_scale(weights: Reals, bias: Reals, exponent: int, limbs: int, limb_bits: int) -> IntegerMap:
    k, d = weights.shape
    out = np.empty((limbs * k, d), dtype=_type_for(weights, exponent, limb_bits))
    for rows in row_blocks(weights):
        some = np.rint(np.ldexp(weights[rows], exponent)).astype(np.int64)
        for i, limb in enumerate(_balanced_limbs(some, limbs, limb_bits)):
            out[i * k + rows.start : i * k + rows.start + len(some)] = limb
    # A bias has as many bits as all limbs of a result together: more than 64.
    b = np.array([int(one) for one in np.rint(np.ldexp(bias, exponent)).tolist()], dtype=object)
    bias_limbs = np.concatenate(_balanced_limbs(b, limbs, limb_bits)).astype(np.int64)
    return IntegerMap(out, bias_limbs, exponent, limbs, limb_bits)


def _type_for(weights: Reals, exponent: int, limb_bits: int) -> type[np.signedinteger[Any]]:
    """int64; where there are many weights, the narrowest type that holds each and each limb."""
    bits = max(math.frexp(_heaviest(weights))[1] + exponent + 2, limb_bits + 1)
    fits = [one for one in (np.int16, np.int32) if bits <= np.iinfo(one).bits and weights.size > _BLOCK]
    return fits[0] if fits else np.int64


def _balanced_limbs(values: npt.NDArray[Any], limbs: int, limb_bits: int) -> list[npt.NDArray[Any]]:
    """values = sum of limb_i·2^(i·limb_bits), all limbs but the last in [-2^(limb_bits-1), 2^(limb_bits-1))."""
    out = []
    for _ in range(limbs - 1):
        half = 1 << (limb_bits - 1)
        digit = ((values + half) & ((1 << limb_bits) - 1)) - half
        out.append(digit)
        values = (values - digit) >> limb_bits
    return [*out, values]


def recombine(results: Integers, limbs: int, limb_bits: int, scale_exponent: int) -> Reals:
    """Integer results (n, k·limbs) as reals (n, k); the only rounding is float64's."""
    n, width = results.shape
    parts = np.ldexp(
        results.reshape(n, limbs, width // limbs).astype(np.float64),
        (limb_bits * np.arange(limbs) - scale_exponent)[None, :, None],
    )
    return np.asarray(parts.sum(axis=1))


def guaranteed_error(
    weights: Reals, bias: Reals, offset_part: Reals, integers: IntegerMap, grid: Grid, own_error: Reals | float = 0.0
) -> float:
    """Worst-case |score - estimator's score| over every input in range, rounded up to two significant digits.

    ``weights`` (k, d) and ``bias`` (k,) are the reals in units of grid steps; ``offset_part`` (k,) bounds the
    absolute terms that were added into the bias. Float64 rounding, the estimator's own included, is part of the bound;
    so is underflow, which makes 1e-290 the least of all bounds. ``own_error`` (k,) bounds what else the estimator
    itself rounds.
    """
    k, largest, own = len(bias), 0.0, np.broadcast_to(own_error, bias.shape)
    for rows in row_blocks(weights):
        some = weights[rows]
        w, b = some.copy(), bias[rows].copy()
        for i in range(integers.limbs):
            limb = slice(i * k + rows.start, i * k + rows.start + len(some))
            scale = math.ldexp(1.0, integers.limb_bits * i - integers.scale_exponent)
            w -= integers.weights[limb] * scale
            b -= integers.bias[limb] * scale
        absolute = np.abs(some)
        rounding = grid.largest_sum(np.abs(w, out=w)) + np.abs(b)
        off_grid = absolute @ (grid.slack * grid.alone)
        terms = grid.largest_sum(absolute) + np.abs(bias[rows]) + offset_part[rows]
        floating = terms * (grid.features + 16) * 2.0**-51
        largest = max(largest, float((rounding + off_grid + floating + own[rows]).max(initial=0.0)))
    return _round_up(largest + _UNDERFLOW)


def _round_up(value: float) -> float:
    """The least number of two significant decimal digits that is not smaller: it prints as it is."""
    exponent = math.floor(math.log10(value)) - 1
    digits = math.floor(value / 10.0**exponent)
    while float(f"{digits}e{exponent}") < value:
        digits += 1
    return float(f"{digits}e{exponent}")
