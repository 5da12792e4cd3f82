"""Layouts and what they cost: the counts and bytes are real, and no better layout is overlooked."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hermetic import Query, Result
from hermetic.circuits.linear import plan
from hermetic.circuits.packing import Layout
from hermetic.compiler.planner import best_layouts
from hermetic.rlwe.parameters import FAST, PRECISE, Parameters
from known_weights import answering_only, client_of, compiled, up_to

both_profiles = st.sampled_from([FAST, PRECISE])


@st.composite
def batches(draw: st.DrawFn) -> tuple[Parameters, int, int, int]:
    """Parameters, B, d and k."""
    parameters = draw(both_profiles)
    samples = 1 << draw(st.integers(0, parameters.ring_degree.bit_length() - 1))
    return parameters, samples, draw(up_to(20_000)), draw(up_to(500))


@given(batches())
def test_candidates_are_layouts_of_the_batch_without_repetition(batch: tuple[Parameters, int, int, int]) -> None:
    parameters, samples, features, outputs = batch
    found = plan.candidate_layouts(parameters, samples, features, outputs)
    assert found
    assert len(set(found)) == len(found)
    for one in found:
        assert (one.ring_degree, one.samples) == (parameters.ring_degree, samples)
        assert one.features <= features
        assert one.outputs <= outputs


@given(batches(), st.data())
def test_no_layout_needs_fewer_ciphertexts_than_all_candidates(
    batch: tuple[Parameters, int, int, int], data: st.DataObject
) -> None:
    """Any layout of up to 64 result polynomials is matched, both up and down, by a candidate."""
    parameters, samples, features, outputs = batch
    room = parameters.ring_degree // samples
    r = data.draw(st.integers(1, min(room, outputs)), label="r")
    f = data.draw(st.integers(1, room // r), label="f")
    other = Layout(parameters.ring_degree, samples, f, r)
    up, down = other.query_polynomials(features), other.result_polynomials(outputs)
    if down > 64:
        return
    found = plan.candidate_layouts(parameters, samples, features, outputs)
    assert any(one.query_polynomials(features) <= up and one.result_polynomials(outputs) <= down for one in found)


@given(batches(), up_to(20_000))
def test_the_cheapest_costs_least(batch: tuple[Parameters, int, int, int], samples: int) -> None:
    parameters, room, features, outputs = batch
    found = plan.candidate_layouts(parameters, room, features, outputs)
    costs = {one: plan.cost(parameters, one, features, outputs, samples).estimated_ms for one in found}
    assert costs[plan.cheapest(parameters, tuple(found), features, outputs, samples)] == min(costs.values())


@given(batches(), up_to(20_000), up_to(5_000))
def test_more_samples_never_cost_less(batch: tuple[Parameters, int, int, int], samples: int, more: int) -> None:
    """But that more samples than features need narrower masks."""
    parameters, room, features, outputs = batch
    assume(samples > features or samples + more <= features)
    for one in plan.candidate_layouts(parameters, room, features, outputs):
        few = plan.cost(parameters, one, features, outputs, samples)
        many = plan.cost(parameters, one, features, outputs, samples + more)
        assert few.query_ciphertexts <= many.query_ciphertexts
        assert few.request_bytes <= many.request_bytes
        assert few.response_bytes <= many.response_bytes
        assert few.estimated_ms <= many.estimated_ms


@given(batches(), up_to(20_000))
def test_counts(batch: tuple[Parameters, int, int, int], samples: int) -> None:
    parameters, room, features, outputs = batch
    for one in plan.candidate_layouts(parameters, room, features, outputs):
        cost = plan.cost(parameters, one, features, outputs, samples)
        chunks = -(-samples // one.samples)
        assert cost.query_ciphertexts == chunks * -(-features // one.features)
        assert cost.result_ciphertexts == chunks * -(-outputs // one.outputs)
        assert cost.products == chunks * -(-features // one.features) * -(-outputs // one.outputs)


@pytest.mark.parametrize("profile", ["fast", "precise"])
@pytest.mark.parametrize("samples", [1, 13])
def test_bytes_and_ciphertexts_are_those_of_real_queries_and_results(profile: str, samples: int) -> None:
    """In every layout; what comes on top is the envelope and the batch's description, the same for all."""
    rng = np.random.default_rng(samples)
    model = compiled(rng.normal(size=(3, 12)), rng.normal(size=3), input_range=(0, 255), input_step=1, profile=profile)
    X = rng.integers(0, 255, size=(samples, 12), endpoint=True)
    envelopes = set()
    for layout in model.signature.circuit.layouts_for(samples):
        one = answering_only(model, layout)
        client = client_of(one)
        query = client.encrypt(X)
        result = one.evaluate(query, client.public_key)
        cost = plan.cost(one.signature.parameters, layout, 12, 3, samples)
        assert cost.query_ciphertexts == len(query.c0)
        assert cost.result_ciphertexts == len(result.c1)
        envelopes.add(len(query.to_bytes()) - cost.request_bytes)
        envelopes.add(len(result.to_bytes()) - cost.response_bytes)
        assert Query.size(one.signature, layout, samples) == len(query.to_bytes())
        assert Result.size(one.signature, layout, samples) == len(result.to_bytes())
        assert one.signature.cost(samples) == cost
    assert len(envelopes) == 1
    assert envelopes.pop() < 256


@given(parameters=both_profiles, features=up_to(20_000), outputs=up_to(300))
@settings(max_examples=20)
def test_every_offered_layout_pays_for_the_batch_it_is_made_for(
    parameters: Parameters, features: int, outputs: int
) -> None:
    """For a batch of B samples, no offered layout of fewer is as cheap."""
    flood = parameters.query_modulus.bit_length() - 40
    offered = best_layouts(parameters, features, outputs, flood)
    assert offered[0].samples == 1
    assert len({one.samples for one in offered}) == len(offered)
    for i, one in enumerate(offered):
        upto = [plan.cost(parameters, o, features, outputs, one.samples).estimated_ms for o in offered[: i + 1]]
        assert upto[-1] < min(upto[:-1], default=math.inf)


def test_one_image_of_784_pixels_and_10_classes_takes_one_ciphertext_up_and_two_down() -> None:
    layout = plan.cheapest(FAST, tuple(plan.candidate_layouts(FAST, 1, 784, 10)), 784, 10, 1)
    cost = plan.cost(FAST, layout, 784, 10, 1)
    assert layout == Layout(4096, 1, 784, 5)
    assert (cost.query_ciphertexts, cost.result_ciphertexts) == (1, 2)
    assert cost.request_bytes == 4096 * (50 + 42) // 8
