"""Weights in evaluation form: the same products whatever is kept in memory and however they are cut into tiles."""

from __future__ import annotations

import numpy as np
import pytest

from hermetic.circuits.linear import weights
from hermetic.circuits.linear.packing import Layout, pack_samples, pack_weights
from hermetic.circuits.linear.weights import EncodedWeights
from hermetic.rlwe import modular
from hermetic.rlwe.parameters import FAST
from hermetic.rlwe.ring import Ring

LAYOUTS = [Layout(4096, 1, 40, 5), Layout(4096, 4, 7, 3), Layout(4096, 128, 3, 2), Layout(4096, 4096, 1, 1)]
RNG = np.random.default_rng(0)
W = RNG.integers(-5000, 5000, size=(23, 300))


def polynomials_of(layout: Layout) -> modular.Residues:
    """Queries (m, 2, L, N) whose two components are unrelated."""
    values = [RNG.integers(-100, 100, size=(layout.samples, W.shape[1])) for _ in range(2)]
    rows = [Ring.of(FAST).ntt(modular.from_integers(pack_samples(one, layout), FAST.data_primes)) for one in values]
    return np.stack(rows, axis=1)


def product(encoded: EncodedWeights, polynomials: modular.Residues) -> modular.Residues:
    found = list(encoded.products(polynomials))
    assert [first for first, _ in found] == np.cumsum([0, *(len(part) for _, part in found)])[:-1].tolist()
    return np.concatenate([part for _, part in found])


def by_the_definition(layout: Layout, polynomials: modular.Residues) -> modular.Residues:
    """Sums of products with every weight polynomial, transformed whole."""
    packed = pack_weights(W, layout)
    groups, blocks, _ = packed.shape
    whole = np.zeros((groups, blocks, 4096), dtype=np.int64)
    whole[..., :: layout.samples] = packed
    out = np.zeros((groups, *polynomials.shape[1:]), dtype=np.int64)
    for g, row in enumerate(whole):
        values = Ring.of(FAST).ntt(modular.from_integers(row, FAST.data_primes))
        for value, polynomial in zip(values, polynomials, strict=True):
            for c, component in enumerate(polynomial):
                terms = [modular.multiply(a, b, p) for a, b, p in zip(component, value, FAST.data_primes, strict=True)]
                out[g, c] = modular.add(out[g, c], np.stack(terms), FAST.data_primes)
    return out


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids=lambda one: f"B={one.samples}")
def test_products_are_those_of_whole_polynomials(layout: Layout) -> None:
    polynomials = polynomials_of(layout)
    assert np.array_equal(product(EncodedWeights(W, FAST, layout), polynomials), by_the_definition(layout, polynomials))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"B={one.samples}")
def test_products_do_not_depend_on_tiles_or_memory_or_type(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    polynomials = polynomials_of(layout)
    expected = product(EncodedWeights(W, FAST, layout), polynomials)
    monkeypatch.setattr(weights, "TILE_BYTES", 1 << 18)
    monkeypatch.setattr(weights, "_TILE_BLOCKS", 3)
    whole = EncodedWeights(W, FAST, layout)
    for memory in (0, whole.nbytes // 2, whole.nbytes):
        assert np.array_equal(product(EncodedWeights(W.astype(np.int16), FAST, layout, memory), polynomials), expected)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"B={one.samples}")
def test_what_is_kept_takes_the_memory_that_it_may(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "TILE_BYTES", 1 << 18)
    monkeypatch.setattr(weights, "_TILE_BLOCKS", 1)
    whole = EncodedWeights(W, FAST, layout)
    assert EncodedWeights(W, FAST, layout, 0).nbytes == 0
    half = EncodedWeights(W, FAST, layout, whole.nbytes // 2)
    assert half.nbytes <= whole.nbytes // 2
