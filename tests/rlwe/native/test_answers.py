"""Masks, rescaling and target words equal their definitions in Python's integers."""

import math

import numpy as np
import pytest
from arrays import LARGEST, lanes_of, numpy_seeds, random_words, transformed, words_of
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.rlwe import native
from hermetic.rlwe.parameters import FAST, PRECISE

N = 64
chains = st.sampled_from(
    [(LARGEST, 1), (LARGEST, 2), (FAST.data_primes, 1), (PRECISE.data_primes, 2), (LARGEST[:1], 1)]
)
Chain = tuple[tuple[int, ...], int]


def binomial(stream: bytes) -> list[int]:
    """21 bits less 21 bits, of every 6 bytes."""
    words = [int.from_bytes(stream[i : i + 6], "little") for i in range(0, len(stream), 6)]
    return [(w & (2**21 - 1)).bit_count() - (w >> 21 & (2**21 - 1)).bit_count() for w in words]


def small(stream: bytes, bits: int) -> list[int]:
    words = [int.from_bytes(stream[i : i + 4], "little") for i in range(0, len(stream), 4)]
    return [(w >> (32 - bits)) - 2 ** (bits - 1) for w in words]


def divided(value: int, primes: tuple[int, ...], keep: int) -> int:
    """Divided by the primes after the first ``keep``, the last one first, rounded to nearest each time."""
    for prime in reversed(primes[keep:]):
        value = reference.rounded_quotient(value, prime)
    return value


@given(chain=chains, bits=st.integers(1, 30), seed=numpy_seeds, groups=st.integers(1, 3))
def test_masks(chain: Chain, bits: int, seed: int, groups: int) -> None:
    """u·(b, a) is added to every polynomial, with a u of its own."""
    primes, _ = chain
    ring = native.Ring(N, primes, 1)
    answer, key = random_words(seed, primes, (groups, 2, N)), random_words(seed + 1, primes, (2, N))
    stream = np.random.default_rng(seed).bytes(4 * N * groups)
    lanes = lanes_of(answer, primes)
    ring.mask(lanes, lanes_of(key, primes), np.frombuffer(stream, dtype=np.uint8), bits)
    u = np.array(small(stream, bits)).reshape(groups, 1, N)
    moduli = np.array(primes, dtype=object)[:, None]
    values = transformed(ring, np.mod(np.repeat(u, len(primes), axis=1), moduli.astype(np.int64)), primes)
    expected = (answer + values[:, None].astype(object) * key) % moduli
    assert np.array_equal(words_of(lanes, primes), expected.astype(np.int64))


@given(chain=chains, seed=numpy_seeds, kind=st.sampled_from(["uniform", "extreme", "middle"]))
def test_rescaling(chain: Chain, seed: int, kind: str) -> None:
    primes, keep = chain
    answer = random_words(seed, primes, (2, 2, N), kind)
    errors = np.random.default_rng(seed).bytes(2 * 6 * N)
    out = np.empty((2, keep, N), dtype=np.int64)
    native.Ring(N, primes, keep).rescale(lanes_of(answer, primes), np.frombuffer(errors, dtype=np.uint8), out)
    added = np.array(binomial(errors)).reshape(2, N)
    for g in range(2):
        for i in range(N):
            value = reference.from_residues((answer[g, 1, :, i] + added[g, i]).tolist(), primes)
            assert out[g, :, i].tolist() == [divided(value, primes, keep) % p for p in primes[:keep]]


@given(chain=chains, seed=numpy_seeds, bits=st.integers(1, 128), count=st.integers(0, 20))
def test_target_words(chain: Chain, seed: int, bits: int, count: int) -> None:
    primes, keep = chain
    rng = np.random.default_rng(seed)
    answer = random_words(seed, primes, (3, 2, N))
    places, offsets = rng.integers(0, 3 * N, size=count), random_words(seed + 1, primes, (count,)).T.copy()
    errors, flood = rng.bytes(6 * count), rng.bytes(16 * count)
    out = np.empty((keep, count), dtype=np.int64)
    streams = [np.frombuffer(one, dtype=np.uint8) for one in (errors, flood)]
    native.Ring(N, primes, keep).target_words(lanes_of(answer, primes), places, offsets, *streams, bits, out)
    for i, place in enumerate(places.tolist()):
        flooding = (int.from_bytes(flood[16 * i : 16 * i + 16], "little") >> (128 - bits)) - 2 ** (bits - 1)
        word = answer[place // N, 0, :, place % N].astype(object) + offsets[i] + binomial(errors)[i] + flooding
        value = reference.from_residues([int(one) % p for one, p in zip(word, primes, strict=True)], primes)
        assert out[:, i].tolist() == [divided(value, primes, keep) % p for p in primes[:keep]]


@pytest.mark.parametrize(("primes", "keep"), [(FAST.data_primes, 1), (PRECISE.data_primes, 2)])
def test_rescaling_errs_by_one_half_for_each_dropped_prime(primes: tuple[int, ...], keep: int) -> None:
    """The bound that Parameters.rescale_noise counts on, against the exact quotient."""
    answer, out = random_words(7, primes, (1, 2, N)), np.empty((1, keep, N), dtype=np.int64)
    native.Ring(N, primes, keep).rescale(lanes_of(answer, primes), np.zeros(6 * N, dtype=np.uint8), out)
    dropped, kept = math.prod(primes[keep:]), math.prod(primes[:keep])
    for word, result in zip(answer[0, 1].T, out[0].T, strict=True):
        exact = reference.from_residues(word.tolist(), primes)
        error = reference.centred(
            reference.from_residues(result.tolist(), primes[:keep]) * dropped - exact, kept * dropped
        )
        assert 2 * abs(error) <= dropped * (len(primes) - keep)
