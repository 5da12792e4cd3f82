"""The model owner's side of a query: what is answered, under which key, and what is refused."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import fitted
from hermetic import Client, CompiledModel, MaskingKey, MismatchError, Parameters, PublicKey, Query, Result
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds, evaluate, weights
from hermetic.circuits.packing import Layout
from hermetic.rlwe import native
from hermetic.rlwe.modular import to_centred_integers
from hermetic.rlwe.parameters import FAST, PRECISE
from hermetic.rlwe.randomness import Stream
from known_weights import compiled, with_circuit

PETALS = fitted.petals()
MODEL = PETALS.model
CLIENT = Client(PETALS.signature)


def test_an_answer_echoes_what_its_query_says() -> None:
    query = CLIENT.encrypt(PETALS.X[:5])
    result = MODEL.evaluate(query, CLIENT.public_key)
    assert result.batch == query.batch
    assert result.samples == 5
    assert repr(result) == f"Result(samples=5, ciphertexts={len(result.c1)})"


def test_two_answers_to_a_query_differ_and_decrypt_to_the_same() -> None:
    query = CLIENT.encrypt(PETALS.X[:5])
    first, second = (MODEL.evaluate(query, CLIENT.public_key) for _ in range(2))
    assert (first.c1 == second.c1).sum() == 0
    assert (first.words == second.words).mean() < 0.5
    assert np.array_equal(CLIENT.decrypt_integers(first), CLIENT.decrypt_integers(second))


def test_a_masking_key_is_used_by_many_threads_at_once() -> None:
    query = CLIENT.encrypt(PETALS.X[:5])
    expected = CLIENT.decrypt_integers(MODEL.evaluate(query, CLIENT.public_key))
    key = MaskingKey(CLIENT.public_key)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: MODEL.evaluate(query, key), range(12)))
    assert len({answer.c1.tobytes() for answer in answers}) == 12
    assert all(np.array_equal(CLIENT.decrypt_integers(answer), expected) for answer in answers)


@pytest.mark.parametrize("samples", [1, 5, 150])
def test_several_threads_answer_as_one(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts of one query polynomial and tiles of one result polynomial each, whatever pays."""
    monkeypatch.setattr(evaluate, "_MANY_PRODUCTS", 0)
    monkeypatch.setattr(evaluate, "_PART", 1)
    monkeypatch.setattr(weights, "_TILE_GROUPS", 1)
    model = CompiledModel(MODEL.integers, MODEL.signature)
    query = CLIENT.encrypt(PETALS.X[:samples])
    integers, _ = CLIENT.quantize(PETALS.X[:samples])
    for threads in (1, 2, 5):
        found = CLIENT.decrypt_integers(model.evaluate(query, CLIENT.public_key, threads=threads))
        assert np.array_equal(found, MODEL.integers.apply(integers))


def test_a_model_keeps_what_it_made_of_the_last_keys() -> None:
    first = MODEL.masking_key(CLIENT.public_key)
    assert MODEL.masking_key(PublicKey.from_bytes(CLIENT.public_key.to_bytes())) is first
    for i in range(16):
        MODEL.masking_key(replace(CLIENT.public_key, seed=bytes([i]) * 32))
    assert MODEL.masking_key(CLIENT.public_key) is not first


def test_a_query_for_another_model_is_a_mismatch() -> None:
    other = fitted.sepals()
    query = Client(other.signature, CLIENT.secret_key).encrypt([1.4, 0.2])
    with pytest.raises(MismatchError, match=r"must be made for model 'petals'\. It was made for another"):
        MODEL.evaluate(query, CLIENT.public_key)


def test_a_query_for_another_signature_of_the_same_weights_is_a_mismatch() -> None:
    renamed = CompiledModel(MODEL.integers, replace(MODEL.signature, name="petals, renamed"))
    query = CLIENT.encrypt([1.4, 0.2])
    with pytest.raises(MismatchError):
        renamed.evaluate(query, CLIENT.public_key)
    with pytest.raises(MismatchError, match="fetch the current signature"):
        Query.from_bytes(query.to_bytes(), renamed.signature)


def test_another_key_than_the_querys_is_a_mismatch() -> None:
    query, other = CLIENT.encrypt([1.4, 0.2]), Client(PETALS.signature).public_key
    for key in (other, MaskingKey(other)):
        with pytest.raises(MismatchError, match=f"must name the key {other.id[:16]}…. It names {query.key_id[:16]}"):
            MODEL.evaluate(query, key)


def test_a_key_of_other_parameters_is_a_mismatch() -> None:
    precise = Client(fitted.progression().signature).public_key
    with pytest.raises(MismatchError, match=r"must use the parameters 'fast'. Got 'precise' instead"):
        MODEL.evaluate(CLIENT.encrypt([1.4, 0.2]), precise)


@pytest.mark.parametrize("threads", [0, -1, 2.0, "two", [1]])
def test_threads_that_cannot_be_are_refused(threads: object) -> None:
    with pytest.raises(MismatchError, match=r"threads must be a whole number of at least 1, or None\. Got"):
        MODEL.evaluate(CLIENT.encrypt([1.4, 0.2]), CLIENT.public_key, threads=threads)


@pytest.mark.parametrize("threads", [None, 1, np.int64(2)])
def test_threads_may_be_any_number(threads: int | None) -> None:
    result = MODEL.evaluate(CLIENT.encrypt([1.4, 0.2]), CLIENT.public_key, threads=threads)
    integers, _ = CLIENT.quantize([1.4, 0.2])
    assert np.array_equal(CLIENT.decrypt_integers(result), MODEL.integers.apply(integers))


def test_an_answer_needs_neither_estimator_nor_compiler() -> None:
    """The function itself: signature, weights, query and key in, result out."""
    query = CLIENT.encrypt([1.4, 0.2])
    result = evaluate.evaluate(MODEL.signature, MODEL.encoded, query, MaskingKey(CLIENT.public_key))
    assert isinstance(result, Result)
    integers, _ = CLIENT.quantize([1.4, 0.2])
    assert np.array_equal(CLIENT.decrypt_integers(result), MODEL.integers.apply(integers))


@pytest.mark.parametrize("parameters", [FAST, PRECISE], ids=["fast", "precise"])
@pytest.mark.parametrize("bits", [1, 10, 31, 32, 33, 53, 64, 65, 90])
def test_flooding_is_uniform_over_its_whole_range(bits: int, parameters: Parameters) -> None:
    """Every bit of x + 2^(bits-1) is a fair coin: 20,000 tosses each, within 6 standard deviations."""
    count, keep = 20_000, len(parameters.data_primes)
    ring = native.Ring(parameters.ring_degree, parameters.data_primes, keep)
    answer = np.zeros((1, 2, keep, parameters.ring_degree))
    places = np.zeros(count, dtype=np.int64)
    residues = np.empty((keep, count), dtype=np.int64)
    none, flood = np.zeros(6 * count, dtype=np.uint8), Stream().take(16 * count)
    ring.target_words(answer, places, np.zeros((count, keep), dtype=np.int64), none, flood, bits, residues)
    values = to_centred_integers(residues, parameters.data_primes) + (1 << (bits - 1))
    assert values.min() >= 0
    assert values.max() < 1 << bits
    ones = np.array([int(((values >> i) & 1).sum()) for i in range(bits)])
    assert (np.abs(ones - count / 2) < 6 * np.sqrt(count) / 2).all()


@pytest.mark.parametrize("memory", [0, 100_000, 1 << 30])
def test_a_model_answers_the_same_in_any_memory(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layouts that were used longest ago give way; what is not kept is made anew."""
    monkeypatch.setattr("hermetic.circuits.linear.server.ENCODED_BYTES", memory)
    model = CompiledModel(MODEL.integers, MODEL.signature)
    for samples in (1, 5, 150, 1, 5):
        integers, _ = CLIENT.quantize(PETALS.X[:samples])
        found = CLIENT.decrypt_integers(model.evaluate(CLIENT.encrypt(PETALS.X[:samples]), CLIENT.public_key))
        assert np.array_equal(found, MODEL.integers.apply(integers))
        assert sum(one.nbytes for one in model._half._encoded.values()) <= memory


def test_many_scores_of_a_sample_are_answered_in_one_polynomial() -> None:
    """600 scores in one polynomial."""
    rng = np.random.default_rng(0)
    model = compiled(rng.normal(size=(600, 40)), rng.normal(size=600), input_range=(-1, 1), tolerance=0.1)
    layout = Layout(4096, 1, 6, 600)
    lambda_bits = model.signature.flood_bits - math.log2(21 * sum(model.integers.norms)) - 0.1
    model = CompiledModel(model.integers, with_circuit(model.signature, offers=(Offer(layout, round(lambda_bits, 1)),)))
    assert bounds.layout_allowed(FAST, layout, 40, model.signature.flood_bits, samples=1)
    client, x = Client(model.signature), rng.uniform(-1, 1, size=40)
    result = model.evaluate(client.encrypt(x), client.public_key)
    assert len(result.c1) == 1
    assert np.array_equal(client.decrypt_integers(result), model.integers.apply(client.quantize(x)[0]))
