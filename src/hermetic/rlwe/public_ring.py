"""Public ring operations of one parameter set, on the native ring. No secret passes through here.

Residues are int64 in [0, p). *Lanes* are the same words as the native ring computes with them: float64, centred,
|x| <= p/2, see ``native/README.md``. Shapes as in :mod:`hermetic.rlwe.ring`:

    polynomial    (L, N)       one row a prime
    ciphertext    (2, L, N)    c0, c1
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..arrays import Integers, Residues
from . import native
from .parameters import Parameters
from .randomness import Stream

Lanes = npt.NDArray[np.float64]

_UNIFORM_BYTES, _BINOMIAL_BYTES, _FLOOD_BYTES = 4, 6, 16


class PublicRing:
    """The ring of a parameter set, modulo the primes of queries or some of them. Use :meth:`of`: making one takes some
    ms.
    """

    def __init__(self, parameters: Parameters, primes: tuple[int, ...]) -> None:
        self.parameters = parameters
        self._primes, self._degree = len(primes), parameters.ring_degree
        self._query_primes = primes
        self._native = native.Ring(self._degree, primes, len(parameters.kept_primes))

    @staticmethod
    @lru_cache(maxsize=16)
    def of(parameters: Parameters, level: int | None = None) -> PublicRing:
        """The ring of queries, or that of the first ``level`` primes of data; made once in a process."""
        return PublicRing(parameters, parameters.query_primes if level is None else parameters.data_primes[:level])

    def ntt(self, polynomials: Residues) -> Residues:
        """Coefficients to evaluation form; (n, l, N), where the l rows belong to the first l data primes."""
        return self._transformed(polynomials, self._native.forward)

    def intt(self, polynomials: Residues) -> Residues:
        """Evaluation form to coefficients; (n, l, N), where the l rows belong to the first l data primes."""
        return self._transformed(polynomials, self._native.inverse)

    def _transformed(self, polynomials: Residues, transform: Callable[[Lanes], None]) -> Residues:
        polynomials = np.ascontiguousarray(polynomials)
        lanes, out = np.empty(polynomials.shape), np.empty_like(polynomials)
        self._native.lift(polynomials, lanes)
        transform(lanes)
        self._native.lower(lanes, out)
        return out

    def encode(self, coefficients: Integers) -> Lanes:
        """Integer polynomials in X^(N/n), (..., n) with n a power of two, as their n distinct values (..., L, n)."""
        *shape, points = coefficients.shape
        out = np.empty((*shape, self._primes, points))
        flat = out.reshape(-1, self._primes, points)
        self._native.reduce_integers(
            np.ascontiguousarray(coefficients).reshape(-1, points), np.ones(self._primes), flat
        )
        self._native.forward(flat)
        return out

    def scaled(self, polynomials: Integers, factor: int) -> Residues:
        """Integer polynomials (n, N) times any factor, in evaluation form (n, l, N): modulo all primes, or modulo
        the kept ones where it is zero modulo the others.
        """
        one = self.parameters
        primes = self._query_primes if factor % one.rescale_factor else one.kept_primes
        shape = (len(polynomials), len(primes), self._degree)
        lanes, out = np.empty(shape), np.empty(shape, dtype=np.int64)
        halves = [(factor + prime // 2) % prime - prime // 2 for prime in primes]
        self._native.reduce_integers(np.ascontiguousarray(polynomials), np.array(halves, dtype=np.float64), lanes)
        self._native.forward(lanes)
        self._native.lower(lanes, out)
        return out

    def empty_ciphertexts(self, count: int) -> Lanes:
        """Room for :meth:`lift`: (count, 2, L, N)."""
        return np.empty((count, 2, self._primes, self._degree))

    def lift(self, c0: Residues, c1: Residues, out: Lanes) -> None:
        """Write the lanes (m, 2, L, N) of ciphertexts whose halves have shape (m, L, N)."""
        self._native.lift_pairs(np.ascontiguousarray(c0), np.ascontiguousarray(c1), out)

    def add_products(self, total: Lanes, ciphertexts: Lanes, weights: Lanes, *, fresh: bool) -> None:
        """total[g] += sum over b of ciphertexts[b]·weights[g, b], or = where ``fresh``.

        Parameters
        ----------
        total
            (G, 2, L, N), overwritten.
        ciphertexts
            (m, 2, L, N).
        weights
            (G, m, L, n) from :meth:`encode`.
        """
        self._native.products(ciphertexts, weights, total, not fresh)

    def sparse_products(
        self, ciphertexts: Lanes, starts: Integers, places: Integers, weights: Integers, total: Lanes
    ) -> None:
        """As :meth:`add_products`, for weights that are polynomials of few coefficients.

        Parameters
        ----------
        ciphertexts
            (m, 2, L, N).
        starts
            Where the coefficients of each polynomial of (G, m) start (G·m + 1,).
        places, weights
            The exponent of each coefficient, below N, and its integer (e,); those of one exponent are added.
        total
            (G, 2, L, N), overwritten.
        """
        self._native.sparse_products(ciphertexts, starts, places, weights, total)

    def mask(self, answer: Lanes, key: Lanes, bits: int, stream: Stream) -> None:
        """Add u·(b, a) to every polynomial of products (G, 2, L, N), with u fresh and uniform among 2^bits integers in
        every coefficient, and turn the sums into coefficients. Errors are added by the two steps that follow.
        """
        self._native.mask(answer, key, stream.take(len(answer) * self._degree * _UNIFORM_BYTES), bits)
        self._native.inverse(answer.reshape(-1, self._primes, self._degree))

    def rescaled_c1(self, answer: Lanes, stream: Stream) -> Residues:
        """The c1 (G, l, N) of masked sums, with fresh errors, divided by the dropped primes and rounded."""
        out = np.empty((len(answer), len(self.parameters.kept_primes), self._degree), dtype=np.int64)
        self._native.rescale(answer, stream.take(len(answer) * self._degree * _BINOMIAL_BYTES), out)
        return out

    def target_words(
        self, answer: Lanes, places: Integers, offsets: Residues, flood_bits: int, stream: Stream
    ) -> Residues:
        """The words (l, T) of the c0 of masked sums at ``places`` in (G, N): fresh errors, offsets (T, L) and flooding,
        uniform in [-2^(flood_bits-1), 2^(flood_bits-1)), are added, then the sum is divided by the dropped primes and
        rounded.
        """
        count = len(places)
        out = np.empty((len(self.parameters.kept_primes), count), dtype=np.int64)
        errors, flood = stream.take(count * _BINOMIAL_BYTES), stream.take(count * _FLOOD_BYTES)
        self._native.target_words(answer, places, offsets, errors, flood, flood_bits, out)
        return out
