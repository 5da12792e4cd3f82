"""Slots: products of polynomials are products slot by slot, and rotations move them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hermetic.circuits.networks import embedding
from hermetic.rlwe.levels import CONJUGATE, galois_element

degrees = st.sampled_from([8, 64, 1024])
seeds = st.integers(0, 2**32 - 1)


def slots_of(seed: int, degree: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=degree // 2) + 1j * random.normal(size=degree // 2)


def negacyclic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    whole = np.convolve(a, b)
    return whole[: len(a)] - np.append(whole[len(a) :], 0)


def moved(polynomial: np.ndarray, step: int) -> np.ndarray:
    n = len(polynomial)
    exponents = np.arange(n) * galois_element(step, n) % (2 * n)
    out = np.zeros(n)
    out[exponents % n] = np.where(exponents < n, polynomial, -polynomial)
    return out


@given(degrees, seeds)
def test_values_undo_coefficients(degree: int, seed: int) -> None:
    slots = slots_of(seed, degree)
    assert np.allclose(embedding.values(embedding.coefficients(slots, degree), degree), slots)


@given(degrees, seeds)
def test_products_of_polynomials_are_products_of_slots(degree: int, seed: int) -> None:
    a, b = slots_of(seed, degree), slots_of(seed + 1, degree)
    product = negacyclic(*(embedding.coefficients(one, degree) for one in (a, b)))
    assert np.allclose(embedding.values(product, degree), a * b)


@given(degrees, st.integers(1, 500), seeds)
def test_an_automorphism_rotates_or_conjugates(degree: int, step: int, seed: int) -> None:
    slots = slots_of(seed, degree)
    polynomial = embedding.coefficients(slots, degree)
    step %= degree // 2
    if step:
        assert np.allclose(embedding.values(moved(polynomial, step), degree), np.roll(slots, -step))
    assert np.allclose(embedding.values(moved(polynomial, CONJUGATE), degree), np.conj(slots))


@given(degrees, st.floats(0, 90), seeds)
def test_rounding_is_at_the_scale_that_is_asked_for(degree: int, exponent: float, seed: int) -> None:
    slots = slots_of(seed, degree)
    integers, factor = embedding.rounded(slots, degree, exponent)
    exact = embedding.coefficients(slots, degree) * 2.0**exponent
    assert np.abs(integers * float(factor) - exact).max() <= 0.5001 * factor + 1e-9 * np.abs(exact).max()
    assert factor == 1 or 2.0**exponent / factor <= 2.0 ** (embedding.INTEGER_BITS + 1)
