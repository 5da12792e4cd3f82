"""Sums of products equal those of Python's integers, however many are added and whatever the layout."""

import numpy as np
from arrays import LARGEST, chains, kinds, lanes_of, numpy_seeds, random_words, words_of
from hypothesis import given
from hypothesis import strategies as st

from hermetic.rlwe import native


def by_the_definition(query: np.ndarray, weights: np.ndarray, primes: tuple[int, ...]) -> np.ndarray:
    """out[g, c, l] = sum over b of query[b, c, l]·weights[g, b, l], each weight repeated."""
    repeated = np.repeat(weights, query.shape[-1] // weights.shape[-1], axis=-1).astype(object)
    sums = np.einsum("bcln,gbln->gcln", query.astype(object), repeated)
    return (sums % np.array(primes, dtype=object)[:, None]).astype(np.int64)


@given(
    primes=chains,
    degree=st.sampled_from([64, 128, 1024]),
    shift=st.integers(0, 10),
    groups=st.integers(1, 9),
    blocks=st.integers(1, 20),
    kind=kinds,
    weight_kind=kinds,
    seed=numpy_seeds,
)
def test_sums_of_products(
    primes: tuple[int, ...],
    degree: int,
    shift: int,
    groups: int,
    blocks: int,
    kind: str,
    weight_kind: str,
    seed: int,
) -> None:
    points = max(1, degree >> shift)
    query = random_words(seed, primes, (blocks, 2, degree), kind)
    weights = random_words(seed + 1, primes, (groups, blocks, points), weight_kind)
    ring, answer = native.Ring(degree, primes, 1), np.full((groups, 2, len(primes), degree), np.nan)
    ring.products(lanes_of(query, primes), lanes_of(weights, primes), answer, False)
    expected = by_the_definition(query, weights, primes)
    assert np.array_equal(words_of(answer, primes), expected)
    ring.products(lanes_of(query, primes), lanes_of(weights, primes), answer, True)
    assert np.array_equal(words_of(answer, primes), 2 * expected % np.array(primes)[:, None])


@given(
    primes=chains,
    degree=st.sampled_from([64, 256, 1024]),
    groups=st.integers(1, 9),
    blocks=st.integers(1, 9),
    kind=kinds,
    weight_bits=st.integers(1, 63),
    seed=numpy_seeds,
)
def test_sparse_products_are_products(
    primes: tuple[int, ...], degree: int, groups: int, blocks: int, kind: str, weight_bits: int, seed: int
) -> None:
    """Rows of any number of coefficients, none too; several may share a place."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 9, groups * blocks)
    starts = np.concatenate([[0], np.cumsum(counts)])
    places = random.integers(0, degree, starts[-1])
    values = random.integers(-(2**weight_bits), 2**weight_bits - 1, starts[-1], endpoint=True)
    dense = np.zeros((groups * blocks, degree), dtype=object)
    np.add.at(dense, (np.repeat(np.arange(groups * blocks), counts), places), values.astype(object))
    residues = np.stack([dense % prime for prime in primes], axis=1).astype(np.int64)
    weights = lanes_of(residues.reshape(groups, blocks, len(primes), degree), primes)
    query = lanes_of(random_words(seed, primes, (blocks, 2, degree), kind), primes)
    ring = native.Ring(degree, primes, 1)
    ring.forward(weights.reshape(-1, len(primes), degree))
    expected, found = np.full((2, groups, 2, len(primes), degree), np.nan)
    ring.products(query, weights, expected, False)
    ring.sparse_products(query, starts, places, values, found)
    assert np.array_equal(found, expected)


def test_the_largest_sparse_products() -> None:
    """Values of a transform and words of a query at the ends of their ranges."""
    prime, blocks = LARGEST[0], 64
    query = np.full((blocks, 2, 1, 64), float(prime // 2))
    starts, places = np.arange(blocks + 1), np.zeros(blocks, dtype=np.int64)
    answer = np.empty((1, 2, 1, 64))
    for sign in (1, -1):
        values = np.full(blocks, sign * (prime // 2))
        native.Ring(64, (prime,), 1).sparse_products(query, starts, places, values, answer)
        assert (words_of(answer, (prime,)) == sign * blocks * (prime // 2) ** 2 % prime).all()


def test_a_thousand_of_the_largest_products() -> None:
    """Every word and weight at the end of its range, all of one sign."""
    prime, blocks = LARGEST[0], 1000
    half = np.full((blocks, 2, 1, 64), float(prime // 2))
    answer = np.empty((1, 2, 1, 64))
    for sign in (1, -1):
        native.Ring(64, (prime,), 1).products(half, sign * half[None, :, 0], answer, False)
        assert (words_of(answer, (prime,)) == sign * blocks * (prime // 2) ** 2 % prime).all()


@given(primes=chains, seed=numpy_seeds, blocks=st.integers(1, 4))
def test_halves_of_ciphertexts_are_put_side_by_side(primes: tuple[int, ...], seed: int, blocks: int) -> None:
    c0, c1 = (random_words(seed + i, primes, (blocks, 64)) for i in range(2))
    lanes = np.empty((blocks, 2, len(primes), 64))
    native.Ring(64, primes, 1).lift_pairs(c0, c1, lanes)
    assert np.array_equal(lanes, np.stack([lanes_of(c0, primes), lanes_of(c1, primes)], axis=1))
