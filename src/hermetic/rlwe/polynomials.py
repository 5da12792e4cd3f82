"""Polynomials as bytes: prime by prime, bit-packed. Reading checks every word against its prime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Residues
from ..errors import WireError
from .bitpacking import pack, packed_bytes, unpack
from .parameters import Parameters


def packed_rows_bytes(count: int, parameters: Parameters, primes: Sequence[int]) -> int:
    return count * sum(packed_bytes(parameters.ring_degree, prime.bit_length()) for prime in primes)


def pack_rows(polynomials: Residues, primes: Sequence[int]) -> bytes:
    """(n, L, N) -> bytes: prime by prime, each with the rows of all n polynomials."""
    return b"".join(pack(polynomials[:, i], prime.bit_length()) for i, prime in enumerate(primes))


def unpack_rows(data: memoryview, count: int, parameters: Parameters, primes: Sequence[int]) -> Residues:
    expected = packed_rows_bytes(count, parameters, primes)
    if len(data) != expected:
        raise WireError(f"{count} polynomials must take {expected} bytes. Got {len(data)} instead.")
    n = parameters.ring_degree
    out = np.empty((count, len(primes), n), dtype=np.int64)
    start = 0
    for i, prime in enumerate(primes):
        end = start + count * packed_bytes(n, prime.bit_length())
        out[:, i] = checked(unpack(data[start:end], count * n, prime.bit_length()), prime).reshape(count, n)
        start = end
    return out


def checked(words: Residues, prime: int) -> Residues:
    if words.max(initial=0) >= prime:
        raise WireError(f"every word must be below its prime {prime}. One is not.")
    return words
