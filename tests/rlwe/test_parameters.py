"""Parameter sets: what is insecure or impossible cannot be made, and SEAL agrees."""

import dataclasses
import itertools
import math

import pytest
import seal
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.errors import ParameterError
from hermetic.rlwe.parameters import (
    FAST,
    MAX_MODULUS_BITS,
    MAX_PRIME_BITS,
    PRECISE,
    PROFILES,
    Parameters,
    _is_prime,
    parameters_for,
)
from hermetic.rlwe.ring import Ring


def large_primes(degree: int, count: int) -> list[int]:
    """The largest primes below 2^50 that a ring degree can use."""
    candidates = range((1 << MAX_PRIME_BITS) - 2 * degree + 1, 0, -2 * degree)
    return list(itertools.islice(filter(_is_prime, candidates), count))


def small_primes(degree: int, count: int) -> list[int]:
    """The smallest ones."""
    return list(itertools.islice(reference.primes_one_modulo(2 * degree, 2), count))


def unchecked(parameters: Parameters, **changes: object) -> Parameters:
    """A copy that skips every check, to ask SEAL alone."""
    copy = object.__new__(Parameters)
    for field in dataclasses.fields(Parameters):
        object.__setattr__(copy, field.name, changes.get(field.name, getattr(parameters, field.name)))
    return copy


def largest_secure(degree: int) -> Parameters:
    """As many 50-bit primes, then small ones, as a degree's row of the table allows."""
    limit = MAX_MODULUS_BITS[degree]
    chosen = large_primes(degree, (limit - 40) // MAX_PRIME_BITS)
    small = reference.primes_one_modulo(2 * degree, 2)
    while math.prod([*chosen, candidate := next(small)]).bit_length() <= limit:
        chosen.append(candidate)
    return Parameters(degree, tuple(chosen[:-2]), (chosen[-2],), chosen[-1])


def test_the_table_is_seals_own() -> None:
    assert {degree: seal.CoeffModulus.MaxBitCount(degree) for degree in MAX_MODULUS_BITS} == MAX_MODULUS_BITS


@pytest.mark.parametrize("degree", [degree for degree in MAX_MODULUS_BITS if degree > 1024])
def test_one_prime_more_than_a_row_of_the_table_allows_is_refused_here_and_by_seal(degree: int) -> None:
    secure = largest_secure(degree)
    extra = next(p for p in reference.primes_one_modulo(2 * degree, 2) if p not in secure.key_primes)
    wider = (*secure.kept_primes, extra)
    assert math.prod((*wider, *secure.dropped_primes, secure.special_prime)).bit_length() > MAX_MODULUS_BITS[degree]
    with pytest.raises(ParameterError, match=f"at most {MAX_MODULUS_BITS[degree]} bits at ring degree {degree}"):
        dataclasses.replace(secure, kept_primes=wider)
    with pytest.raises(ParameterError, match=r"SEAL refuses.*security standard"):
        Ring(unchecked(secure, kept_primes=wider))


def test_no_set_is_secure_at_degree_1024() -> None:
    """27 bits do not hold three primes that are 1 modulo 2048."""
    smallest = small_primes(1024, 3)
    with pytest.raises(ParameterError, match="at most 27 bits"):
        Parameters(1024, (smallest[0],), (smallest[1],), smallest[2])


def test_seal_accepts_the_largest_set_of_a_row() -> None:
    Ring(largest_secure(2048))


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_secure_by_seals_table(profile: str) -> None:
    parameters = PROFILES[profile]
    assert math.prod(parameters.key_primes).bit_length() <= seal.CoeffModulus.MaxBitCount(parameters.ring_degree)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ring_degree": 4095}, "ring_degree must be one of"),
        ({"ring_degree": 65536}, "ring_degree must be one of"),
        ({"ring_degree": 0}, "ring_degree must be one of"),
        ({"kept_primes": ()}, "at least one prime"),
        ({"dropped_primes": ()}, "at least one prime"),
        ({"special_prime": FAST.kept_primes[0]}, "distinct"),
        ({"dropped_primes": FAST.kept_primes}, "distinct"),
        ({"dropped_primes": FAST.dropped_primes * 2}, "distinct"),
        ({"special_prime": 114691}, "1 modulo 8192"),
        ({"special_prime": 12289}, "1 modulo 8192"),  # a prime, but 1 modulo 4096 only
        ({"special_prime": 8193}, "must be prime"),  # 3·2731
        ({"special_prime": 16385}, "must be prime"),
        ({"special_prime": 1}, "every prime must be"),
        ({"special_prime": 0}, "every prime must be"),
        ({"special_prime": -8191}, "every prime must be"),
    ],
)
def test_impossible_sets_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        dataclasses.replace(FAST, **change)  # type: ignore[arg-type]


def test_primes_of_51_bits_are_refused() -> None:
    too_large = next(p for p in range((1 << 50) + 1, 1 << 51, 8192) if _is_prime(p))
    with pytest.raises(ParameterError, match=r"below 2\^50"):
        dataclasses.replace(FAST, dropped_primes=(too_large,))


def test_sets_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FAST.special_prime = 3  # type: ignore[misc]


def test_moduli_are_products_of_their_primes() -> None:
    assert PRECISE.query_modulus == math.prod(PRECISE.kept_primes) * math.prod(PRECISE.dropped_primes)
    assert PRECISE.query_modulus == PRECISE.result_modulus * PRECISE.rescale_factor
    assert PRECISE.data_primes == PRECISE.kept_primes + PRECISE.dropped_primes
    assert PRECISE.key_primes == (*PRECISE.data_primes, PRECISE.special_prime)


def test_digests_are_those_that_keys_and_models_already_carry() -> None:
    assert FAST.digest.hex() == "cd6760b00d17f0400f695231a8a2fcfb"
    assert PRECISE.digest.hex() == "775726139a0111de14fbf37a1a5eefe1"


def test_digests_tell_apart_sets_with_the_same_primes() -> None:
    """The ring degree, and which primes are kept, dropped and special, are part of the name."""
    first, second, third, special = (*large_primes(16384, 3), 65537)
    roles = [
        Parameters(8192, (first, second), (third,), special),
        Parameters(8192, (first,), (second, third), special),
        Parameters(8192, (second, first), (third,), special),
        Parameters(8192, (first, special), (third,), second),
        Parameters(16384, (first, second), (third,), special),
    ]
    assert len({one.digest for one in roles}) == len(roles)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_digest_leads_back_to_its_profile(profile: str) -> None:
    assert parameters_for(PROFILES[profile].digest) is PROFILES[profile]
    assert PROFILES[profile].profile == profile


def test_unknown_digests_are_refused() -> None:
    with pytest.raises(ParameterError, match="another version"):
        parameters_for(bytes(16))
    assert dataclasses.replace(FAST, special_prime=40961).profile == "custom"


TWO_DROPPED = dataclasses.replace(PRECISE, kept_primes=PRECISE.kept_primes[:1], dropped_primes=PRECISE.data_primes[1:])


@pytest.mark.parametrize("parameters", [FAST, PRECISE, TWO_DROPPED])
def test_noise_bounds_cover_the_exact_worst_case(parameters: Parameters) -> None:
    """Dividing rounds by (1 + ||s||_1)/2 for each dropped prime."""
    n = parameters.ring_degree
    assert 2 * parameters.rescale_noise >= (n + 1) * len(parameters.dropped_primes)


def test_text_names_what_matters() -> None:
    assert str(FAST) == (
        "fast (N=4096, q=50+42 bits, special prime 17 bits; "
        "128 bits by the Homomorphic Encryption Standard, about 125 by current estimates)"
    )


@given(st.integers(3, 100_000))
def test_primality_agrees_with_trial_division(n: int) -> None:
    assert _is_prime(n) == reference.is_prime(n)


# Composites that fool weaker tests: Carmichael numbers, and the least strong pseudoprimes to the first 1, 2, … prime
# bases (Jaeschke, 1993; Zhang and Tang, 2003; OEIS A014233).
PSEUDOPRIMES = [
    561,
    1105,
    1729,
    294409,
    56052361,
    118901521,
    2047,
    1373653,
    25326001,
    3215031751,
    2152302898747,
    3474749660383,
    341550071728321,
    3825123056546413051,
    318665857834031151167461,
]


@pytest.mark.parametrize("n", PSEUDOPRIMES)
def test_pseudoprimes_are_not_primes(n: int) -> None:
    assert not _is_prime(n)


@pytest.mark.parametrize("n", [(1 << 13) - 1, (1 << 31) - 1, (1 << 61) - 1, 2**50 - 27, 999_999_000_001, 65537, 41, 43])
def test_known_primes_are_primes(n: int) -> None:
    assert _is_prime(n)
