"""The worst-case bounds: sound as formulas, and kept by real answers, the most extreme honest one included."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hermetic import Client, CompiledModel, ModelFileError, Query, Result
from hermetic.arrays import Residues
from hermetic.circuits import bounds as of_masks
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds
from hermetic.circuits.linear.integers import MAX_RESULT_BITS
from hermetic.circuits.packing import Layout, pack_samples, pack_weights, released, targets
from hermetic.rlwe import modular
from hermetic.rlwe.parameters import FAST, MAX_ERROR, MAX_MODULUS_BITS, PRECISE, Parameters
from hermetic.rlwe.public_ring import Lanes, PublicRing
from hermetic.rlwe.randomness import Stream
from hermetic.rlwe.ring import Ring
from hermetic.rlwe.seeds import QUERY_DOMAIN, expand
from known_weights import answering_only, client_of, compiled, with_circuit

FEATURES, OUTPUTS = 40, 6

both_profiles = pytest.mark.parametrize("profile", ["fast", "precise"])

# With 20-bit results, the room for noise is 2^53 and a 10^-7th part: what rounding to a power of two leaves is least.
BARELY = Parameters(4096, kept_primes=(21480087553,), dropped_primes=(1099511799809,), special_prime=114689)

# Results of 52 bits need a degree of 4096 to be secure: nothing of the mask may become known.
TIGHT = Parameters(4096, kept_primes=(67084289, 67043329), dropped_primes=(1099511480321,), special_prime=114689)

parameter_sets = st.sampled_from([FAST, PRECISE, BARELY, TIGHT])
result_sizes = st.integers(2, MAX_RESULT_BITS)


# --- the formulas ---------------------------------------------------------------------------------------------------


def exact_noise(parameters: Parameters, flood: int, weighted: Fraction | int) -> Fraction:
    """The worst case after rescaling: each part as large as it gets, all of one sign."""
    n = parameters.ring_degree
    mask = MAX_ERROR * n * 2 ** (bounds.MASK_BITS - 1) + MAX_ERROR + MAX_ERROR * n
    before = 2 ** (flood - 1) + weighted + mask
    return before / parameters.rescale_factor + Fraction(n + 1, 2) * len(parameters.dropped_primes)


@given(parameters=parameter_sets, result_bits=result_sizes)
def test_delta_is_the_largest_scale_that_holds_every_result(parameters: Parameters, result_bits: int) -> None:
    delta = bounds.delta(parameters, result_bits)
    assert delta * 2**result_bits <= parameters.result_modulus < (delta + 1) * 2**result_bits


@given(parameters=parameter_sets, result_bits=result_sizes)
@example(BARELY, 20)
def test_flooding_and_everything_it_hides_stay_below_half_of_delta(parameters: Parameters, result_bits: int) -> None:
    """At the least lambda that is ever allowed; and one bit more of flooding would not fit."""
    flood = bounds.flood_bits(parameters, result_bits)
    delta = bounds.delta(parameters, result_bits)
    if flood >= bounds.MIN_LAMBDA_BITS:
        assert exact_noise(parameters, flood, 2 ** (flood - bounds.MIN_LAMBDA_BITS)) < Fraction(delta, 2)
    n = parameters.ring_degree
    room = Fraction(delta, 2) - (n + 1) * len(parameters.dropped_primes)
    assert 2**flood * Fraction(129, 128) > room * parameters.rescale_factor - 2 * n


@given(parameters=parameter_sets, result_bits=result_sizes, lambda_bits=st.floats(bounds.MIN_LAMBDA_BITS, 100))
@example(BARELY, 20, float(bounds.MIN_LAMBDA_BITS))
def test_result_noise_covers_the_exact_worst_case_and_stays_below_half_of_delta(
    parameters: Parameters, result_bits: int, lambda_bits: float
) -> None:
    flood = bounds.flood_bits(parameters, result_bits)
    if flood < lambda_bits:
        return
    found = bounds.result_noise(parameters, flood, lambda_bits)
    weighted = Fraction(2**flood) / Fraction(2.0**lambda_bits)
    assert exact_noise(parameters, flood, weighted) <= found
    assert 2 * found < bounds.delta(parameters, result_bits)


def test_the_least_lambda_keeps_the_error_in_the_room_that_flooding_leaves_for_it() -> None:
    """A 256th of the largest flooding, 2^(F-1): 2^(F - lambda) must not exceed it."""
    assert bounds.MIN_LAMBDA_BITS >= 9


@given(flood=st.integers(1, 12), norm=st.integers(1, 200))
def test_lambda_is_the_statistical_distance_that_flooding_leaves(flood: int, norm: int) -> None:
    """Counted: flooding alone against flooding moved by the largest e·W, as sets of equally likely integers."""
    moved = MAX_ERROR * norm
    alone = set(range(-(2 ** (flood - 1)), 2 ** (flood - 1)))
    distance = Fraction(len(alone - {value + moved for value in alone}), len(alone))
    lambda_bits = bounds.flooding_lambda(flood, norm)
    if lambda_bits >= 0:
        assert 2.0**-lambda_bits == pytest.approx(float(distance))
    else:
        assert distance == 1


def test_weights_of_zero_leave_all_the_flooding() -> None:
    assert bounds.flooding_lambda(50, 0) == 50


@given(parameters=parameter_sets, result_bits=result_sizes)
def test_max_targets_is_the_most_that_leaves_a_secure_mask(parameters: Parameters, result_bits: int) -> None:
    """If every bit that words carry is spent on whole coefficients of u, those left are as many as security wants."""
    flood = bounds.flood_bits(parameters, result_bits)
    if flood == 0:
        return
    largest = bounds.max_targets(parameters, flood)
    per_word = math.log2(parameters.query_modulus / 2**flood)
    error_bits = math.log2(3.2 * math.sqrt(12))

    def secure(words: int) -> bool:
        unknown = parameters.ring_degree - words * per_word / bounds.MASK_BITS
        degrees = [degree for degree in MAX_MODULUS_BITS if degree <= unknown]
        return bool(degrees) and math.log2(parameters.result_modulus) + error_bits <= MAX_MODULUS_BITS[degrees[-1]]

    assert secure(largest)
    assert not secure(largest + 1)


def test_max_targets_of_the_profiles() -> None:
    """By hand. fast, 36-bit results: 92 - 55 = 37 bits a word, 2048·26 bits to spare. precise, 55-bit results:
    150 - 94 = 56 bits a word, 4096·26 bits.
    """
    assert bounds.MASK_BITS == 26
    assert bounds.flood_bits(FAST, 36) == 55
    assert bounds.max_targets(FAST, 55) == 2048 * 26 // 37
    assert bounds.flood_bits(PRECISE, 55) == 94
    assert bounds.max_targets(PRECISE, 94) == 4096 * 26 // 56
    assert bounds.max_targets(TIGHT, bounds.flood_bits(TIGHT, 20)) == 0


def test_a_narrower_mask_pays_for_fewer_words(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds.max_targets.cache_clear()
    monkeypatch.setattr(of_masks, "MASK_BITS", 13)
    assert bounds.max_targets(FAST, 55) == 2048 * 13 // 37
    bounds.max_targets.cache_clear()


def test_the_largest_layouts_are_for_batches_of_more_samples_than_features() -> None:
    flood = 55
    most = bounds.max_targets(FAST, flood)
    assert bounds.layout_allowed(FAST, Layout(4096, 1, 1, most), 784, flood)
    assert not bounds.layout_allowed(FAST, Layout(4096, 1, 1, most + 1), 784, flood)
    bulk = Layout(4096, 2048, 2, 1)
    assert bounds.layout_allowed(FAST, bulk, 784, flood)
    assert bounds.least_samples(FAST, bulk, 784, flood) == 785
    assert bounds.layout_allowed(FAST, bulk, 784, flood, samples=785)
    assert not bounds.layout_allowed(FAST, bulk, 784, flood, samples=784)
    assert not bounds.layout_allowed(FAST, bulk, 2048, flood)


# --- real answers ---------------------------------------------------------------------------------------------------


@cache
def model_of(profile: str, flooding: float | None = None) -> CompiledModel:
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(OUTPUTS, FEATURES)), rng.normal(size=OUTPUTS)
    return compiled(weights, bias, input_range=(-4, 3), profile=profile, flooding=flooding)


def noise_of(client: Client, result: Result, expected: np.ndarray) -> np.ndarray:
    """phase - delta·y of every released word, as Python integers; ``expected`` (n, integer outputs) is y."""
    signature, batch = client.signature, result.batch
    parameters, ring = signature.parameters, Ring.of(signature.parameters)
    masks = ring.intt(client.secret_key.ring_key.times(ring.ntt(result.c1)))
    found, wanted = [], []
    polynomials = iter(masks)
    for chunk, groups in enumerate(released(batch.layout, batch.samples, signature.circuit.integer_outputs)):
        rows = expected[chunk * batch.layout.samples : (chunk + 1) * batch.layout.samples]
        wanted.append(rows.T.ravel())
        found += [mask[:, index.ravel()] for mask, index in zip(polynomials, groups, strict=False)]
    phase = modular.add(np.concatenate(found, axis=1), result.words, parameters.kept_primes)
    exact = modular.to_centred_integers(phase, parameters.kept_primes)
    return exact - signature.circuit.delta * np.concatenate(wanted).astype(object)


@both_profiles
@pytest.mark.parametrize("flooding", [None, 10])
def test_noise_of_real_answers_is_the_flooding_and_within_its_bound(profile: str, flooding: float | None) -> None:
    """In the layouts of one sample and of many: never beyond the bound, and as wide as F bits of flooding are."""
    model = model_of(profile, flooding)
    signature, parameters = model.signature, model.signature.parameters
    rng = np.random.default_rng(2)
    noise = []
    for samples, repeat in ((1, 5), (6, 1), (500, 1)):
        client = client_of(answering_only(model, signature.layout_for(samples)))
        for _ in range(repeat):
            X = rng.uniform(-4, 3, size=(samples, FEATURES))
            result = client_answer(client, model, X)
            noise.append(noise_of(client, result, model.integers.apply(client.quantize(X)[0])))
    absolute = np.abs(np.concatenate(noise))
    assert absolute.max() <= signature.circuit.result_noise < signature.circuit.delta / 2
    flooded = 2.0**signature.flood_bits / parameters.rescale_factor
    assert math.sqrt(np.mean(absolute.astype(np.float64) ** 2)) == pytest.approx(flooded / math.sqrt(12), rel=0.05)


def client_answer(client: Client, model: CompiledModel, X: np.ndarray) -> Result:
    only = CompiledModel(model.integers, client.signature)
    return only.evaluate(client.encrypt(X), client.public_key)


# --- the most extreme honest answer ---------------------------------------------------------------------------------


def with_noise(client: Client, c0: Residues, c1: Residues, message: np.ndarray, noise: np.ndarray) -> Residues:
    """The c0 (L, N) of the same ciphertext with exactly this noise (N,) on top of the message (N,)."""
    parameters = client.signature.parameters
    ring, primes = Ring.of(parameters), parameters.data_primes
    phase = modular.add(c0, client.secret_key.ring_key.times(c1[None])[0], primes)
    present = modular.to_centred_integers(ring.intt(phase[None])[0], primes) - message
    assert np.abs(present).max() < 2**45
    change = modular.from_integers((noise - present).astype(np.int64), primes)
    return modular.add(c0, ring.ntt(change[None])[0], primes)


def loudest_query(client: Client, X: np.ndarray, noise: np.ndarray) -> Query:
    """A query for X whose ciphertexts have the given noise (m, N)."""
    signature, query = client.signature, client.encrypt(X)
    parameters = signature.parameters
    messages = pack_samples(client.quantize(X)[0], query.batch.layout).astype(object)
    messages *= signature.circuit.delta * parameters.rescale_factor
    c0 = np.empty_like(query.c0)
    for i, message in enumerate(messages):
        c1 = expand(QUERY_DOMAIN, query.batch.query, i, parameters, parameters.data_primes)
        c0[i] = with_noise(client, query.c0[i], c1, message, noise[i])
    return Query(parameters, query.batch, c0)


def loudest_masks(client: Client, sign: int) -> Callable[..., None]:
    """Masks whose noise is the bound itself, everywhere, e0 and e1 included."""
    parameters, original = client.signature.parameters, PublicRing.mask
    ring, primes = Ring.of(parameters), np.array(parameters.data_primes)[:, None]
    noise = np.full(parameters.ring_degree, sign * bounds.mask_noise(parameters), dtype=object)

    def mask(public: PublicRing, answer: Lanes, *rest: Any) -> None:
        before = ring.intt(np.mod(answer[-1].astype(np.int64), primes))
        original(public, answer, *rest)
        added = ring.ntt(np.mod(answer[-1].astype(np.int64) - before, primes))
        loud = with_noise(client, added[0], added[1], np.zeros_like(noise), noise)
        total = modular.add(before[0], ring.intt(loud[None])[0], parameters.data_primes)
        answer[-1, 0] = np.where(total > primes // 2, total - primes, total)

    return mask


def loudest_error(model: CompiledModel, layout: Layout, target: int, group: int, sign: int) -> np.ndarray:
    """Query noise (m, N) within ±21 that reaches 21·||W||_1 at one coefficient of one result polynomial."""
    n = layout.ring_degree
    weights = np.zeros((layout.query_polynomials(FEATURES), n), dtype=np.int64)
    weights[:, :: layout.samples] = pack_weights(model.integers.weights, layout)[group]
    place = np.arange(n)
    error = np.zeros((len(weights), n), dtype=object)
    for row, weight in zip(error, weights, strict=True):
        row[(target - place) % n] = sign * MAX_ERROR * np.where(place > target, -1, 1) * np.sign(weight)
    return error


@pytest.mark.parametrize("samples", [1, 8])
@pytest.mark.parametrize("sign", [1, -1])
@both_profiles
def test_the_most_extreme_honest_answer_is_exact(
    profile: str, sign: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at one target, all of one sign: the largest error of SEAL's in every coefficient of the query, the largest
    flooding, the loudest mask, the least lambda, and inputs that make the largest result.
    """
    model = model_of(profile, 10)
    layout = next(one for one in model.signature.layouts if one.samples == samples)
    model = answering_only(model, layout)
    signature, client = model.signature, client_of(model)
    parameters, flood = signature.parameters, signature.flood_bits
    group, output, sample = layout.result_polynomials(OUTPUTS) - 1, 0, samples - 1
    row = group * layout.outputs + output
    target = int(targets(layout, samples, 1)[output, sample])
    largest = np.where(sign * model.integers.weights[row] > 0, signature.grid.upper, signature.grid.lower)
    X = np.tile(largest, (samples, 1))
    query = loudest_query(client, X, loudest_error(model, layout, target, group, sign))
    end = np.uint8(0xFF if sign > 0 else 0)
    monkeypatch.setattr(Stream, "take", lambda _, count: np.full(count, end))
    monkeypatch.setattr(PublicRing, "mask", loudest_masks(client, sign))
    result = model.evaluate(query, client.public_key)
    expected = model.integers.apply(client.quantize(X)[0])
    place = row * samples + sample
    noise = noise_of(client, result, expected)
    norms = [sum(abs(int(w)) for w in row) for row in model.integers.weights]
    weighted = MAX_ERROR * sum(norms[group * layout.outputs : (group + 1) * layout.outputs])
    before = 2 ** (flood - 1) - 1 + weighted + bounds.mask_noise(parameters)
    assert abs(noise[place]) >= before // parameters.rescale_factor - parameters.rescale_noise
    assert np.abs(noise).max() <= signature.circuit.result_noise
    assert (client.decrypt_integers(result) == expected).all()
    assert weighted <= 2.0 ** (flood - signature.lambda_bits)


# --- models that do not keep the bounds are refused -----------------------------------------------------------------


def with_offer(model: CompiledModel, offer: Offer) -> CompiledModel:
    return CompiledModel(model.integers, with_circuit(model.signature, offers=(offer,)))


@both_profiles
def test_offers_of_compiled_models_keep_every_bound(profile: str) -> None:
    model = model_of(profile)
    flood = model.signature.flood_bits
    norms = [sum(abs(int(w)) for w in row) for row in model.integers.weights]
    for offer in model.signature.offers:
        one = offer.layout
        loudest = max(sum(norms[i : i + one.outputs]) for i in range(0, OUTPUTS, one.outputs))
        assert MAX_ERROR * loudest * 2.0**offer.lambda_bits <= 2.0**flood
        few = one.samples * one.outputs <= bounds.max_targets(model.signature.parameters, flood)
        assert few or one.samples > FEATURES


@both_profiles
def test_a_model_with_less_flooding_than_it_says_is_refused(profile: str) -> None:
    model = model_of(profile)
    offer = model.signature.offers[0]
    assert with_offer(model, replace(offer, lambda_bits=offer.lambda_bits - 1)).signature
    with pytest.raises(ModelFileError, match="must be flooded by"):
        with_offer(model, replace(offer, lambda_bits=offer.lambda_bits + 0.2))


def test_a_model_with_weights_that_flooding_cannot_hide_is_refused() -> None:
    """Inputs that can only be zero keep results small, so only the flooding of large weights is in the way."""
    model = model_of("fast")
    signature, integers = model.signature, model.integers
    only_zero = replace(signature.grid, low=0 * signature.grid.low, high=0 * signature.grid.high)
    offer = replace(signature.offers[0], lambda_bits=0.0)
    open_signature = with_circuit(signature, grid=only_zero, offers=(offer,))
    too_large = 2 ** (signature.flood_bits - bounds.MIN_LAMBDA_BITS) // (MAX_ERROR * FEATURES * offer.layout.outputs)
    for factor, fits in ((Fraction(9, 10), True), (Fraction(11, 10), False)):
        weights = np.full_like(integers.weights, int(too_large * factor))
        loud = replace(integers, weights=weights)
        if fits:
            assert CompiledModel(loud, open_signature)
        else:
            with pytest.raises(ModelFileError, match="must be flooded by"):
                CompiledModel(loud, open_signature)


@both_profiles
def test_a_model_whose_results_need_more_bits_is_refused(profile: str) -> None:
    model = model_of(profile)
    with pytest.raises(ModelFileError, match="results must stay below"):
        CompiledModel(replace(model.integers, weights=2 * model.integers.weights), model.signature)


def test_a_model_that_offers_too_many_words_of_a_polynomial_is_refused() -> None:
    model = model_of("fast", 40)
    wide = Layout(4096, 512, 1, OUTPUTS)
    small = Layout(4096, 1, FEATURES, OUTPUTS)
    wide_features = replace(model.integers, weights=np.tile(model.integers.weights, 16))
    grid = model.signature.grid
    wide_grid = replace(grid, **{name: np.tile(getattr(grid, name), 16) for name in ("offset", "step", "low", "high")})
    signature = with_circuit(model.signature, grid=wide_grid, result_bits=model.signature.circuit.result_bits + 4)
    assert CompiledModel(wide_features, with_circuit(signature, offers=(Offer(small, 10.0),)))
    with pytest.raises(ModelFileError, match="releases too many words"):
        CompiledModel(wide_features, with_circuit(signature, offers=(Offer(wide, 10.0),)))
