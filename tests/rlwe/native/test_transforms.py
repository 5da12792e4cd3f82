"""Native transforms equal the definition, and SEAL's own, bit for bit; for extreme words too."""

import numpy as np
import pytest
from arrays import LARGEST, SMALL, chains, kinds, lanes_of, numpy_seeds, random_words, transformed, words_of
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.rlwe import native
from hermetic.rlwe.parameters import FAST, PRECISE, Parameters
from hermetic.rlwe.ring import Ring

degrees = st.sampled_from([2**k for k in range(1, 16)])


def by_the_definition(words: np.ndarray, primes: tuple[int, ...]) -> np.ndarray:
    """Value i of a row is its polynomial at psi^(2·bitreverse(i)+1)."""
    degree = words.shape[-1]
    out = np.empty_like(words)
    for row, prime in enumerate(primes):
        psi = reference.least_primitive_root(degree, prime)
        bits = degree.bit_length() - 1
        for i in range(degree):
            point = pow(psi, 2 * reference.bit_reversed(i, bits) + 1, prime)
            out[:, row, i] = [reference.polynomial_at(one, point, prime) for one in words[:, row]]
    return out


@given(degree=st.sampled_from([2, 4, 8, 16, 32, 64, 128]), primes=chains, seed=numpy_seeds, kind=kinds)
def test_values_are_those_of_the_definition(degree: int, primes: tuple[int, ...], seed: int, kind: str) -> None:
    words = random_words(seed, primes, (1, degree), kind)
    ring = native.Ring(degree, primes, 1)
    assert np.array_equal(transformed(ring, words, primes), by_the_definition(words, primes))


@given(degree=degrees, seed=numpy_seeds, kind=kinds, primes=st.sampled_from([LARGEST, SMALL]))
def test_transforms_undo_each_other(degree: int, seed: int, kind: str, primes: tuple[int, ...]) -> None:
    if degree == 2**15:
        primes = LARGEST
    ring, words = native.Ring(degree, primes, 1), random_words(seed, primes, (2, degree), kind)
    values = transformed(ring, words, primes)
    assert np.array_equal(transformed(ring, values, primes, inverse=True), words)
    assert np.array_equal(transformed(ring, transformed(ring, words, primes, inverse=True), primes), words)


@pytest.mark.parametrize("parameters", [FAST, PRECISE], ids=["fast", "precise"])
@given(seed=numpy_seeds, kind=kinds)
def test_values_are_those_of_seal(parameters: Parameters, seed: int, kind: str) -> None:
    primes = parameters.data_primes
    words = random_words(seed, primes, (2, parameters.ring_degree), kind)
    ring = native.Ring(parameters.ring_degree, primes, 1)
    assert np.array_equal(transformed(ring, words, primes), Ring.of(parameters).ntt(words))
    assert np.array_equal(transformed(ring, words, primes, inverse=True), Ring.of(parameters).intt(words))


@pytest.mark.parametrize("degree", [64, 4096, 2**15])
@pytest.mark.parametrize("place", [0, 1, 5, 63])
def test_the_words_that_grow_most_stay_exact(degree: int, place: int) -> None:
    """Each coefficient is the largest of the sign that makes one value's sum grow at every level: lanes of p/2 times a
    power of psi near p/2. The value is known: the sum itself, in Python's integers.
    """
    prime = LARGEST[0]
    psi, bits = reference.least_primitive_root(degree, prime), degree.bit_length() - 1
    point = pow(psi, 2 * reference.bit_reversed(place, bits) + 1, prime)
    power, words, total = 1, [], 0
    for _ in range(degree):
        near = 2 * power > prime
        words.append(prime // 2 + 1 if near else prime // 2)
        total += words[-1] * power
        power = power * point % prime
    ring = native.Ring(degree, (prime,), 1)
    values = transformed(ring, np.array([[words]], dtype=np.int64), (prime,))
    assert values[0, 0, place] == total % prime
    assert np.array_equal(transformed(ring, values, (prime,), inverse=True)[0, 0], words)


@given(degree=st.sampled_from([64, 256, 4096]), shift=st.integers(0, 12), primes=chains, seed=numpy_seeds)
def test_polynomials_in_a_power_of_x_have_fewer_values(
    degree: int, shift: int, primes: tuple[int, ...], seed: int
) -> None:
    points = max(1, degree >> shift)
    words = random_words(seed, primes, (2, points))
    whole = np.zeros((2, len(primes), degree), dtype=np.int64)
    whole[..., :: degree // points] = words
    ring = native.Ring(degree, primes, 1)
    lanes = lanes_of(words, primes)
    ring.forward(lanes)
    expected = transformed(ring, whole, primes)
    assert np.array_equal(np.repeat(words_of(lanes, primes), degree // points, axis=-1), expected)


@given(degree=st.sampled_from([64, 1024]), primes=chains, seed=numpy_seeds)
def test_fewer_rows_belong_to_the_first_primes(degree: int, primes: tuple[int, ...], seed: int) -> None:
    words = random_words(seed, primes, (2, degree))
    ring = native.Ring(degree, primes, 1)
    assert np.array_equal(transformed(ring, words[:, :1].copy(), primes[:1]), transformed(ring, words, primes)[:, :1])


@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    factor=st.sampled_from([0, 1, -1, 2**40]) | st.integers(-(2**130), 2**130),
    primes=chains,
)
def test_integers_times_a_factor_become_lanes(values: list[int], factor: int, primes: tuple[int, ...]) -> None:
    ring, lanes = native.Ring(64, primes, 1), np.empty((1, len(primes), len(values)))
    factors = np.array([reference.centred(factor, p) for p in primes], dtype=np.float64)
    ring.reduce_integers(np.array([values], dtype=np.int64), factors, lanes)
    assert words_of(lanes, primes)[0].tolist() == [[value * factor % p for value in values] for p in primes]


@given(primes=chains, seed=numpy_seeds, kind=kinds, n=st.integers(1, 70))
def test_residues_become_lanes_and_back(primes: tuple[int, ...], seed: int, kind: str, n: int) -> None:
    words = random_words(seed, primes, (3, n), kind)
    ring, lanes, back = native.Ring(64, primes, 1), np.empty(words.shape), np.empty_like(words)
    ring.lift(words, lanes)
    assert np.array_equal(lanes, lanes_of(words, primes))
    ring.lower(lanes, back)
    assert np.array_equal(back, words)
