"""Which scale, limbs and layout: the finest integers that fit, and the layout that costs least."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import Integers, Reals
from ...errors import PrecisionError, UnsupportedModelError
from ...inputs.grid import Grid
from ...rlwe.parameters import FAST, Parameters
from ..bounds import MIN_LAMBDA_BITS
from ..decimals import round_up
from . import bounds
from .bounds import COFACTOR, SCORE_BITS
from .document import MAX_SLOTS, MAX_VALUES, MAX_WORDS
from .public import TreeCircuit
from .seal import find, polynomials_needed
from .slots import Slots
from .words import Words

_MAX_LIMBS = 3
_MAX_BYTES = 96 << 20
_MAX_POLYNOMIALS = 1 << 10
_HALF = 1 << (SCORE_BITS - 1)
_UNDERFLOW = 1e-290

_WAYS = (
    "fit fewer or smaller trees, or fit them on fewer bins (max_bin, max_bins), or publish their splits "
    "(splits='public')"
)


@dataclass(frozen=True, eq=False)
class TreeChoice:
    """A way to run trees, with what it guarantees.

    Attributes
    ----------
    circuit
        What becomes public.
    integers
        The private integer words.
    error
        Guaranteed bound on |score - estimator's score|.
    own_rounding
        What the estimator's own sums round (k,).
    """

    circuit: TreeCircuit
    integers: Words
    error: float
    own_rounding: Reals | float


def choose(
    words: Words,
    slots: Slots,
    grid: Grid,
    *,
    own_error: Reals | float = 0.0,
    tolerance: float | None = None,
    strict: bool = True,
) -> TreeChoice:
    """The cheapest choice that meets ``tolerance``; without one, that of one limb.

    Raises
    ------
    PrecisionError
        If no number of limbs meets the tolerance.
    UnsupportedModelError
        If the trees are too many or too large.
    """
    found = []
    for limbs in range(1, _MAX_LIMBS + 1):
        _check_size(words, slots, limbs)
        exponent, integers, limb_bits = quantized(words, slots, limbs)
        error = _error(words, exponent, own_error)
        found.append(error)
        if tolerance is None or error <= tolerance:
            circuit = _circuit(integers, slots, grid, words.columns, limbs, limb_bits, exponent, strict=strict)
            return TreeChoice(circuit, integers, error, own_error)
    raise PrecisionError(
        f"tolerance={tolerance:g} must be guaranteed for every input. The least error that can be is {min(found)!r}, "
        f"with {_MAX_LIMBS} limbs: pass tolerance={min(found)!r} or more."
    )


def _check_size(words: Words, slots: Slots, limbs: int) -> None:
    for what, count, most in (
        ("words", words.count, MAX_WORDS),
        ("values of words", words.base.size * limbs, MAX_VALUES),
        ("intervals of inputs", slots.slots, MAX_SLOTS),
    ):
        if count > most:
            raise UnsupportedModelError(f"trees must have at most {most:,} {what}. Got {count:,} instead: {_WAYS}.")


def slot_values(words: Words, slots: Slots) -> tuple[Words, Reals]:
    """The same words with their jumps in the order of words and bits, and the value (j, c) from each jump on."""
    order = np.lexsort((words.jump_bits, words.jump_words))
    ordered = replace(
        words, jump_words=words.jump_words[order], jump_bits=words.jump_bits[order], jumps=words.jumps[order]
    )
    sums = np.cumsum(ordered.jumps, axis=0)
    first = np.searchsorted(ordered.jump_words, ordered.jump_words)
    before = np.where(first[:, None] > 0, sums[np.maximum(first - 1, 0)], 0)
    values = ordered.base[ordered.jump_words] + sums - before
    of_nan = slots.of_nan[ordered.jump_bits]
    values[of_nan] = ordered.base[ordered.jump_words[of_nan]] + ordered.jumps[of_nan]
    return ordered, values


def quantized(words: Words, slots: Slots, limbs: int) -> tuple[int, Words, int]:
    """The finest scale 2^-exponent at which sums fit, the words as integers, and the bits of a limb.

    Values are rounded, not jumps: so every value is off by at most half a unit, whatever its slot.
    """
    ordered, values = slot_values(words, slots)
    reach = _reach(ordered, values)
    limb_bits = SCORE_BITS - (int(ordered.trees_of_output.max()) + 1).bit_length() if limbs > 1 else 0
    if limbs > 1 and limb_bits < 2:
        raise UnsupportedModelError(f"an output must have fewer trees: {_WAYS}.")
    most = (_HALF - 1 - int(ordered.trees_of_output.max())) << (limb_bits * (limbs - 1))
    exponent = math.floor(math.log2(most / reach)) if reach else 0
    exponent = max(-1000, min(exponent, 1000))
    base = np.rint(np.ldexp(ordered.base, exponent)).astype(np.int64)
    at = np.rint(np.ldexp(values, exponent)).astype(np.int64)
    bias = np.rint(np.ldexp(ordered.bias, exponent)).astype(np.int64).reshape(len(ordered.trees_of_output), 1, -1)
    columns = limbs * words.columns
    base = _limbs(base[:, None], limbs, limb_bits).reshape(-1, columns)
    at = _limbs(at[:, None], limbs, limb_bits).reshape(-1, columns)
    integers = replace(
        ordered,
        base=base,
        jumps=_jumps(ordered, slots, base, at),
        bias=_limbs(bias, limbs, limb_bits).reshape(-1),
    )
    return exponent, integers, limb_bits


def _jumps(words: Words, slots: Slots, base: Integers, at: Integers) -> Integers:
    """The jumps (j, c) between values."""
    starts = base[words.jump_words]
    follows = np.append(False, np.diff(words.jump_words) == 0) & ~slots.of_nan[words.jump_bits]
    before = np.where(follows[:, None], np.roll(at, 1, axis=0), starts) if len(at) else starts
    return np.asarray(at - before)


def _limbs(values: Integers, limbs: int, limb_bits: int) -> Integers:
    """Integers (..., 1, c) as balanced limbs (..., limbs, c), least significant first."""
    out = []
    for _ in range(limbs - 1):
        half = 1 << (limb_bits - 1)
        digit = ((values + half) & ((1 << limb_bits) - 1)) - half
        out.append(digit)
        values = (values - digit) >> limb_bits
    return np.concatenate([*out, values], axis=-2)


def _reach(words: Words, values: Reals) -> float:
    """The largest sum of absolute values over all trees of an output, of any column."""
    largest = np.zeros((len(words.outputs), words.columns))
    np.maximum.at(largest, words.trees, np.abs(words.base))
    np.maximum.at(largest, words.trees[words.jump_words], np.abs(values))
    sums = np.zeros((len(words.trees_of_output), words.columns))
    np.add.at(sums, words.outputs, largest)
    return float((sums.reshape(-1) + np.abs(words.bias)).max())


def _error(words: Words, exponent: int, own_error: Reals | float) -> float:
    """Half a unit for every tree and the bias, what the estimator rounds itself, and float64 here."""
    units = np.repeat((words.trees_of_output + 1) * math.ldexp(0.5, -exponent), words.columns)
    return round_up(float((units + own_error).max()) * (1 + 2.0**-40) + _UNDERFLOW)


def _circuit(
    integers: Words,
    slots: Slots,
    grid: Grid,
    columns: int,
    limbs: int,
    limb_bits: int,
    exponent: int,
    *,
    strict: bool,
) -> TreeCircuit:
    def made(bits: int, seal: tuple[tuple[int, ...], ...]) -> TreeCircuit:
        return TreeCircuit(
            parameters=FAST,
            grid=grid,
            slots=slots,
            words=tuple(integers.words_of_output.tolist()),
            trees=tuple(integers.trees_of_output.tolist()),
            columns=columns,
            limbs=limbs,
            limb_bits=limb_bits,
            scale_exponent=exponent,
            bits=bits,
            seal=seal,
            strict=strict,
            lambda_bits=0.0,
        )

    def estimate(bits: int) -> float:
        seal = ((bits - 1,),) * polynomials_needed(FAST.ring_degree, bits)
        return made(bits, seal).cost(1).estimated_ms

    best = min(_divisions(slots.bits, FAST), key=estimate)
    circuit = made(best, find(FAST.ring_degree, best))
    size = circuit.query_bytes(1) + circuit.result_bytes(1)
    if size > _MAX_BYTES:
        raise UnsupportedModelError(
            f"a query for one sample and its answer must take at most {_MAX_BYTES >> 20} MiB. These trees take "
            f"{size >> 20} MiB: {_WAYS}."
        )
    flooding = math.floor(lambda_bits(integers, circuit) * 10) / 10
    if flooding < MIN_LAMBDA_BITS:
        raise UnsupportedModelError(
            f"answers must be flooded by {MIN_LAMBDA_BITS} bits. Those of these trees are by {flooding}: {_WAYS}."
        )
    return replace(circuit, lambda_bits=flooding)


def _divisions(bits: int, parameters: Parameters) -> Iterator[int]:
    """The bits of a query polynomial, for every number of polynomials that they may be divided into."""
    found = {-(-bits // m) for m in range(1, min(bits, _MAX_POLYNOMIALS) + 1)}
    yield from sorted(one for one in found if one <= parameters.ring_degree // 8 or one == min(found))


def lambda_bits(integers: Words, circuit: TreeCircuit) -> float:
    """The least flooding of checks and scores, in bits: that of the polynomial with the largest weights, in the worst
    order of words.
    """
    paths = np.zeros(integers.count, dtype=np.int64)
    np.add.at(paths, integers.condition_words[integers.term_conditions], np.abs(integers.term_signs))
    paths *= COFACTOR * _HALF
    jumps = np.zeros((integers.count, integers.base.shape[1]), dtype=np.int64)
    np.add.at(jumps, integers.jump_words, np.abs(integers.jumps) * COFACTOR)
    norms = {bounds.CHECKED: np.tile(paths, bounds.CHECKS), bounds.SCORES: (paths[:, None] + jumps).reshape(-1)}
    found = []
    for precision, each in norms.items():
        count = bounds.words_per_polynomial(circuit.parameters, precision, circuit.bits)
        largest = int(np.sort(each)[-count:].sum())
        found.append(bounds.lambda_bits(circuit.parameters, precision, largest))
    return min(found)
