"""Public uniform polynomials: the documented stream, below the prime, different wherever anything differs."""

import hashlib
import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.rlwe.parameters import FAST, PRECISE, PROFILES, Parameters
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, SEED_BYTES, expand

# 114689 is the profiles' special prime (one word in eight is skipped); 65537 and 3 skip one in two and one in four.
FEW_ACCEPTED = [114689, 65537, 3]

seeds = st.binary(min_size=SEED_BYTES, max_size=SEED_BYTES)
domains = st.sampled_from([QUERY_DOMAIN, PUBLIC_KEY_DOMAIN])
indices = st.integers(0, 2**32 - 1)

Rows = list[list[int]]


def by_the_definition(domain: bytes, seed: bytes, index: int, parameters: Parameters, primes: list[int]) -> Rows:
    rows = []
    for row, prime in enumerate(primes):
        name = domain + parameters.digest + seed + struct.pack("<II", index, row)
        stream = reference.uniform_stream(hashlib.sha256(name).digest(), prime)
        rows.append(list(itertools.islice(stream, parameters.ring_degree)))
    return rows


@pytest.mark.parametrize("profile", PROFILES)
def test_the_stream_is_the_documented_one(profile: str) -> None:
    parameters, seed = PROFILES[profile], bytes(range(32))
    for domain, primes in ((QUERY_DOMAIN, parameters.data_primes), (PUBLIC_KEY_DOMAIN, parameters.key_primes)):
        for index in (0, 0xFFEEDDCC):
            found = expand(domain, seed, index, parameters, primes)
            assert found.tolist() == by_the_definition(domain, seed, index, parameters, list(primes))


@pytest.mark.parametrize("prime", FEW_ACCEPTED)
def test_the_stream_goes_on_after_skipped_words(prime: int) -> None:
    for index in range(3):
        found = expand(QUERY_DOMAIN, bytes(SEED_BYTES), index, FAST, [prime])
        assert found.tolist() == by_the_definition(QUERY_DOMAIN, bytes(SEED_BYTES), index, FAST, [prime])


def test_the_stream_never_changes() -> None:
    """Keys and queries that were made with it are stored and sent."""
    found = expand(QUERY_DOMAIN, bytes(SEED_BYTES), 0, FAST, FAST.data_primes)
    assert found[:, :3].tolist() == [
        [251168711855848, 302023700736888, 28963385524227],
        [3207738464554, 173902524640, 3595119023568],
    ]
    assert hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:32] == "2ee57f2ed0b4f7aa9635bf4f075ec57c"


@given(domain=domains, seed=seeds, index=indices)
def test_residues_are_below_their_primes_and_always_the_same(domain: bytes, seed: bytes, index: int) -> None:
    primes = (*FAST.key_primes, *FEW_ACCEPTED)
    found = expand(domain, seed, index, FAST, primes)
    assert found.shape == (len(primes), FAST.ring_degree)
    assert found.dtype == np.int64
    assert (found >= 0).all()
    assert (found < np.array(primes)[:, None]).all()
    assert (expand(domain, seed, index, FAST, primes) == found).all()


@given(seed=seeds, index=st.integers(0, 2**32 - 2), bit=st.integers(0, 8 * SEED_BYTES - 1))
def test_every_input_separates(seed: bytes, index: int, bit: int) -> None:
    """Another domain, seed bit, index, row or parameter set gives an unrelated polynomial."""
    prime = FAST.kept_primes[0]
    other_seed = (int.from_bytes(seed, "big") ^ (1 << bit)).to_bytes(SEED_BYTES, "big")
    polynomials = [
        *expand(QUERY_DOMAIN, seed, index, FAST, [prime, prime]),
        *expand(PUBLIC_KEY_DOMAIN, seed, index, FAST, [prime, prime]),
        *expand(QUERY_DOMAIN, other_seed, index, FAST, [prime, prime]),
        *expand(QUERY_DOMAIN, seed, index + 1, FAST, [prime, prime]),
        *expand(QUERY_DOMAIN, seed, index, PRECISE, [prime, prime])[:, : FAST.ring_degree],
    ]
    for one, other in itertools.combinations(polynomials, 2):
        assert np.count_nonzero(one == other) < 2


@pytest.mark.parametrize("prime", [FAST.kept_primes[0], FAST.dropped_primes[0], 114689, 65537])
@pytest.mark.parametrize("where", ["size", "low bits"])
def test_residues_are_roughly_uniform(prime: int, where: str) -> None:
    """Chi-square over 64 classes of 2^17 residues; 63 degrees of freedom have mean 63 and deviation 11."""
    found = np.concatenate([expand(QUERY_DOMAIN, bytes(SEED_BYTES), i, FAST, [prime])[0] for i in range(32)])
    classes = found % 64 if where == "low bits" else found * 64 // prime
    counts = np.bincount(classes, minlength=64)
    assert len(counts) == 64
    members = (prime - 1 - np.arange(64)) // 64 + 1 if where == "low bits" else sizes_of_classes(prime)
    expected = found.size * members / prime
    assert ((counts - expected) ** 2 / expected).sum() < 130


def sizes_of_classes(prime: int) -> np.ndarray:
    """How many residues r have floor(64·r/p) = 0, 1, …, 63."""
    first = np.array([-(-i * prime // 64) for i in range(65)], dtype=np.float64)
    return np.diff(first)
