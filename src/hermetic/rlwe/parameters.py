"""Ring parameters: immutable, checked for 128-bit security by the Homomorphic Encryption Standard when they are made.

Security is read from Table 1 of the Standard (Albrecht et al., 2018, https://homomorphicencryption.org/standard): the
largest modulus, in bits, that keeps 128 bits of classical security for a ternary secret at a given ring degree. SEAL
checks the same bound again with its own copy of the table when the ring is built (:mod:`hermetic.rlwe.ring`).
Estimates of the same attacks have come down since: :data:`ESTIMATED_BITS`.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import ParameterError

SECURITY_BITS = 128
"""What every parameter set has by the Standard."""

ESTIMATED_BITS = {"fast": 124.6, "precise": 129.0}
"""Classical security of a profile by today's lattice estimator: log2 of the least cost of an attack on a public key or
on a released c1; docs/security.md has each.
"""

MAX_MODULUS_BITS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Largest log2 of the whole modulus, special prime included, per ring degree, for 128 bits by the Standard."""

MAX_PRIME_BITS = 50
"""Residues stay below 2^50, so that :mod:`hermetic.rlwe.modular` can multiply them exactly in NumPy."""

MAX_ERROR = 21
"""Largest absolute coefficient of one error polynomial that SEAL samples (centred binomial, 21 + 21 bits)."""


@dataclass(frozen=True)
class Parameters:
    """An RLWE parameter set, of 128-bit security by the Homomorphic Encryption Standard of 2018.

    Estimates have come down since then. By today's, ``fast`` has about 125 bits and ``precise`` 129 or more.

    Parameters
    ----------
    ring_degree
        N, a power of two: polynomials are taken modulo X^N + 1.
    kept_primes
        The primes of a *result's* modulus, at most 50 bits each.
    dropped_primes
        The primes a query has besides, which rescaling divides away together with the scale.
    special_prime
        The prime that SEAL reserves; only public keys and switching keys are expressed modulo it.

    Raises
    ------
    ParameterError
        If a value is out of range, not an NTT-friendly prime, or the set has less than 128 bits of security by the
        Standard.
    """

    ring_degree: int
    kept_primes: tuple[int, ...]
    dropped_primes: tuple[int, ...]
    special_prime: int

    def __post_init__(self) -> None:
        if self.ring_degree not in MAX_MODULUS_BITS:
            allowed = ", ".join(map(str, MAX_MODULUS_BITS))
            raise ParameterError(f"ring_degree must be one of {allowed}. Got {self.ring_degree!r} instead.")
        if not self.kept_primes or not self.dropped_primes:
            raise ParameterError("kept_primes and dropped_primes must each hold at least one prime.")
        if len(set(self.key_primes)) != len(self.key_primes):
            raise ParameterError(f"the primes must be distinct. Got {self.key_primes} instead.")
        for prime in self.key_primes:
            _check_prime(prime, self.ring_degree)
        bits = math.prod(self.key_primes).bit_length()
        limit = MAX_MODULUS_BITS[self.ring_degree]
        if bits > limit:
            raise ParameterError(
                f"the modulus must have at most {limit} bits at ring degree {self.ring_degree} for "
                f"{SECURITY_BITS}-bit security by the Homomorphic Encryption Standard. Got {bits} bits instead."
            )

    @cached_property
    def data_primes(self) -> tuple[int, ...]:
        """The primes of a query's modulus q."""
        return self.kept_primes + self.dropped_primes

    @property
    def key_primes(self) -> tuple[int, ...]:
        """The primes of a public key's modulus: those of q and the special prime."""
        return (*self.data_primes, self.special_prime)

    def at_level(self, level: int) -> Parameters:
        """The same ring modulo its first ``level`` primes of data: what rescaling leaves of a query's modulus."""
        return replace(self, dropped_primes=self.dropped_primes[: level - len(self.kept_primes)])

    @cached_property
    def switches_keys(self) -> bool:
        """Whether the special prime is large enough for switching keys: as long as the longest prime of data."""
        return self.special_prime.bit_length() >= max(prime.bit_length() for prime in self.data_primes)

    @cached_property
    def query_primes(self) -> tuple[int, ...]:
        """The primes that a query has: those of q; where keys are switched, the special prime too, by which the first
        layer of a network divides.
        """
        return self.key_primes if self.switches_keys else self.data_primes

    @property
    def levels(self) -> int:
        """L: how many primes of data there are."""
        return len(self.data_primes)

    @property
    def query_modulus(self) -> int:
        """q, the product of the data primes."""
        return math.prod(self.data_primes)

    @property
    def result_modulus(self) -> int:
        """q', the modulus after rescaling: the product of the kept primes."""
        return math.prod(self.kept_primes)

    @property
    def rescale_factor(self) -> int:
        """q / q', the product of the dropped primes."""
        return math.prod(self.dropped_primes)

    @property
    def rescale_noise(self) -> int:
        """Bound on what rounding adds to the phase of a result: (1 + ||s||_1)/2 per dropped prime."""
        return ((self.ring_degree + 1) // 2 + 1) * len(self.dropped_primes)

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that name this set; it travels with every key, query, result and model."""
        packed = struct.pack(
            f"<III{len(self.key_primes)}Q",
            self.ring_degree,
            len(self.kept_primes),
            len(self.dropped_primes),
            *self.key_primes,
        )
        return hashlib.sha256(b"hermetic parameters 1" + packed).digest()[:16]

    @property
    def profile(self) -> str:
        """The name of this set among :data:`KNOWN` ones."""
        return next((name for name, known in KNOWN.items() if known == self), "custom")

    @property
    def security(self) -> str:
        """The level of security in words, with its sources."""
        standard, estimate = f"{SECURITY_BITS} bits by the Homomorphic Encryption Standard", self.estimated_bits
        return standard if estimate is None else f"{standard}, about {estimate:.0f} by current estimates"

    @property
    def estimated_bits(self) -> float | None:
        """The level of security by current estimates; None if nobody has made one for this set."""
        return ESTIMATED_BITS.get(self.profile)

    def __str__(self) -> str:
        bits = "+".join(str(p.bit_length()) for p in self.data_primes)
        return (
            f"{self.profile} (N={self.ring_degree}, q={bits} bits, "
            f"special prime {self.special_prime.bit_length()} bits; {self.security})"
        )


def _check_prime(prime: int, ring_degree: int) -> None:
    if not 2 < prime < 1 << MAX_PRIME_BITS:
        raise ParameterError(f"every prime must be below 2^{MAX_PRIME_BITS}. Got {prime} instead.")
    if prime % (2 * ring_degree) != 1:
        raise ParameterError(f"every prime must be 1 modulo {2 * ring_degree}. Got {prime} instead.")
    if not _is_prime(prime):
        raise ParameterError(f"every modulus must be prime. Got {prime} instead.")


def _is_prime(n: int) -> bool:
    """Miller-Rabin with the bases that decide every n < 3.3e24 (Sorenson and Webster, 2015)."""
    shift = ((n - 1) & (1 - n)).bit_length() - 1
    odd = (n - 1) >> shift
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        if n == base:
            return True
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        if not any((x := x * x % n) == n - 1 for _ in range(shift - 1)):
            return False
    return True


FAST = Parameters(
    ring_degree=4096,
    kept_primes=(1125899906826241,),
    dropped_primes=(4398046486529,),
    special_prime=114689,
)
"""N=4096, 50 + 42 bits: up to 36-bit results, the least bytes and time."""

PRECISE = Parameters(
    ring_degree=8192,
    kept_primes=(1125899906826241, 1125899906629633),
    dropped_primes=(1125899905744897,),
    special_prime=114689,
)
"""N=8192, 100 + 50 bits: up to 62-bit results."""

NETWORK = Parameters(
    ring_degree=8192,
    kept_primes=(1125899906826241,),
    dropped_primes=(1125899906629633, 1125899905744897),
    special_prime=1125899905351681,
)
"""N=8192, 3 x 50 bits and a special prime of 50: products of ciphertexts, for networks of one hidden layer."""

DEEP = Parameters(
    ring_degree=16384,
    kept_primes=(1125899904679937,),
    dropped_primes=(1125899903991809, 1125899903827969, 1125899903795201),
    special_prime=1125899903500289,
)
"""N=16384, 4 x 50 bits and a special prime of 50: the same with more room for range, precision and flooding."""

DEEPER = Parameters(
    ring_degree=16384,
    kept_primes=(1125899904679937,),
    dropped_primes=(1125899903991809, 1125899903827969, 1125899903795201, 1125899903500289, 1125899903107073),
    special_prime=1125899902124033,
)
"""N=16384, 6 x 50 bits and a special prime of 50: for networks of more hidden layers, or higher powers in two."""

PROFILES = {"fast": FAST, "precise": PRECISE}
"""For linear circuits and trees."""

NETWORK_PROFILES = {"network": NETWORK, "deep": DEEP, "deeper": DEEPER}
"""For networks, the cheapest first."""

KNOWN = PROFILES | NETWORK_PROFILES
"""All that this version reads."""


def parameters_for(digest: bytes) -> Parameters:
    """The profile whose digest this is.

    Raises
    ------
    ParameterError
        If no profile of this version has it.
    """
    for known in KNOWN.values():
        if known.digest == digest:
            return known
    raise ParameterError(
        f"the parameter digest must be one of {', '.join(sorted(p.digest.hex() for p in KNOWN.values()))}. "
        f"Got {digest.hex()} instead: it was made by another version of Hermetic."
    )
