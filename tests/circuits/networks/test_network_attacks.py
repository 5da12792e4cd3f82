"""What a dishonest client tries: each attack succeeds once its protection is switched off.

The attacker chooses c0 of its queries, b of its public key and of its switching keys, and all seeds; it reads c1 and
the words of every answer.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from known_networks import Shape, circuit_of, client_of, compiled, compiled_from, convolution, first_changed, network_of

from hermetic import Client, CompiledModel, Query
from hermetic.circuits.bounds import MASK_BITS, max_targets
from hermetic.circuits.masking import MaskingKey
from hermetic.circuits.networks import embedding, simulate
from hermetic.circuits.networks.evaluate import ClientKeys
from hermetic.circuits.networks.public import RELEASE_LEVEL
from hermetic.circuits.networks.window import Window
from hermetic.keys.public import PublicKey
from hermetic.rlwe import modular
from hermetic.rlwe.levels import Level
from hermetic.rlwe.public_ring import PublicRing
from hermetic.rlwe.randomness import Stream

SHAPES = [
    Shape(inputs=6, hidden=8, outputs=2),
    convolution(Window((1, 5, 5), (3, 3), (1, 1), (0, 0)), 160, outputs=4),
    Shape(inputs=6, hidden=8, outputs=2, further=(5,)),
]


@pytest.fixture(params=SHAPES, ids=["dense", "convolution", "two hidden layers"])
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


def model_and_client(shape: Shape) -> tuple[CompiledModel, Client]:
    return compiled(shape), client_of(shape)


@cache
def query(shape: Shape) -> Query:
    return client_of(shape).encrypt(np.full(shape.inputs, 0.5))


def no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums become coefficients and nothing is added."""

    def bare(self: PublicRing, answer: Any, key: Any, bits: int, stream: Stream) -> None:
        self._native.inverse(answer.reshape(-1, self._primes, self._degree))

    monkeypatch.setattr(PublicRing, "mask", bare)


# c1 and its mask


def guess_is_confirmed(model: CompiledModel, guess: CompiledModel, client: Client, query: Query) -> bool:
    """Whether c1 of an answer is, but for its errors, that of a model that the attacker guessed."""
    c1, theirs = (
        modular.to_centred_integers(one.evaluate(query, client.public_key).c1[0], one.signature.parameters.kept_primes)
        for one in (model, guess)
    )
    return bool(np.abs(c1 - theirs).max() <= 2)


def test_an_unmasked_c1_confirms_a_guess_of_the_weights(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a function of weights, keys and the query: whoever guesses the weights sees that they are right."""
    model, client = model_and_client(shape)
    private = model.integers
    moved = private.network.readout * 0.99
    wrong = CompiledModel(replace(private, network=replace(private.network, readout=moved)), model.signature)
    assert not guess_is_confirmed(model, model, client, query(shape))
    no_mask(monkeypatch)
    assert guess_is_confirmed(model, model, client, query(shape))
    assert not guess_is_confirmed(model, wrong, client, query(shape))


def test_no_two_answers_share_a_mask(shape: Shape) -> None:
    model, client = model_and_client(shape)
    first, second = (model.evaluate(query(shape), client.public_key) for _ in range(2))
    assert np.mean(first.c1 == second.c1) < 0.01


# Words and their number


def test_a_forged_public_key_reads_its_mask_at_the_released_words_alone(shape: Shape) -> None:
    """With b constant and large, and every switching key's b 0, c0 holds b·u: a word tells the coefficient of u at its
    place, or as many of its bits as flooding leaves. All N of them, without flooding, unmask c1. An answer has a
    handful.
    """
    model, client = model_and_client(shape)
    circuit = circuit_of(model)
    forged = PublicKey(
        client.public_key.parameters,
        client.public_key.seed,
        np.zeros_like(client.public_key.b),
        tuple(replace(key, b=np.zeros_like(key.b)) for key in client.public_key.switching),
    )
    program, key = model._half.program, MaskingKey(forged)
    factor = 1 << 70
    for row, prime in enumerate(circuit.parameters.data_primes):
        key.lanes[0, row] = float((factor + prime // 2) % prime - prime // 2)
    level = circuit.parameters.levels
    lanes = np.zeros((circuit.arrangement.ciphertexts, 2, level + 1, circuit.parameters.ring_degree))
    lanes[:, 1] = 12345.0
    scores = program.scores(lanes, ClientKeys(key))
    bare = scores.copy()
    ring, n = PublicRing.of(circuit.parameters, RELEASE_LEVEL), circuit.parameters.ring_degree
    sums = scores[None]
    ring.mask(sums, np.ascontiguousarray(key.lanes[:, :RELEASE_LEVEL]), MASK_BITS, Stream())
    everything = ring.target_words(sums, np.arange(n), np.zeros((n, RELEASE_LEVEL), dtype=np.int64), 1, Stream())
    (kept,) = circuit.parameters.kept_primes
    words = modular.to_centred_integers(everything, (kept,)).astype(np.float64)
    own = scores_of(circuit, bare[0])
    u = np.rint((words * circuit.release_parameters.rescale_factor - own) / factor).astype(np.int64)
    residual = sums[0, 1] - multiplied(circuit, key.lanes[1, :RELEASE_LEVEL], u)
    moduli = np.array(circuit.release_parameters.data_primes, dtype=np.float64)[:, None]
    residual -= np.rint(residual / moduli) * moduli
    unmasked = lifted(circuit, bare[1])
    assert np.abs(residual - unmasked).max() <= 1  # c1 without its mask: the weights' own polynomial
    _, released = program.release(bare.copy(), key)
    assert released.shape == (1, circuit.words)
    assert circuit.words <= max_targets(circuit.release_parameters, circuit.flood_bits)


def scores_of(circuit: Any, lanes: np.ndarray) -> np.ndarray:
    """A polynomial's centred coefficients."""
    residues = Level.of(circuit.parameters, RELEASE_LEVEL).coefficients(lanes)
    whole = modular.to_centred_integers(residues, circuit.release_parameters.data_primes)
    return whole.astype(np.float64)


def lifted(circuit: Any, lanes: np.ndarray) -> np.ndarray:
    residues = Level.of(circuit.parameters, RELEASE_LEVEL).coefficients(lanes)
    primes = np.array(circuit.release_parameters.data_primes)[:, None]
    return np.where(residues > primes // 2, residues - primes, residues).astype(np.float64)


def multiplied(circuit: Any, lanes: np.ndarray, u: np.ndarray) -> np.ndarray:
    """a·u as centred coefficients, one row a prime."""
    level = Level.of(circuit.parameters, RELEASE_LEVEL)
    values = level.encode(u[None])[:, :RELEASE_LEVEL]
    product = np.empty((2, RELEASE_LEVEL, circuit.parameters.ring_degree))
    pair = np.stack([np.ascontiguousarray(lanes), np.zeros_like(lanes)])[None]
    level._native.products(np.ascontiguousarray(pair), np.ascontiguousarray(values), product)
    return lifted(circuit, product[0])


def test_an_answer_is_c1_and_its_words_and_nothing_else(shape: Shape) -> None:
    model, client = model_and_client(shape)
    circuit = circuit_of(model)
    result = model.evaluate(query(shape), client.public_key)
    assert result.c1.shape == (1, 1, circuit.parameters.ring_degree)
    assert result.words.shape == (1, circuit.words)
    assert circuit.words == shape.outputs


# Flooding


def test_words_without_flooding_tell_the_last_bits_of_weights(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models whose constants differ by a millionth: a dozen answers tell which it is, unless they are flooded."""
    network = network_of(shape)
    one = compiled_from(network, window=shape.window)
    moved = replace(network, offset=network.offset * (1 + 1e-6))
    other = CompiledModel(replace(one.integers, network=moved), one.signature)
    client = Client(one.signature)

    def told(model: CompiledModel) -> tuple[float, float]:
        rows = client.encrypt(np.full((12, shape.inputs), 0.9))
        words = client.decrypt_integers(model.evaluate(rows, client.public_key)).astype(np.float64)[:, 0]
        return float(words.mean()), float(words.std() / np.sqrt(len(words)))

    def apart() -> float:
        (a, first), (b, second) = told(one), told(other)
        return abs(a - b) / (first + second)

    assert apart() < 8
    for model in (one, other):
        monkeypatch.setattr(model._half.program, "circuit", replace(circuit_of(model), flood_bits=1))
    assert apart() > 8


# Keys and inputs that are none


@pytest.mark.parametrize("kind", ["zeros", "random", "another secret's"])
def test_malformed_switching_keys_are_answered_alike(shape: Shape, kind: str) -> None:
    """The service computes what it would of others; the length of the answer says nothing."""
    model, client = model_and_client(shape)
    random, key = np.random.default_rng(0), client.public_key
    other = Client(model.signature).public_key

    def forged(number: int) -> np.ndarray:
        b = key.switching[number].b
        if kind == "zeros":
            return np.zeros_like(b)
        parameters = circuit_of(model).parameters
        primes = np.array([*parameters.data_primes[: len(b)], parameters.special_prime])[:, None]
        return other.switching[number].b if kind != "random" else random.integers(0, 1 << 62, b.shape) % primes

    keys = tuple(replace(one, b=forged(number)) for number, one in enumerate(key.switching))
    bad = replace(key, switching=keys)
    asked = replace(query(shape), batch=replace(query(shape).batch, key=bytes.fromhex(bad.id)))
    honest, found = model.evaluate(query(shape), key), model.evaluate(asked, bad)
    assert len(found.to_bytes()) == len(honest.to_bytes())
    assert (found.c1.shape, found.words.shape) == (honest.c1.shape, honest.words.shape)
    as_own = replace(found, batch=honest.batch)
    reference = model.reference(client.quantize(np.full((1, shape.inputs), 0.5))[0])
    assert np.abs(client.decrypt(as_own) - reference).max() > model.signature.error


def test_ciphertexts_of_zeros_are_answered(shape: Shape) -> None:
    model, client = model_and_client(shape)
    zeros = replace(query(shape), c0=np.zeros_like(query(shape).c0))
    result = model.evaluate(zeros, client.public_key)
    assert len(result.to_bytes()) == circuit_of(model).result_bytes(1)


def zeros_told(model: CompiledModel, client: Client) -> bool:
    """Whether c1 of an answer is zero: then whoever reads it, without any key, sees that the last layer is."""
    c1 = model.evaluate(query_of(client), client.public_key).c1
    return not modular.to_centred_integers(c1[0], model.signature.parameters.kept_primes).any()


def query_of(client: Client) -> Query:
    return client.encrypt(np.full(client.signature.features, 0.5))


def test_plaintexts_of_zeros_are_not_told(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products with a last layer of zeros are zeros, which no key hides; masks do."""
    model = compiled(shape)
    network = model.integers.network
    nothing = replace(network, readout=np.zeros_like(network.readout))
    zeros = CompiledModel(replace(model.integers, network=nothing), model.signature)
    client = client_of(shape)
    result = zeros.evaluate(query_of(client), client.public_key)
    assert np.abs(client.decrypt(result) - network.offset).max() <= model.signature.error
    assert not zeros_told(zeros, client)
    monkeypatch.setattr("hermetic.circuits.networks.evaluate.Level.relinearise", lambda _, product, key: product[:2])
    monkeypatch.setattr(PublicRing, "rescaled_c1", without_errors)
    no_mask(monkeypatch)
    assert zeros_told(zeros, client)
    assert not zeros_told(model, client)


def without_errors(self: PublicRing, answer: Any, stream: Stream) -> np.ndarray:
    out = np.empty((len(answer), len(self.parameters.kept_primes), self._degree), dtype=np.int64)
    self._native.rescale(answer, no_bits(6 * answer.shape[0] * self._degree), out)
    return out


def no_bits(count: int) -> np.ndarray:
    return np.zeros(count, dtype=np.uint8)


def test_one_slot_alone_asks_few_neurons() -> None:
    """This is not prevented: a query whose input stands in one slot only reaches the neurons whose diagonals read that
    slot. The cap on words is what limits it.
    """
    shape = Shape(inputs=40, hidden=64, outputs=2)
    model = compiled(shape)
    circuit, program = circuit_of(model), compiled(shape)._half.program
    slots = np.zeros((circuit.arrangement.ciphertexts, circuit.arrangement.slots))
    slots[0, 0] = 1.0

    def asked(of: Any) -> np.ndarray:
        level = Level.of(circuit.parameters, circuit.parameters.levels)
        integers, _ = embedding.rounded(slots, level.degree, embedding.INTEGER_BITS)
        lanes = np.zeros((len(integers), 2, level.level + 1, level.degree))
        lanes[:, 0] = level.encode(integers, 1 << (circuit.query_exponent - embedding.INTEGER_BITS))
        scores = of.scores(lanes, simulate._NoKeys(circuit.parameters))
        return scores_of(circuit, scores[0])[: circuit.words]

    base = asked(program)
    private = model.integers
    reached = 0
    for neuron in range(shape.hidden):
        weights = private.network.first.weights.copy()
        weights[neuron] = -weights[neuron]
        network = first_changed(private.network, weights=weights)
        changed = CompiledModel(replace(private, network=network), model.signature)._half.program
        reached += int(np.abs(asked(changed) - base).max() > 1e-6 * np.abs(base).max())
    assert 0 < reached <= shape.hidden // 8
