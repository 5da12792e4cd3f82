"""Answers equal the integer reference bit for bit, whatever slots inputs are in."""

from __future__ import annotations

from typing import Any

import known_trees as known
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic import Client, CompiledModel, DecryptionError, InputError, Query, Result
from hermetic.arrays import Integers
from hermetic.circuits.trees import bounds, planner, seal
from hermetic.circuits.trees.rounding import lifted, rounded
from hermetic.rlwe.parameters import FAST, MAX_ERROR

SHAPES = [{}, {"outputs": 3}, {"columns": 3}, {"trees": 1}]
OPTIONS: list[dict[str, Any]] = [{}, {"strict": False}, {"tolerance": 1e-9}]


def answered(model: CompiledModel, client: Client, slots: Integers) -> Integers:
    half: Any = client._half
    query = half.encrypt(slots, vector=False).to_bytes()
    result = model.evaluate(Query.from_bytes(query, model.signature), client.public_key).to_bytes()
    return np.asarray(half.decrypt_integers(Result.from_bytes(result, model.signature)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_integers_equal_the_reference(shape: dict[str, int], options: dict[str, Any]) -> None:
    words = known.random_words(1, **shape)
    model = known.compiled(words, **options)
    client, slots = Client(model.signature), known.all_slots()[::7]
    half: Any = model._half
    assert np.array_equal(answered(model, client, slots), half.reference_integers(slots))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores_are_those_of_the_trees_within_the_stated_error(shape: dict[str, int]) -> None:
    words = known.random_words(2, **shape)
    model, slots = known.compiled(words), known.all_slots()
    exact = words.apply(known.slots_of().to_bits(slots))
    assert np.abs(model.reference(slots) - exact).max() <= model.signature.error


def test_a_tolerance_takes_more_limbs() -> None:
    one, more = (known.compiled(known.random_words(3), tolerance=tolerance) for tolerance in (None, 1e-9))
    assert known.circuit_of(one).limbs == 1
    assert known.circuit_of(more).limbs == 2
    assert more.signature.error <= 1e-9


def test_inputs_go_the_whole_way() -> None:
    model = known.compiled(known.random_words(4))
    client = Client(model.signature)
    X = np.array([[0.0, np.nan, 2.5], [-1.0, 0.5, 4.0], [2.5, 0.4, 0.0]])
    scores = client.decrypt(model.evaluate(client.encrypt(X), client.public_key))
    assert np.array_equal(scores, model.reference(client.quantize(X)[0])[:, 0])
    with pytest.raises(InputError, match="finite"):
        client.encrypt(np.array([[np.nan, 0.0, 0.0]]))


def test_answers_of_two_queries_do_not_mix() -> None:
    from dataclasses import replace

    model = known.compiled(known.random_words(5))
    client, half = Client(model.signature), None
    half = client._half
    slots = known.all_slots()
    first, second = (half.encrypt(slots[i : i + 2], vector=False) for i in (3, 20))
    results: Any = [model.evaluate(query, client.public_key) for query in (first, second)]
    with pytest.raises(DecryptionError, match="one value of every tree"):
        half.decrypt_integers(replace(results[0], batch=second.batch))
    with pytest.raises(DecryptionError, match="one value of every tree"):
        half.decrypt_integers(replace(results[0], answers=results[0].answers[::-1]))


@given(st.integers(0, 2**32 - 1))
def test_any_function_of_a_slot_is_linear_in_its_bits(seed: int) -> None:
    random = np.random.default_rng(seed)
    slots = known.slots_of([[0.0] * random.integers(0, 6) for _ in range(3)], random.random(3) < 0.5)
    for number in range(slots.inputs):
        values = random.normal(size=(int(slots.widths[number]), 2))
        constant, terms = slots.linear(number, values)
        columns = np.arange(slots.first_bits[number], slots.first_bits[number + 1])
        bits = slots.bits_at(columns, np.arange(len(values))[:, None])
        assert np.allclose(constant + bits @ terms, values)


def test_bits_are_a_thermometer_and_whether_it_is_missing() -> None:
    slots = known.slots_of([[0.0, 1.0]], [True])
    assert slots.to_bits(np.eye(4, dtype=np.int64)).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("bits", [1, 12, 29, 73, 145, 300])
def test_a_seal_tests_every_unused_coefficient(bits: int) -> None:
    found = seal.find(FAST.ring_degree, bits)
    assert seal.coverage(FAST.ring_degree, bits, found).min() >= bounds.COVERAGE
    for places in found:
        zero = seal.windows(FAST.ring_degree, bits, places)
        assert all(zero[(place - np.arange(bits)) % FAST.ring_degree].all() for place in places)


@given(st.lists(st.integers(0, FAST.result_modulus - 1), min_size=1), st.sampled_from([20, 26, 32, 38]))
def test_rounding_loses_no_more_than_its_bound(values: list[int], bits: int) -> None:
    modulus = FAST.result_modulus
    back = lifted(rounded(np.array(values), bits, modulus), bits, modulus)
    gap = np.abs(back - np.array(values))
    assert np.minimum(gap, modulus - gap).max() <= (modulus >> (bits + 1)) + 2


@pytest.mark.parametrize("precision", [bounds.CHECKED, bounds.SCORES])
def test_flooding_and_the_largest_weights_fit_the_budget(precision: bounds.Precision) -> None:
    flood, budget = bounds.flood_bits(FAST, precision), bounds.noise_budget(FAST, precision)
    assert (1 << (flood - 1)) + (1 << (flood - 10)) <= budget


@pytest.mark.parametrize("polynomials", [1, 2, 17, 60])
def test_the_widest_weights_of_tests_fit_the_budget(polynomials: int) -> None:
    width = bounds.test_weight_bits(FAST, polynomials)
    norm = FAST.ring_degree * polynomials << (width - 1)
    assert (MAX_ERROR + 1) * norm <= bounds.noise_budget(FAST, bounds.TESTS)


def test_values_are_off_by_half_a_unit_in_every_slot() -> None:
    words, slots = known.random_words(6), known.slots_of()
    exponent, integers, _ = planner.quantized(words, slots, 1)
    bits = slots.to_bits(known.all_slots())
    gap = np.abs(np.ldexp(integers.apply(bits).astype(float), -exponent) - words.apply(bits))
    assert gap.max() <= (len(words.outputs) + 1) * np.ldexp(0.5, -exponent) * (1 + 1e-9)
