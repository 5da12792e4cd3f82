"""Public uniform polynomials from a seed.

The uniform half of every ciphertext and public key (c1, or a) is public, so it travels as a 32-byte seed and both
sides expand it. Nobody can therefore *choose* it: with c1 = 1 or a = 0 a client could read the weights in the clear.

The stream is AES-256 in counter mode (as FrodoKEM expands its public matrix with AES) under a key derived by SHA-256
from a domain, the parameter set, the seed, the polynomial's index and the residue's index. Residues are drawn from
successive little-endian 64-bit words, cut to the prime's bit length, and a word that is not below the prime is skipped.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ..arrays import Residues
from . import native
from .parameters import Parameters

SEED_BYTES = 32

QUERY_DOMAIN = b"hermetic query 1"
PUBLIC_KEY_DOMAIN = b"hermetic pubkey 1"
SWITCHING_KEY_DOMAIN = b"hermetic switching 1"


def expand(domain: bytes, seed: bytes, index: int, parameters: Parameters, primes: Sequence[int]) -> Residues:
    """The uniform polynomial number ``index`` of a seed, as residues (len(primes), N)."""
    polynomial: Residues = expand_range(domain, seed, range(index, index + 1), parameters, primes)[0]
    return polynomial


def expand_range(domain: bytes, seed: bytes, indices: range, parameters: Parameters, primes: Sequence[int]) -> Residues:
    """The uniform polynomials ``indices`` of a seed, as residues (len(indices), len(primes), N)."""
    prefix = hashlib.sha256(domain + parameters.digest + seed)
    out = np.empty((len(indices), len(primes), parameters.ring_degree), dtype=np.int64)
    for polynomial, index in zip(out, indices, strict=True):
        for row, prime in enumerate(primes):
            key = prefix.copy()
            key.update(struct.pack("<II", index, row))
            _fill_uniform(polynomial[row], key.digest(), prime)
    return out


def _fill_uniform(out: Residues, key: bytes, prime: int) -> None:
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    filled = 0
    while filled < out.size:
        words = np.frombuffer(stream.update(_zeros(out.nbytes)), dtype=np.uint8)
        filled += native.accept(words, prime, out[filled:])


@lru_cache(maxsize=4)
def _zeros(count: int) -> bytes:
    return bytes(count)
