"""Exact arithmetic modulo a prime below 2^50, in NumPy.

Only public ciphertext words, public plaintexts and the model's weights pass through here; nothing in this
module ever sees a secret key.

Residues are int64 in [0, p). Two facts make the arithmetic exact:

* a product a·b of residues is known modulo 2^64 from wrapping integer arithmetic, and its quotient by p is known
  to within one from float64, so ``a*b - quotient*p`` is the product up to one multiple of p
  (Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 2, with a float64 quotient);
* a float64 matrix product of integers is exact while every row's sum of absolute products is below 2^53.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import Residues

_WORD_LIMB_BITS = 25
_EXACT_BITS = 53
_BLAS_MIN_COLUMNS = 64


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


def subtract(a: Residues, b: Residues, primes: Sequence[int]) -> Residues:
    """Residue-wise difference of two arrays (..., L, N)."""
    moduli = np.array(primes, dtype=np.int64)[:, None]
    difference = a - b
    difference += (difference >> 63) & moduli
    return difference


def divide_and_round(residues: Residues, primes: Sequence[int], keep: int) -> Residues:
    """Divide by the primes after the first ``keep`` and round to nearest: (..., L, N) -> (..., keep, N).

    The rounding adds at most 1/2 to every coefficient per dropped prime. This is rescaling in the residue number
    system (Cheon, Han, Kim, Kim and Song, SAC 2018), in coefficient form.
    """
    while residues.shape[-2] > keep:
        last = residues.shape[-2] - 1
        top = residues[..., last, :]
        centred = np.where(top > primes[last] // 2, top - primes[last], top)
        rows = [
            multiply(reduce(residues[..., i, :] - centred, p), pow(primes[last], -1, p), p)
            for i, p in enumerate(primes[:last])
        ]
        residues = np.stack(rows, axis=-2)
    return residues


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


class ModularMatrix:
    """Matrices of weights, one per evaluation point, ready to be multiplied modulo a prime.

    Parameters
    ----------
    weights
        int64 of shape (P, G, m), any representatives modulo the prime. Small ones (plain integers, as in the bulk
        layout) make the product cheaper.
    prime
        The modulus, below 2^50.
    columns
        How many words share an evaluation point and a ciphertext component. From 64 up, the product is done by BLAS;
        below that, element by element.
    """

    def __init__(self, weights: npt.NDArray[np.int64], prime: int, columns: int) -> None:
        self.prime = prime
        self.outputs = weights.shape[1]
        self._blas = columns >= _BLAS_MIN_COLUMNS
        if self._blas:
            self._limbs, self._limb_bits = _split_weights(weights, prime)
        else:
            self._weights = np.ascontiguousarray(np.moveaxis(reduce(weights, prime), 0, -1))
            self._inverse = 1 / prime

    @property
    def nbytes(self) -> int:
        """What the matrices take in memory."""
        return sum(limb.nbytes for limb in self._limbs) if self._blas else self._weights.nbytes

    def product(self, words: Residues) -> Residues:
        """Multiply with words.

        Parameters
        ----------
        words
            Residues of shape (m, C, P, B): m polynomials of C components, in evaluation form.

        Returns
        -------
        Residues of shape (G, C, P, B).
        """
        return self._blas_product(words) if self._blas else self._elementwise_product(words)

    def _elementwise_product(self, words: Residues) -> Residues:
        """m·G element-wise products; sums stay below 2^63 because m <= 2^11 and each term is below 2p."""
        out = np.empty((self.outputs, *words.shape[1:]), dtype=np.int64)
        for g in range(self.outputs):
            total = self._term(words[0], g, 0)
            for j, polynomial in enumerate(words[1:], start=1):
                total += self._term(polynomial, g, j)
            out[g] = _canonical(total, self.prime) if len(words) == 1 else reduce(total, self.prime)
        return out

    def _term(self, polynomial: Residues, g: int, j: int) -> npt.NDArray[np.int64]:
        weight = self._weights[g, j, :, None]
        return _lazy_product(polynomial, weight, np.multiply(weight, self._inverse, dtype=np.float64), self.prime)

    def _blas_product(self, words: Residues) -> Residues:
        """2·(weight limbs) float64 matrix products per evaluation point, each exact."""
        polynomials, components, points, columns = words.shape
        rows = np.moveaxis(words, 2, 0).reshape(points, polynomials, components * columns)
        high = (rows >> _WORD_LIMB_BITS).astype(np.float64)
        low = rows - high * (1 << _WORD_LIMB_BITS)
        total = np.zeros((points, self.outputs, rows.shape[2]), dtype=np.int64)
        for i, limb in enumerate(self._limbs):
            for word_limb, shift in ((low, 0), (high, _WORD_LIMB_BITS)):
                partial = reduce((limb @ word_limb).astype(np.int64), self.prime)
                weight = pow(2, shift + i * self._limb_bits, self.prime)
                total += multiply(partial, weight, self.prime)
        shape = (points, self.outputs, components, columns)
        return np.moveaxis(reduce(total, self.prime).reshape(shape), 0, 2)


def _split_weights(weights: npt.NDArray[np.int64], prime: int) -> tuple[list[npt.NDArray[np.float64]], int]:
    """Weights as float64 limbs whose products with 25-bit words sum to less than 2^53 in every row."""
    centred = np.where(np.abs(weights) > prime // 2, reduce(weights, prime), weights)
    centred = np.where(centred > prime // 2, centred - prime, centred)
    row_bits = _EXACT_BITS - _WORD_LIMB_BITS
    if np.abs(centred).astype(np.float64).sum(axis=-1).max(initial=0.0) < 1 << row_bits:
        return [centred.astype(np.float64)], 0
    limb_bits = row_bits - max(1, (weights.shape[-1] - 1).bit_length())
    limbs = []
    while centred.any():
        digit = ((centred + (1 << (limb_bits - 1))) & ((1 << limb_bits) - 1)) - (1 << (limb_bits - 1))
        limbs.append(digit.astype(np.float64))
        centred = (centred - digit) >> limb_bits
    return limbs, limb_bits
