"""The seal's layout: targets at which every *unused* coefficient of a query is tested.

A query polynomial holds its bits in the coefficients 0 … f-1; the others must be zero, because in a product they meet
the weights of neighbouring words. A limb of the seal is one more word, whose weight polynomial is zero where bits meet
it, and wide and random elsewhere. With its target at t, the coefficient c meets the weight at t - c. So the weights in
t-f+1 … t are zero, for every target t of a polynomial, and c is tested by those limbs alone whose t - c is in none of
these windows. :func:`find` searches targets so that every unused coefficient is tested by many limbs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import UnsupportedModelError
from .bounds import COVERAGE

Seal = tuple[tuple[int, ...], ...]

_MAX_POLYNOMIALS = 64
_MAX_LIMBS = 48
_TRIES = 24


def windows(ring_degree: int, bits: int, places: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Where the weight polynomial (N,) of some targets is zero."""
    zero = np.zeros(ring_degree, dtype=np.bool_)
    zero[(np.array(places)[:, None] - np.arange(bits)) % ring_degree] = True
    return zero


def coverage(ring_degree: int, bits: int, seal: Seal) -> npt.NDArray[np.int64]:
    """How many limbs test each of the unused coefficients (N - f,)."""
    unused = np.arange(bits, ring_degree)
    found = np.zeros(len(unused), dtype=np.int64)
    for places in seal:
        zero = windows(ring_degree, bits, places)
        found += (~zero[(np.array(places)[:, None] - unused) % ring_degree]).sum(axis=0)
    return found


def polynomials_needed(ring_degree: int, bits: int) -> int:
    """About how many result polynomials a seal takes, without a search."""
    limbs = _limbs(ring_degree, bits)
    each = limbs * (1 - limbs * bits / ring_degree)
    return 1 + int(COVERAGE / max(each, 0.25))


def find(ring_degree: int, bits: int) -> Seal:
    """A seal whose coverage is :data:`COVERAGE` or more; the same for the same numbers.

    Raises
    ------
    UnsupportedModelError
        If 64 polynomials are not enough, because a query polynomial holds too many bits.
    """
    random = np.random.default_rng(bits)
    seal: Seal = ()
    while len(seal) < _MAX_POLYNOMIALS:
        tries = [(*seal, _draw(random, ring_degree, bits)) for _ in range(_TRIES)]
        seal = max(tries, key=lambda one: int(coverage(ring_degree, bits, one).min()))
        if coverage(ring_degree, bits, seal).min() >= COVERAGE:
            return seal
    raise UnsupportedModelError(f"a query polynomial must hold fewer bits than {bits}.")


def _limbs(ring_degree: int, bits: int) -> int:
    return max(1, min(_MAX_LIMBS, ring_degree // (2 * bits)))


def _draw(random: np.random.Generator, ring_degree: int, bits: int) -> tuple[int, ...]:
    free = np.arange(bits - 1, ring_degree)
    return tuple(sorted(random.choice(free, _limbs(ring_degree, bits), replace=False).tolist()))
