"""Slots: n = N/2 complex numbers in a polynomial, so that products of polynomials are products slot by slot.

Slot s of a polynomial m(X) of real coefficients is m(zeta^(3^s)), with zeta = exp(i·pi/N): the canonical embedding of
CKKS (Cheon, Kim, Kim and Song, ASIACRYPT 2017), in the order in which rotations are automorphisms.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from ...rlwe.levels import GENERATOR

Slots = npt.NDArray[np.complex128]

INTEGER_BITS = 40
"""Coefficients are rounded at this scale at most, whatever they are multiplied by afterwards: their integers stay exact
in 64 bits, and their rounding below what float64 keeps.
"""


@lru_cache(maxsize=4)
def exponents(ring_degree: int) -> npt.NDArray[np.int64]:
    """3^s modulo 2N, (n,): slot s is the polynomial at zeta to this power."""
    out = np.empty(ring_degree // 2, dtype=np.int64)
    power = 1
    for s in range(len(out)):
        out[s] = power
        power = power * GENERATOR % (2 * ring_degree)
    return out


@lru_cache(maxsize=4)
def roots(ring_degree: int) -> Slots:
    """zeta^(3^s), (n,)."""
    return np.asarray(np.exp(1j * np.pi * exponents(ring_degree) / ring_degree))


@lru_cache(maxsize=4)
def _twist(ring_degree: int) -> Slots:
    return np.asarray(np.exp(-1j * np.pi * np.arange(ring_degree) / ring_degree))


def coefficients(slots: Slots | Reals, ring_degree: int) -> Reals:
    """The real coefficients (..., N) of slots (..., n)."""
    places = (exponents(ring_degree) - 1) // 2
    values = np.empty((*slots.shape[:-1], ring_degree), dtype=np.complex128)
    values[..., places] = slots
    values[..., ring_degree - 1 - places] = np.conj(slots)
    return np.asarray((np.fft.fft(values) * (_twist(ring_degree) / ring_degree)).real)


def values(polynomials: Reals | Integers, ring_degree: int) -> Slots:
    """The slots (..., n) of real coefficients (..., N)."""
    found = np.fft.ifft(polynomials * np.conj(_twist(ring_degree))) * ring_degree
    return np.asarray(found[..., (exponents(ring_degree) - 1) // 2])


def rounded(slots: Slots | Reals, ring_degree: int, exponent: float) -> tuple[Integers, int]:
    """Slots times 2^exponent as integers (..., N) times a whole factor: coefficients are rounded at a scale of
    2^:data:`INTEGER_BITS` at most.
    """
    factor = 1 << max(0, int(exponent) - INTEGER_BITS)
    scaled = coefficients(slots, ring_degree) * (2.0**exponent / factor)
    return np.rint(scaled).astype(np.int64), factor
