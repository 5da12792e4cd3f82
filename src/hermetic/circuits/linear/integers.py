"""Reals to integers, on both sides, with the worst case known.

A feature's public grid maps a real x to the integer round((x - offset)/step) in [low, high]. A model's private
weights map to integers at one public scale 2^-s. Then

    W·x + b  =  2^-s · (integers) + error,      |error| <= guaranteed, for every x in range

and more precision than T-bit results allow comes from *limbs*: an integer weight w = sum of w_i·2^(i·limb_bits) becomes
several outputs of the same engine, recombined by the client.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from ...errors import PrecisionError
from ...inputs.grid import Grid
from ..decimals import round_up

Weights = npt.NDArray[np.signedinteger[Any]]
"""int64, or in large models a narrower type that holds them."""

MAX_RESULT_BITS = 62
_MAX_SCALE_EXPONENT = 1000
_UNDERFLOW = 1e-290
_BLOCK = 1 << 20
"""Weights that are worked on at a time, so that no step takes a multiple of their memory."""


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
            found += [(upper << 31) + other for upper, other in zip(high.tolist(), low.tolist(), strict=True)]
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
    b = np.array([int(intercept) for intercept in np.rint(np.ldexp(bias, exponent)).tolist()], dtype=object)
    bias_limbs = np.concatenate(_balanced_limbs(b, limbs, limb_bits)).astype(np.int64)
    return IntegerMap(out, bias_limbs, exponent, limbs, limb_bits)


def _type_for(weights: Reals, exponent: int, limb_bits: int) -> type[np.signedinteger[Any]]:
    """int64; where there are many weights, the narrowest type that holds each and each limb."""
    bits = max(math.frexp(_heaviest(weights))[1] + exponent + 2, limb_bits + 1)
    fits = [dtype for dtype in (np.int16, np.int32) if bits <= np.iinfo(dtype).bits and weights.size > _BLOCK]
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
    return round_up(largest + _UNDERFLOW)
