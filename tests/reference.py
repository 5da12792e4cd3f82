"""What the source computes fast, said slowly: in plain Python integers, without NumPy and without hermetic.

Tests hold the source against these. Each function is the definition itself, not another algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def is_prime(n: int) -> bool:
    """By trial division."""
    return n > 1 and all(n % divisor for divisor in range(2, math.isqrt(n) + 1))


def primes_one_modulo(step: int, at_least: int) -> Iterator[int]:
    """The primes that are 1 modulo ``step``, from the first one not below ``at_least``."""
    candidate = -(-(at_least - 1) // step) * step + 1
    while True:
        if is_prime(candidate):
            yield candidate
        candidate += step


def rounded_quotient(value: int, odd: int) -> int:
    """value/odd to the nearest integer; an odd divisor leaves no ties."""
    return (2 * value + odd) // (2 * odd)


def centred(value: int, modulus: int) -> int:
    """The representative of value in (-modulus/2, modulus/2]."""
    value %= modulus
    return value - modulus if 2 * value > modulus else value


def from_residues(residues: Sequence[int], primes: Sequence[int]) -> int:
    """The centred integer with these residues (Chinese remainders)."""
    modulus = math.prod(primes)
    value = sum(int(r) * (modulus // p) * pow(modulus // p, -1, p) for r, p in zip(residues, primes, strict=True))
    return centred(value, modulus)


def negacyclic_product(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """a·b modulo X^N + 1, coefficient by coefficient; a should be the sparser one."""
    n = len(a)
    out = [0] * n
    for i, x in enumerate(map(int, a)):
        if not x:
            continue
        for j, y in enumerate(map(int, b)):
            if i + j < n:
                out[i + j] += x * y
            else:
                out[i + j - n] -= x * y
    return out


def polynomial_at(coefficients: Sequence[int], point: int, prime: int) -> int:
    """The polynomial's value at a point modulo a prime (Horner)."""
    value = 0
    for coefficient in map(int, reversed(coefficients)):
        value = (value * point + coefficient) % prime
    return value


def least_primitive_root(degree: int, prime: int) -> int:
    """The least psi with psi^N = -1 modulo the prime: the least primitive 2N-th root of unity, N a power of two."""
    roots = (pow(base, (prime - 1) // (2 * degree), prime) for base in range(2, prime))
    psi = next(root for root in roots if pow(root, degree, prime) == prime - 1)
    return min(pow(psi, exponent, prime) for exponent in range(1, 2 * degree, 2))


def bit_reversed(i: int, bits: int) -> int:
    """i with its ``bits`` bits in the opposite order."""
    return int(format(i, f"0{bits}b")[::-1], 2)


def packed(values: Sequence[int], width: int) -> bytes:
    """Words of ``width`` bits in one little-endian bit string, padded with zeros to whole words and whole 64 bits."""
    unit = math.lcm(width, 64)
    bits = sum(int(value) << (width * i) for i, value in enumerate(values))
    return bits.to_bytes(-(-width * len(values) // unit) * unit // 8, "little")


def uniform_stream(key: bytes, prime: int) -> Iterator[int]:
    """AES-256 of the block numbers 0, 1, 2, … (128 bits, big-endian) as little-endian 64-bit words: each is cut to the
    prime's bit length, and skipped unless it is below the prime.
    """
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    block = 0
    while True:
        data = aes.update(block.to_bytes(16, "big"))
        for half in (data[:8], data[8:]):
            word = int.from_bytes(half, "little") % (1 << prime.bit_length())
            if word < prime:
                yield word
        block += 1
