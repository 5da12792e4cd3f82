"""Weights in evaluation form: the same products whatever is kept in memory and however they are cut into tiles."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fitted
from hermetic.arrays import Integers, Residues
from hermetic.circuits.linear import weights
from hermetic.circuits.linear.integers import IntegerMap
from hermetic.circuits.linear.weights import EncodedWeights
from hermetic.circuits.packing import Layout, pack_samples, pack_weights, targets
from hermetic.rlwe import modular
from hermetic.rlwe.parameters import FAST
from hermetic.rlwe.public_ring import PublicRing
from hermetic.rlwe.ring import Ring

SIGNATURE = fitted.petals().signature
LAYOUTS = [Layout(4096, 1, 40, 5), Layout(4096, 4, 7, 3), Layout(4096, 128, 3, 2), Layout(4096, 4096, 1, 1)]
RNG = np.random.default_rng(0)
W = RNG.integers(-5000, 5000, size=(23, 300))


def polynomials_of(layout: Layout) -> Residues:
    """Queries (m, 2, L, N) whose two components are unrelated."""
    values = [RNG.integers(-100, 100, size=(layout.samples, W.shape[1])) for _ in range(2)]
    rows = [Ring.of(FAST).ntt(modular.from_integers(pack_samples(one, layout), FAST.data_primes)) for one in values]
    return np.stack(rows, axis=1)


def encoded(layout: Layout, weights: Integers = W, memory: float = math.inf) -> EncodedWeights:
    integers = IntegerMap(weights, np.arange(len(weights)), scale_exponent=0, limbs=1, limb_bits=0)
    return EncodedWeights(integers, SIGNATURE, layout, memory)


def product(encoded: EncodedWeights, polynomials: Residues) -> Residues:
    ciphertexts = np.empty(polynomials.shape)
    PublicRing.of(FAST).lift(polynomials[:, 0], polynomials[:, 1], ciphertexts)
    assert [group for tile in encoded.tiles for group in tile] == list(range(encoded.groups))
    lanes = np.concatenate([encoded.products(tile, ciphertexts) for tile in encoded.tiles])
    primes = np.array(FAST.data_primes)[:, None]
    assert (2 * np.abs(lanes) < primes).all()
    return np.mod(lanes.astype(np.int64), primes)


def by_the_definition(layout: Layout, polynomials: Residues) -> Residues:
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
    assert np.array_equal(product(encoded(layout), polynomials), by_the_definition(layout, polynomials))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"B={one.samples}")
def test_products_do_not_depend_on_tiles_or_memory_or_type(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    polynomials = polynomials_of(layout)
    expected = product(encoded(layout), polynomials)
    monkeypatch.setattr(weights, "_TILE_BYTES", 1 << 18)
    monkeypatch.setattr(weights, "_TILE_BLOCKS", 3)
    whole = encoded(layout)
    for memory in (0, whole.nbytes // 2, whole.nbytes):
        assert np.array_equal(product(encoded(layout, W.astype(np.int16), memory), polynomials), expected)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"B={one.samples}")
def test_what_is_kept_takes_the_memory_that_it_may(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_TILE_BYTES", 1 << 18)
    monkeypatch.setattr(weights, "_TILE_BLOCKS", 1)
    whole = encoded(layout)
    assert encoded(layout, memory=0).nbytes == 0
    half = encoded(layout, memory=whole.nbytes // 2)
    assert half.nbytes <= whole.nbytes // 2


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"B={one.samples}")
def test_targets_are_where_packing_says(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_TILE_GROUPS", 2)
    made, samples = encoded(layout), max(1, layout.samples - 1)
    for tile in made.tiles:
        outputs = range(len(W))[tile.start * layout.outputs : tile.stop * layout.outputs]
        places, offsets = made.targets(tile, samples)
        expected = [
            targets(layout, samples, output % layout.outputs + 1)[-1]
            + (output // layout.outputs - tile.start) * layout.ring_degree
            for output in outputs
        ]
        assert np.array_equal(places, np.concatenate(expected))
        factor = SIGNATURE.circuit.delta * FAST.rescale_factor
        wanted = [[output * factor % prime for prime in FAST.data_primes] for output in outputs]
        assert np.array_equal(offsets, np.repeat(np.array(wanted), samples, axis=0))
