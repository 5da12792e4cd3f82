"""RLWE over NumPy arrays: the importer of Microsoft SEAL (:mod:`hermetic.legacy` is the other).

A SEAL *CKKS* ciphertext is plain RLWE: it stays in evaluation (NTT) form, and decryption returns the phase
c0 + c1·s mod q without rounding. So SEAL's CKKS objects carry our coefficient-encoded integers, and everything this
module takes or gives is an array of residues, int64 in [0, p):

    polynomial    (L, N)       one row a prime
    ciphertext    (2, L, N)    c0, c1

Every operation on a secret is SEAL's: key generation, error sampling, encryptions of zero (symmetric and public-key)
and products with the secret key. The door is SEAL's uncompressed serialisation, built here from checked residues;
SEAL never parses bytes that came from elsewhere.

Evaluation form is SEAL's order: value i of a row is the polynomial at psi^(2·bitreverse(i)+1), with psi the least
primitive 2N-th root of unity modulo the prime (Longa and Naehrig, CANS 2016).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import seal

from ..arrays import Residues
from ..errors import ParameterError
from .parameters import Parameters

_NONE = seal.compr_mode_type.none
_NTT_FLAG = 16 + 32
"""Where a serialised ciphertext says that it is in evaluation form (1) or a vector of coefficients (0): the byte behind
SEAL's header of 16 bytes (magic number, version, compression, length) and the digest of its parameters, of 32. SEAL 4
writes it so (``Ciphertext::save_members``)."""


def _context(ring_degree: int, primes: tuple[int, ...]) -> Any:
    literal = seal.EncryptionParameters(seal.scheme_type.ckks)
    literal.set_poly_modulus_degree(ring_degree)
    literal.set_coeff_modulus([seal.Modulus(prime) for prime in primes])
    context = seal.SEALContext(literal, True, seal.sec_level_type.tc128)
    if not context.parameters_set():
        raise ParameterError(f"SEAL refuses these parameters: {context.parameter_error_message()}")
    return context


class _Serialised:
    """The fixed prefixes that SEAL writes before the residues of a ciphertext, a plaintext and the keys."""

    def __init__(self, context: Any, ring_degree: int, primes: int, key_primes: int) -> None:
        self.shape = (primes, ring_degree)
        generator = seal.KeyGenerator(context)
        secret = generator.secret_key()
        zero = seal.CKKSEncoder(context).encode(0.0, 1.0)
        ciphertext = seal.Encryptor(context, secret).encrypt_symmetric(zero)
        polynomial = 8 * ring_degree
        self.plaintext = _prefix(zero.to_bytes(_NONE), primes * polynomial)
        self.ciphertext = _prefix(ciphertext.to_string(_NONE), 2 * primes * polynomial)
        self.secret_key = _prefix(secret.to_string(), key_primes * polynomial)
        self.zero = zero
        flagged = bytearray(self.ciphertext)
        flagged[_NTT_FLAG] = 0
        self.coefficient_ciphertext = bytes(flagged)


def _prefix(data: bytes, payload: int) -> bytes:
    return data[: len(data) - payload]


def _rows(data: bytes, *shape: int) -> Residues:
    count = math.prod(shape)
    return np.frombuffer(data, dtype=np.int64, offset=len(data) - 8 * count).reshape(shape)


class _PrimeRing:
    """The ring modulo one prime, as a SEAL context of its own: transforms, and products with a row of a secret."""

    def __init__(self, ring_degree: int, prime: int) -> None:
        self.ring_degree = ring_degree
        self.context = _context(ring_degree, (prime,))
        self.evaluator = seal.Evaluator(self.context)
        self.serialised = _Serialised(self.context, ring_degree, 1, 1)

    def transform(self, pair: Residues, *, inverse: bool) -> Residues:
        """(2, N) coefficients to values at the evaluation points, or back.

        SEAL refuses ciphertexts whose c1 is zero, so the pair is turned round if its second polynomial is zero.
        """
        if not pair[1].any():
            return self.transform(pair[::-1], inverse=inverse)[::-1] if pair[0].any() else np.zeros_like(pair)
        before, step = self.serialised.coefficient_ciphertext, self.evaluator.transform_to_ntt_inplace
        if inverse:
            before, step = self.serialised.ciphertext, self.evaluator.transform_from_ntt_inplace
        loaded = self.context.from_cipher_str(before + pair.tobytes())
        step(loaded)
        return _rows(loaded.to_string(_NONE), 2, self.ring_degree)

    def decryptor(self, secret_row: Residues) -> Any:
        key = self.context.from_secret_str(self.serialised.secret_key + secret_row.tobytes())
        return seal.Decryptor(self.context, key)

    def phase(self, decryptor: Any, c0: Residues, c1: Residues) -> Residues:
        """c0 + c1·s, (N,) each, in evaluation form."""
        loaded = self.context.from_cipher_str(self.serialised.ciphertext + c0.tobytes() + c1.tobytes())
        return _rows(decryptor.decrypt(loaded).to_bytes(_NONE), self.ring_degree)


class Ring:
    """Public operations of one parameter set. Use :meth:`of`: making a ring takes tens of ms."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        n, primes = parameters.ring_degree, parameters.key_primes
        self._context = _context(n, primes)
        self._serialised = _Serialised(self._context, n, len(parameters.data_primes), len(primes))
        self._evaluator = seal.Evaluator(self._context)

    @staticmethod
    @lru_cache(maxsize=8)
    def of(parameters: Parameters) -> Ring:
        """The ring of a parameter set, made once in a process."""
        return Ring(parameters)

    @cached_property
    def _prime_rings(self) -> tuple[_PrimeRing, ...]:
        n = self.parameters.ring_degree
        return tuple(_PrimeRing(n, prime) for prime in self.parameters.key_primes)

    def ntt(self, polynomials: Residues) -> Residues:
        """Coefficients to evaluation form; (n, l, N), where the l rows belong to the first l data primes."""
        return self._transform(polynomials, inverse=False)

    def intt(self, polynomials: Residues) -> Residues:
        """Evaluation form to coefficients; (n, l, N), where the l rows belong to the first l data primes."""
        return self._transform(polynomials, inverse=True)

    def _transform(self, polynomials: Residues, *, inverse: bool) -> Residues:
        count, rows, n = polynomials.shape
        out = np.empty((count + count % 2, rows, n), dtype=np.int64)
        for i in range(rows):
            for j in range(0, count, 2):
                pair = polynomials[j : j + 2, i]
                if len(pair) == 1:
                    pair = np.concatenate([pair, pair])
                out[j : j + 2, i] = self._prime_rings[i].transform(pair, inverse=inverse)
        return out[:count]


class RingSecretKey:
    """A secret key inside SEAL, and the five things it is used for.

    It never leaves through this class's public results: :meth:`rows` is for :mod:`hermetic.keys.secret`, which stores
    it encrypted.
    """

    def __init__(self, ring: Ring, rows: Residues | None = None) -> None:
        """A fresh key from SEAL's key generator, or the key with the given residues (K, N) in evaluation form."""
        self._ring = ring
        parameters, serialised = ring.parameters, ring._serialised
        shape = (len(parameters.key_primes), parameters.ring_degree)
        if rows is None:
            self._key = seal.KeyGenerator(ring._context).secret_key()
        else:
            self._key = ring._context.from_secret_str(serialised.secret_key + rows.tobytes())
        self._rows = _rows(self._key.to_string(), *shape)
        self._encryptor = seal.Encryptor(ring._context, self._key)
        self._decryptor = seal.Decryptor(ring._context, self._key)
        self._prime_decryptors = [
            prime_ring.decryptor(row) for prime_ring, row in zip(ring._prime_rings, self._rows, strict=True)
        ]

    def rows(self) -> Residues:
        """The secret key itself: residues (K, N) in evaluation form."""
        return self._rows

    def encrypt_zero(self, c1: Residues) -> Residues:
        """The c0 of a fresh symmetric encryption of zero whose c1 (L, N) is the given uniform polynomial; (K, N), where
        it has the special prime too, as :meth:`public_key` makes it.

        SEAL samples (d0, d1) with d0 + d1·s = e; then d0 + (d1 - c1)·s = e - c1·s is the c0 sought, computed by
        SEAL's decryptor. The error e is SEAL's own, used once.
        """
        if len(c1) == len(self._rows):
            return self.public_key(c1)
        ring, serialised = self._ring, self._ring._serialised
        fresh = self._encryptor.encrypt_symmetric(serialised.zero)
        given = ring._context.from_cipher_str(serialised.ciphertext + bytes(c1.nbytes) + c1.tobytes())
        given.scale(fresh.scale())
        ring._evaluator.sub_inplace(fresh, given)
        return _rows(self._decryptor.decrypt(fresh).to_bytes(_NONE), *serialised.shape)

    def times(self, polynomials: Residues) -> Residues:
        """s times each polynomial; (n, l, N) in evaluation form, where the l rows belong to the first l data primes."""
        out = np.empty_like(polynomials)
        zero = np.zeros(polynomials.shape[2], dtype=np.int64)
        for i in range(polynomials.shape[1]):
            prime_ring, decryptor = self._ring._prime_rings[i], self._prime_decryptors[i]
            for j, polynomial in enumerate(polynomials[:, i]):
                out[j, i] = prime_ring.phase(decryptor, zero, polynomial)
        return out

    def public_key(self, a: Residues) -> Residues:
        """The b (K, N) of a fresh public key (b, a) whose a (K, N) is the given uniform polynomial.

        The step of :meth:`encrypt_zero`, one prime at a time, because SEAL's decryptor refuses the level of keys.
        """
        shape = self._rows.shape
        fresh = seal.KeyGenerator(self._ring._context, self._key).create_public_key()
        b, uniform = _rows(fresh.to_string(), 2, *shape)
        primes = np.array(self._ring.parameters.key_primes, dtype=np.int64)[:, None]
        difference = np.mod(uniform - a, primes)
        rows = zip(self._ring._prime_rings, self._prime_decryptors, b, difference, strict=True)
        return np.stack([ring.phase(decryptor, c0, c1) for ring, decryptor, c0, c1 in rows])

    def switching_keys(self, steps: Sequence[int]) -> Iterator[Residues]:
        """Fresh switching keys (L, 2, K, N), a digit a row: for each step the one that brings a ciphertext rotated by
        so many slots, or conjugated (step 0), back under this key; for step -1 that which makes s^2 to s.

        Both halves are SEAL's own: :meth:`reseeded` gives those whose second half is a seed.
        """
        generator = seal.KeyGenerator(self._ring._context, self._key)
        primes, n = len(self._ring.parameters.key_primes), self._ring.parameters.ring_degree
        for step in steps:
            if step < 0:
                found = generator.create_relin_keys()
            else:
                found = seal.GaloisKeys()
                generator.create_galois_keys([step], found)
            yield _switching_key(found.to_string(), primes, n)

    def reseeded(self, pairs: Residues, uniform: Residues, primes: Sequence[int]) -> Residues:
        """The b (m, l, N) of pairs (m, 2, l, N) when their second half is given (m, l, N); ``primes`` are the numbers
        of the l primes among those of keys. The step of :meth:`public_key`.
        """
        moduli = np.array([self._ring.parameters.key_primes[i] for i in primes], dtype=np.int64)[:, None]
        difference = np.mod(pairs[:, 1] - uniform, moduli)
        out: Residues = np.empty_like(difference)
        for row, i in enumerate(primes):
            ring, decryptor = self._ring._prime_rings[i], self._prime_decryptors[i]
            for m, (b, a) in enumerate(zip(pairs[:, 0, row], difference[:, row], strict=True)):
                out[m, row] = ring.phase(decryptor, b, a)
        return out


_HEADER = struct.Struct("<HBBBBHQ")
"""SEAL's: magic number, size of the header, version, compression, nothing, size of the object."""

_DIGEST_BYTES, _COUNT = 32, struct.Struct("<Q")


def _switching_key(data: bytes, primes: int, ring_degree: int) -> Residues:
    """The one key (L, 2, K, N) in what SEAL writes of switching keys: a header, the digest of the parameters, and lists
    of public keys, each counted, of which all but one are empty (``KSwitchKeys::save_members``).
    """
    position = _HEADER.size + _DIGEST_BYTES
    (lists,) = _COUNT.unpack_from(data, position)
    position += _COUNT.size
    digits = []
    for _ in range(lists):
        (count,) = _COUNT.unpack_from(data, position)
        position += _COUNT.size
        for _ in range(count):
            position += _HEADER.unpack_from(data, position)[-1]
            digits.append(_rows(data[:position], 2, primes, ring_degree))
    return np.stack(digits)
