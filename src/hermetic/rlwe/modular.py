"""Exact arithmetic modulo a prime below 2^50, in NumPy.

Only public ciphertext words, public plaintexts and the model's weights pass through here; nothing in this
module ever sees a secret key.

Residues are int64 in [0, p). The arithmetic is exact: a product a·b of residues is known modulo 2^64 from wrapping
integer arithmetic, and its quotient by p is known to within one from float64, so ``a*b - quotient*p`` is the product up
to one multiple of p (Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 2, with a float64
quotient).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import Residues


def reduce(values: npt.NDArray[np.int64], prime: int) -> Residues:
    """``values mod prime`` in [0, prime), for any int64 values."""
    out = np.fmod(values, np.int64(prime))
    out += (out >> 63) & prime
    return out


def _lazy_product(a: Residues, b: Residues, b_over_prime: npt.NDArray[np.float64], prime: int) -> Residues:
    multiple = (a * b_over_prime).astype(np.int64)
    multiple *= np.int64(prime)
    product = a * b
    product -= multiple
    return product


def _canonical(values: npt.NDArray[np.int64], prime: int) -> Residues:
    """Values in (-prime, 2·prime) as residues, in place."""
    values += (values >> 63) & prime
    values -= prime
    values += (values >> 63) & prime
    return values


def multiply(a: Residues, b: Residues | int, prime: int) -> Residues:
    """``a·b mod prime`` element by element; a and b are residues that broadcast together."""
    b = np.asarray(b, dtype=np.int64)
    return _canonical(_lazy_product(a, b, b / prime, prime), prime)


def from_integers(values: npt.NDArray[np.int64], primes: Sequence[int]) -> Residues:
    """Signed integers of shape (..., N) as residues of shape (..., L, N)."""
    return np.stack([reduce(values, prime) for prime in primes], axis=-2)


def scale(residues: Residues, factor: int, primes: Sequence[int]) -> Residues:
    """Residues (..., L, N) times an integer of any size."""
    out = [multiply(residues[..., i, :], factor % p, p) for i, p in enumerate(primes)]
    return np.stack(out, axis=-2)


def add(a: Residues, b: Residues, primes: Sequence[int]) -> Residues:
    """Residue-wise sum of two arrays (..., L, N)."""
    moduli = np.array(primes, dtype=np.int64)[:, None]
    total = a + b
    total -= moduli
    total += (total >> 63) & moduli
    return total


def to_centred_integers(residues: Residues, primes: Sequence[int]) -> npt.NDArray[np.object_]:
    """Residues (..., L, N) as Python integers (..., N) in (-q/2, q/2), by Garner's algorithm."""
    value = residues[..., 0, :].astype(object)
    modulus = primes[0]
    for i, p in enumerate(primes[1:], start=1):
        inverse = pow(modulus, -1, p)
        gap = reduce(residues[..., i, :] - (value % p).astype(np.int64), p)
        value = value + modulus * multiply(gap, inverse, p).astype(object)
        modulus *= p
    return np.where(value > modulus // 2, value - modulus, value)
