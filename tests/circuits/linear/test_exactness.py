"""Decrypted integers equal the integer reference bit for bit: any shape, layout, limbs and weights, over the wire."""

from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from hermetic import CompiledModel, PrecisionError
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds
from hermetic.circuits.linear.integers import MAX_RESULT_BITS, IntegerMap
from hermetic.circuits.packing import Layout
from hermetic.inputs.grid import Grid
from hermetic.rlwe.parameters import PROFILES
from hermetic.signature import Signature
from known_weights import (
    INPUTS,
    WEIGHTS,
    answered,
    answering_only,
    client_of,
    compiled,
    regression,
    up_to,
    with_circuit,
)

both_profiles = pytest.mark.parametrize("profile", ["fast", "precise"])


def inputs_of(model: CompiledModel, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Inputs (n, d) in range, on the grid if it is exact; the first two are its corners."""
    grid = model.signature.grid
    integers = rng.integers(grid.low, grid.high, size=(samples, grid.features), endpoint=True)
    integers[:2] = np.stack([grid.high, grid.low])[:samples]
    off_grid = 0.0 if grid.exact else rng.uniform(-0.5, 0.5, size=integers.shape)
    return np.clip(grid.offset + (integers + off_grid) * grid.step, grid.lower, grid.upper)


def check_exact(model: CompiledModel, X: np.ndarray) -> None:
    """Encrypt, evaluate and decrypt X, everything through bytes, and compare with Python's integers."""
    client = client_of(model)
    result = answered(model, client, X)
    found = client.decrypt_integers(result)
    values, _ = client.quantize(X)
    one = model.integers
    assert found.dtype == np.int64
    assert (found == one.apply(values)).all()
    rows = np.unique([0, len(X) // 2, len(X) - 1])
    exact = values[rows].astype(object) @ one.weights.T.astype(object) + one.bias.astype(object)
    assert (found[rows] == exact).all()


def more_precise(weights: np.ndarray, bias: np.ndarray, options: dict[str, Any], factor: float) -> CompiledModel:
    """The model with an error smaller by a factor, which takes limbs; the plain one if that cannot be guaranteed."""
    plain = compiled(weights, bias, **options)
    try:
        return compiled(weights, bias, tolerance=plain.signature.error / factor, **options)
    except PrecisionError:
        return plain


@st.composite
def models(draw: st.DrawFn, features: st.SearchStrategy[int], outputs: st.SearchStrategy[int]) -> CompiledModel:
    shape = draw(outputs, label="outputs"), draw(features, label="features")
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = WEIGHTS[draw(st.sampled_from(sorted(WEIGHTS)), label="weights")](rng, shape)
    weights *= 10.0 ** draw(st.sampled_from([0, 0, -30, 30]), label="magnitude")
    bias = rng.normal(size=shape[0]) * draw(st.sampled_from([0, 1, 1000]), label="bias") * np.abs(weights).max()
    options = {**INPUTS[draw(st.sampled_from(sorted(INPUTS)), label="inputs")]}
    options["profile"] = draw(st.sampled_from(sorted(PROFILES)), label="profile")
    factor = draw(st.sampled_from([1, 1, 4, 16]), label="precision")
    model = compiled(weights, bias, **options) if factor == 1 else more_precise(weights, bias, options, factor)
    event(f"{model.signature.circuit.limbs} limbs")
    return model


def delivered(model: CompiledModel) -> CompiledModel:
    """The model with its signature as clients read it."""
    return CompiledModel(model.integers, Signature.from_bytes(model.signature.to_bytes()))


def affordable(model: CompiledModel, samples: int, budget_ms: float) -> int:
    """At most so many samples, fewer where they cost more than the budget."""
    while samples > 1 and model.signature.cost(samples).estimated_ms > budget_ms:
        samples //= 2
    return samples


@given(model=models(up_to(300), up_to(60)), samples=up_to(300), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_any_model_and_batch(model: CompiledModel, samples: int, seed: int) -> None:
    samples = affordable(model, samples, 300)
    event(f"{model.signature.parameters.profile}, B={model.signature.layout_for(samples).samples}")
    check_exact(delivered(model), inputs_of(model, samples, np.random.default_rng(seed)))


@given(model=models(st.integers(1000, 6000), up_to(10)), samples=up_to(50), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_many_features(model: CompiledModel, samples: int, seed: int) -> None:
    samples = affordable(model, samples, 500)
    check_exact(delivered(model), inputs_of(model, samples, np.random.default_rng(seed)))


@pytest.mark.parametrize(("profile", "features"), [("fast", 4097), ("fast", 6000), ("precise", 9000)])
def test_more_features_than_the_ring_degree(profile: str, features: int) -> None:
    rng = np.random.default_rng(features)
    model = compiled(rng.normal(size=(2, features)), [1, -1], profile=profile, **INPUTS["pixels"])
    assert features > PROFILES[profile].ring_degree
    check_exact(model, inputs_of(model, 3, rng))


@both_profiles
@pytest.mark.parametrize(("features", "outputs"), [(1, 1), (7, 5), (24, 2)])
def test_every_layout_and_every_remainder(profile: str, features: int, outputs: int) -> None:
    """Each offered layout alone, with one chunk not full, full, and one sample in another."""
    rng = np.random.default_rng(features)
    weights, bias = rng.normal(size=(outputs, features)), rng.normal(size=outputs)
    model = compiled(weights, bias, profile=profile, **INPUTS["reals"])
    assert {layout.samples for layout in model.signature.layouts} > {1, 4096}
    for layout in model.signature.layouts:
        batches = {1, layout.samples - 1, layout.samples, layout.samples + 1}
        for samples in sorted(batches - {0}):
            if layout in model.signature.circuit.layouts_for(samples):
                only = answering_only(model, layout)
                assert only.signature.layout_for(samples) == layout
                check_exact(only, inputs_of(model, samples, rng))


@both_profiles
def test_a_bulk_batch_of_several_chunks(profile: str) -> None:
    """N samples share a ciphertext, and every weight is a scalar."""
    rng = np.random.default_rng(3)
    model = compiled(rng.normal(size=(3, 5)), [0, 1, -1], profile=profile, **INPUTS["pixels"])
    n = PROFILES[profile].ring_degree
    layout = next(one for one in model.signature.layouts if one.samples == n)
    check_exact(answering_only(model, layout), inputs_of(model, 2 * n + 3, rng))


@pytest.mark.parametrize("limbs", [2, 3, 4])
def test_limbs_in_every_layout(limbs: int) -> None:
    rng = np.random.default_rng(limbs)
    weights, bias = rng.normal(size=(2, 4)), rng.normal(size=2)
    options = {"profile": "fast", **INPUTS["reals"]}
    factors = 2.0 ** np.arange(1, 12)
    tried = (more_precise(weights, bias, options, factor) for factor in factors)
    model = next(one for one in tried if one.signature.circuit.limbs == limbs)
    for layout in model.signature.layouts:
        samples = min(layout.samples, 40) + 1
        if layout in model.signature.circuit.layouts_for(samples):
            check_exact(answering_only(model, layout), inputs_of(model, samples, rng))


@pytest.mark.parametrize(("profile", "result_bits"), [("fast", 37), ("precise", 62)])
def test_results_as_large_as_they_get(profile: str, result_bits: int) -> None:
    """The most result bits that each profile holds; results just within both ends, and next to zero."""
    parameters = PROFILES[profile]
    assert bounds.flood_bits(parameters, result_bits + 1) == 0 or result_bits == MAX_RESULT_BITS
    largest = (1 << (result_bits - 1)) - 1
    reach = largest - (1 << max(0, result_bits - 49)) - 1  # the proof's own float64 rounding
    grid = Grid(np.zeros(1), np.ones(1), np.array([-100]), np.array([100]), exact=True)
    weights = np.array([[1], [1], [-1], [0], [1]])
    bias = np.array([reach - 100, 100 - reach, 0, -reach, 1])
    integers = IntegerMap(weights, bias, 0, 1, 0)
    offer = Offer(Layout(parameters.ring_degree, 4, 1, 5), bounds.MIN_LAMBDA_BITS)
    public = compiled(weights, bias, profile=profile, **INPUTS["pixels"]).signature
    signature = with_circuit(public, grid=grid, result_bits=result_bits, scale_exponent=0, limb_bits=0, offers=(offer,))
    check_exact(CompiledModel(integers, signature), np.arange(-100, 101)[:, None])


@both_profiles
@pytest.mark.parametrize("inputs", sorted(INPUTS))
def test_scores_are_the_estimators_within_the_guaranteed_error(profile: str, inputs: str) -> None:
    rng = np.random.default_rng(11)
    weights, bias = rng.normal(size=(4, 30)), rng.normal(size=4)
    model = delivered(compiled(weights, bias, profile=profile, **INPUTS[inputs]))
    client, X = client_of(model), inputs_of(model, 20, rng)
    scores = client.decrypt(answered(model, client, X))
    assert np.abs(scores - regression(weights, bias).predict(X)).max() <= model.signature.error
    one = client.decrypt(answered(model, client, X[0]))
    assert one.shape == (4,)
    assert (one == scores[0]).all()
