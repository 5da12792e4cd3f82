"""Modular arithmetic in NumPy equals Python's integers, at the edges too."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.rlwe import modular
from hermetic.rlwe.parameters import FAST, PRECISE

# The least and the largest primes that may occur, both profiles' own, and the largest below 2^50 of all.
PRIMES = sorted({3, 65537, *FAST.key_primes, *PRECISE.key_primes, (1 << 50) - 27})

primes = st.sampled_from(PRIMES)
chains = st.lists(primes, min_size=1, max_size=4, unique=True)


def residues_of(prime: int) -> st.SearchStrategy[int]:
    edges = {0, 1, 2, prime // 2, prime // 2 + 1, prime - 2, prime - 1}
    return st.sampled_from(sorted(edges)) | st.integers(0, prime - 1)


def residue_rows(data: st.DataObject, chain: list[int], count: int) -> np.ndarray:
    """(L, count) residues, one row a prime."""
    return np.array([[data.draw(residues_of(p)) for _ in range(count)] for p in chain], dtype=np.int64)


@given(prime=primes, values=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20))
def test_reduce(prime: int, values: list[int]) -> None:
    assert modular.reduce(np.array(values, dtype=np.int64), prime).tolist() == [v % prime for v in values]


@given(st.data())
def test_multiply(data: st.DataObject) -> None:
    prime = data.draw(primes)
    pairs = data.draw(st.lists(st.tuples(residues_of(prime), residues_of(prime)), min_size=1, max_size=20))
    a, b = np.array(pairs, dtype=np.int64).T
    assert modular.multiply(a, b, prime).tolist() == [x * y % prime for x, y in pairs]
    assert modular.multiply(a, int(b[0]), prime).tolist() == [x * int(b[0]) % prime for x in a.tolist()]


@pytest.mark.parametrize("prime", PRIMES)
def test_multiply_where_the_quotient_is_hardest_to_find(prime: int) -> None:
    """Products next to a multiple of the prime: the float64 quotient is off by one there."""
    a = np.unique(np.r_[np.arange(1, 2000), prime - np.arange(1, 2000), prime // np.arange(1, 2000)] % prime)
    a = a[a > 0]
    for remainder in (0, 1, prime - 1):
        b = np.array([remainder * pow(x, -1, prime) % prime for x in a.tolist()], dtype=np.int64)
        assert (modular.multiply(a, b, prime) == remainder).all()


@given(st.data())
def test_add_and_scale(data: st.DataObject) -> None:
    chain = data.draw(chains)
    a, b = residue_rows(data, chain, 5), residue_rows(data, chain, 5)
    factor = data.draw(st.integers(-(1 << 200), 1 << 200))
    for operation, expected in (
        (modular.add(a, b, chain), lambda x, y: x + y),
        (modular.scale(a, factor, chain), lambda x, _: x * factor),
    ):
        for i, p in enumerate(chain):
            assert operation[i].tolist() == [expected(int(x), int(y)) % p for x, y in zip(a[i], b[i], strict=True)]


def test_add_and_scale_keep_leading_axes() -> None:
    chain = FAST.data_primes
    a = modular.from_integers(np.arange(24, dtype=np.int64).reshape(2, 3, 4) - 12, chain)
    assert a.shape == (2, 3, 2, 4)
    doubled = modular.add(a, a, chain)
    assert (doubled == modular.scale(a, 2, chain)).all()
    assert (modular.add(doubled, modular.scale(a, -1, chain), chain) == a).all()
    assert not modular.add(a, modular.scale(a, -1, chain), chain).any()


@given(chain=chains, data=st.data())
def test_integers_to_residues_and_back(chain: list[int], data: st.DataObject) -> None:
    half = (math.prod(chain) - 1) // 2
    edges = st.sampled_from([-half, -half + 1, -1, 0, 1, half - 1, half])
    values = data.draw(st.lists(edges | st.integers(-half, half), min_size=1, max_size=10))
    residues = np.array([[v % p for v in values] for p in chain], dtype=np.int64)
    assert modular.to_centred_integers(residues, chain).tolist() == values


@given(chain=chains, values=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=10))
def test_from_integers(chain: list[int], values: list[int]) -> None:
    assert modular.from_integers(np.array(values, dtype=np.int64), chain).tolist() == [
        [v % p for v in values] for p in chain
    ]
