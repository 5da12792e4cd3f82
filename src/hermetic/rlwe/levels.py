"""Ciphertexts that are multiplied: the ring modulo the first l primes of data, on the native ring.

No secret comes here.

Shapes, all lanes (see ``native/README.md``), in evaluation form:

    ciphertext    (2, l, N)      c0, c1
    product       (3, l, N)      c0, c1, c2, under 1, s and s^2
    extended      (2, l+1, N)    a ciphertext times the special prime, modulo it too
    digits        (l, l+1, N)    a polynomial's residues, balanced, each modulo all primes
    key           (l, 2, l+1, N)

Key switching is that of Brakerski, Gentry and Vaikuntanathan with digits by residues and a special prime (Gentry,
Halevi and Smart, CRYPTO 2012; Cheon, Han, Kim, Kim and Song, SAC 2018), as SEAL has it: SEAL's keys are the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Integers, Residues
from . import native
from .parameters import Parameters
from .public_ring import Lanes

GENERATOR = 3
"""A rotation by k slots is the automorphism X -> X^(3^k)."""

RELINEARISE, CONJUGATE = -1, 0
"""Steps of switching keys that are no rotations."""


def galois_element(step: int, ring_degree: int) -> int:
    """The exponent of the automorphism that rotates by ``step`` slots, or conjugates."""
    return 2 * ring_degree - 1 if step == CONJUGATE else pow(GENERATOR, step, 2 * ring_degree)


@lru_cache(maxsize=64)
def permutation(step: int, ring_degree: int) -> npt.NDArray[np.int32]:
    """Where each value (N,) of a rotated polynomial was before, in SEAL's order."""
    bits = ring_degree.bit_length() - 1
    index = np.arange(ring_degree)
    reversed_index = np.zeros_like(index)
    for bit in range(bits):
        reversed_index |= (index >> bit & 1) << (bits - 1 - bit)
    exponents = 2 * reversed_index + 1
    place = np.empty(2 * ring_degree, dtype=np.int32)
    place[exponents] = index
    found: npt.NDArray[np.int32] = place[exponents * galois_element(step, ring_degree) % (2 * ring_degree)]
    return found


@lru_cache(maxsize=64)
def _before(step: int, ring_degree: int) -> npt.NDArray[np.intp]:
    """Where each value (N,) of a polynomial goes when it is rotated."""
    return np.argsort(permutation(step, ring_degree))


@dataclass(frozen=True, eq=False)
class LoadedKey:
    """A switching key ready for use at one level: lanes (l, 2, l+1, N), and the permutation of its automorphism."""

    lanes: Lanes
    permutation: npt.NDArray[np.int32] | None

    def at_level(self, level: int) -> LoadedKey:
        """The key at this level or a lower one: without the digits and the primes that are gone."""
        if level == len(self.lanes):
            return self
        rows = [*range(level), len(self.lanes)]
        return LoadedKey(np.ascontiguousarray(self.lanes[:level][:, :, rows]), self.permutation)


@lru_cache(maxsize=16)
def _native_level(parameters: Parameters, level: int) -> native.Level:
    """Made once in a process: it takes some ms."""
    return native.Level(parameters.ring_degree, parameters.data_primes[:level], parameters.special_prime)


class Level:
    """What is done to ciphertexts at one level, by some threads, which share the rows of a polynomial among them. Use
    :meth:`of`.
    """

    def __init__(self, parameters: Parameters, level: int, threads: int = 1) -> None:
        self.level = level
        self.degree = parameters.ring_degree
        self.primes = (*parameters.data_primes[:level], parameters.special_prime)
        self._native = _native_level(parameters, level)
        self._threads = threads

    @staticmethod
    @lru_cache(maxsize=32)
    def of(parameters: Parameters, level: int, threads: int = 1) -> Level:
        """A level of a parameter set, made once in a process."""
        return Level(parameters, level, threads)

    @cached_property
    def _plain(self) -> native.Ring:
        return native.Ring(self.degree, self.primes[:-1], 1)

    def load(self, key: Residues, step: int) -> LoadedKey:
        """A switching key (l, 2, l+1, N) of a step, made ready."""
        lanes: Lanes = np.empty(key.shape)
        if step == RELINEARISE:
            self._native.lift(_rows(key), _rows(lanes))
            return LoadedKey(lanes, None)
        self._native.lift(_rows(np.take(key, _before(step, self.degree), axis=-1)), _rows(lanes))
        return LoadedKey(lanes, permutation(step, self.degree))

    def encode(self, integers: Integers, factor: int = 1) -> Lanes:
        """Polynomials of integers (m, N) times any factor, as extended values (m, l+1, N)."""
        out = np.empty((len(integers), self.level + 1, self.degree))
        halves = [(factor + prime // 2) % prime - prime // 2 for prime in self.primes]
        self._native.encode(np.ascontiguousarray(integers), np.array(halves, dtype=np.float64), out)
        return out

    def coefficients(self, polynomial: Lanes) -> Residues:
        """The coefficients (l, N) of a polynomial (l, N), as residues."""
        rows = np.ascontiguousarray(polynomial)[None].copy()
        out = np.empty(rows.shape, dtype=np.int64)
        self._plain.inverse(rows)
        self._plain.lower(rows, out)
        found: Residues = out[0]
        return found

    def dot(self, ciphertexts: Lanes, weights: Lanes) -> Lanes:
        """The sum over b of ciphertexts[b]·weights[b]: (m, 2, l, N) and (m, l, N), or both extended."""
        out = np.empty(ciphertexts.shape[1:])
        self._native.products(ciphertexts, weights, out, False, self._threads)
        return out

    def add_dot(self, total: Lanes, ciphertexts: Lanes, weights: Lanes) -> None:
        """total += the same."""
        self._native.products(ciphertexts, weights, total, True, self._threads)

    def add(self, total: Lanes, other: Lanes) -> None:
        """total += other, of one shape: ciphertexts or extended ones."""
        self._native.add(total, other)

    def multiply(self, a: Lanes, b: Lanes) -> Lanes:
        """The product (3, l, N) of two ciphertexts."""
        out = np.empty((3, self.level, self.degree))
        self._native.multiply(a, b, out)
        return out

    def relinearise(self, product: Lanes, key: LoadedKey) -> Lanes:
        """A product as a ciphertext again."""
        switched = self.shrink(self._switched(product[2], key))
        self.add(switched, product[:2])
        return switched

    def rotate(self, ciphertext: Lanes, key: LoadedKey) -> Lanes:
        """A ciphertext under an automorphism and back under its key."""
        return self.shrink(self._switched(ciphertext[1], key, ciphertext[0]))

    def rotate_extended(self, extended: Lanes, key: LoadedKey) -> Lanes:
        """An extended ciphertext rotated: c1 alone is divided by the special prime, for its digits."""
        return self._switched(extended[1], key, extended[0])

    def fold(self, extended: Lanes, key: LoadedKey) -> Lanes:
        """An extended ciphertext plus itself rotated."""
        return self._switched(extended[1], key, extended[0], extended)

    def rotate_digits(self, digits: Lanes, c0: Lanes, key: LoadedKey) -> Lanes:
        """A ciphertext rotated and extended, from c0 (l, N) and the digits of c1, which many rotations share."""
        out = np.empty((2, self.level + 1, self.degree))
        self._native.switch_key(digits, key.lanes, key.permutation, c0, out, self._threads)
        return out

    def digits(self, polynomial: Lanes) -> Lanes:
        """The digits of a polynomial (l, N)."""
        out = np.empty((self.level, self.level + 1, self.degree))
        self._native.decompose(polynomial, out, self._threads)
        return out

    def _switched(self, polynomial: Lanes, key: LoadedKey, c0: Lanes | None = None, rest: Lanes | None = None) -> Lanes:
        out = np.empty((2, self.level + 1, self.degree))
        self._native.switch_polynomial(polynomial, key.lanes, key.permutation, c0, rest, out, self._threads)
        return out

    def extend(self, ciphertext: Lanes) -> Lanes:
        """A ciphertext times the special prime."""
        out = np.empty((len(ciphertext), self.level + 1, self.degree))
        self._native.extend(ciphertext, out)
        return out

    def shrink(self, extended: Lanes) -> Lanes:
        """An extended ciphertext divided by the special prime, rounded."""
        out = np.empty((len(extended), self.level, self.degree))
        self._native.shrink(extended, out, self._threads)
        return out

    def rescale(self, ciphertext: Lanes) -> Lanes:
        """A ciphertext divided by the level's last prime, rounded: one of the level below (2, l-1, N)."""
        out = np.empty((len(ciphertext), self.level - 1, self.degree))
        self._native.rescale(ciphertext, out, self._threads)
        return out


def _rows(polynomials: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return polynomials.reshape(-1, *polynomials.shape[2:])
