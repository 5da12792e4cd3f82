"""Signatures, answers and model files of networks: what is written is read, and what does not fit is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_networks import Shape, circuit_of, client_of, compiled, compiled_from, convolution, first_changed, network_of
from safetensors.numpy import load_file, save_file

from hermetic import (
    Client,
    CompiledModel,
    MismatchError,
    ModelFileError,
    Query,
    Result,
    SecretKey,
    Signature,
    WireError,
)
from hermetic.circuits.networks.window import Window
from hermetic.envelope import OVERHEAD_BYTES, RESULT, seal
from hermetic.model import FORMAT

SHAPE = Shape(degree=4, proved=False)


def document() -> dict[str, Any]:
    return json.loads(compiled(SHAPE).signature.json)


def test_a_signature_is_what_was_written() -> None:
    signature = compiled(SHAPE).signature
    circuit = circuit_of(compiled(SHAPE))
    assert (circuit.arrangement.copies > 1, document()["format"]) == (True, 4)
    once = replace(circuit, arrangement=replace(circuit.arrangement, copies=1))
    assert json.loads(Signature("once", signature.head, once, signature.error).json)["format"] == 3
    assert document()["circuit"] == "networks"
    assert Signature.from_bytes(signature.to_bytes()) == signature
    again = Signature.from_json(signature.json)
    assert circuit_of(compiled(SHAPE)).key_shape == again.circuit.key_shape


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("period",), 12, "period must be a power of two"),
        (("period",), 8192, "period must be a whole number"),
        (("degree",), 9, "degree must be a whole number from 2 to 8"),
        (("degree",), 5, "activations of a degree beyond 4 must have two inputs a slot"),
        (("degree",), 1, "degree must be"),
        (("arrangement",), [1, 4096], "must fit"),
        (("arrangement",), [0, 1], "arrangement must be"),
        (("arrangement",), [1], "not valid"),
        (("query_exponent",), 12, "query_exponent must be"),
        (("score_exponent",), 10**6, "score_exponent must be"),
        (("flood_bits",), 129, "flood_bits must be"),
        (("flood_bits",), 100, "flood_bits must be below the modulus"),
        (("lambda_bits",), 0.0, "lambda_bits must be more than 0"),
        (("lambda_bits",), 128.0, "lambda_bits must be more than 0"),
        (("range",), [1], "not valid"),
        (("range",), [1, -1.0], "range must have a positive limit"),
        (("range",), [1, float("inf")], "not valid|numbers must be finite"),
        (("outputs",), 4096, "outputs must have a period each"),
        (("features",), 0, "features must be"),
        (("parameters",), "00" * 16, "made by another version"),
        (("parameters",), "cd6760b00d17f0400f695231a8a2fcfb", "the profile of a network must be one for networks"),
        (("circuit",), "trees", "circuit must be the format's"),
        (("grid", "exact"), 1, "grid.exact must be true or false"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(path: tuple[str, ...], value: Any, words: str) -> None:
    changed = document()
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    data = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(WireError, match=words):
        Signature.from_json(data)


CONVOLUTION = convolution(Window((1, 6, 6), (3, 3), (1, 1), (0, 1)), 2, outputs=2)


def test_a_convolution_is_what_was_written(tmp_path: Path) -> None:
    """A model file has the weights that the window reads alone."""
    model = compiled(CONVOLUTION)
    assert Signature.from_bytes(model.signature.to_bytes()) == model.signature
    model.save(tmp_path / "one.hermetic")
    assert load_file(tmp_path / "one.hermetic")["weights"].shape == (CONVOLUTION.hidden, 9)
    loaded = CompiledModel.load(tmp_path / "one.hermetic")
    integers = np.full((1, CONVOLUTION.inputs), 50, dtype=np.int64)
    assert np.array_equal(loaded.simulate(integers), model.simulate(integers))
    assert np.array_equal(loaded.reference(integers), model.reference(integers))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("paired", 1, "paired must be true or false"),
        ("paired", False, "a window must have two inputs a slot"),
        ("window", [[1, 6, 6], [3, 3], [1, 1]], "window must have an image, kernel, stride and padding"),
        ("window", [[1, 6, 6], [3, 3], [1, 1], [0]], "window must have an image, kernel, stride and padding"),
        ("window", [[1, 6, 6], [3, 3], [0, 1], [0, 1]], "a window must fit into its image"),
        ("window", [[1, 6, 6], [3, 9], [1, 1], [0, 1]], "a window must fit into its image"),
        ("window", [[1, 6, 5], [3, 3], [1, 1], [0, 1]], "the image of a window must have 36 values"),
        ("window", [[1, 6, 6], [3, 3], [1, 1], [0, 5000]], "window must be a whole number"),
        ("window", [[1, 6, 6], [1, 1], [1, 1], [4000, 4000]], "window must fit into the slots"),
        ("window", [[1, 6, 6], [40, 40], [1, 1], [40, 40]], "window must fit into the slots"),
        ("window", 7, "not valid"),
        ("period", 16, "outputs and cells must fit"),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(field: str, value: Any, words: str) -> None:
    changed = json.loads(compiled(CONVOLUTION).signature.json) | {field: value}
    with pytest.raises(WireError, match=words):
        Signature.from_json(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())


THREE_LAYERS = Shape(hidden=20, further=(9, 3))


def test_hidden_layers_are_what_was_written(tmp_path: Path) -> None:
    model = compiled(THREE_LAYERS)
    written = json.loads(model.signature.json)
    assert (written["format"], written["further"]) == (4, [16, 4])
    assert Signature.from_bytes(model.signature.to_bytes()) == model.signature
    model.save(tmp_path / "one.hermetic")
    loaded = CompiledModel.load(tmp_path / "one.hermetic")
    assert loaded.sizes["weights_2"] == (9, 20)
    integers = np.full((1, THREE_LAYERS.inputs), 50, dtype=np.int64)
    assert np.array_equal(loaded.simulate(integers), model.simulate(integers))
    assert np.array_equal(loaded.reference(integers), model.reference(integers))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("further", [12, 4], "further must be a power of two"),
        ("further", [16, 32], "further must be a whole number from 1 to 16"),
        ("further", [64, 4], "further must be a whole number from 1 to 32"),
        ("further", [], "further must have as many layers as the primes allow"),
        ("further", 16, "further must have as many layers as the primes allow"),
        ("further", [16, 4, 2, 2, 2], "further must have as many layers as the primes allow"),
        ("further", [1] * 1000, "further must have as many layers as the primes allow"),
        ("degree", 4, "further must have as many layers as the primes allow"),
        ("paired", False, "more than one hidden layer must have two inputs a slot"),
        ("copies", 3, "copies must be a power of two"),
        ("copies", 1 << 20, "copies must be a whole number"),
        ("copies", 4096, "period must be a whole number from 1 to 2"),
    ],
)
def test_hidden_layers_that_do_not_fit_are_refused(field: str, value: Any, words: str) -> None:
    changed = json.loads(compiled(THREE_LAYERS).signature.json) | {field: value}
    with pytest.raises(WireError, match=words):
        Signature.from_json(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("weights_2", lambda one: one[:, 1:], r"weights_2 must have shape \(9, 20\)"),
        ("bias_3", lambda one: one[1:], "bias_3 must have shape"),
        ("limits_2", lambda one: one[1:], "a hidden layer must have 1 to 16 neurons"),
        ("weights_2", lambda one: one * 1e6, "must stay within the modulus|must be flooded by"),
        ("polynomials", lambda one: one * 1e9, "must stay within the modulus|must be flooded by"),
        ("weight_exponent", lambda one: one[:2], r"weight_exponent must have shape \(3,\)"),
        ("weight_exponent", lambda one: one + 40, "must stay within the modulus|must be flooded by"),
    ],
)
def test_a_tampered_file_of_hidden_layers_is_refused(tmp_path: Path, name: str, change: Any, words: str) -> None:
    refuse_tampered(tmp_path, compiled(THREE_LAYERS), name, change, words)


def refuse_tampered(folder: Path, model: CompiledModel, name: str, change: Any, words: str) -> None:
    model.save(folder / "one.hermetic")
    tensors = load_file(folder / "one.hermetic")
    tensors[name] = np.ascontiguousarray(change(tensors[name]))
    metadata = {"format": FORMAT, "signature": model.signature.json.decode()}
    save_file(tensors, folder / "two.hermetic", metadata)
    with pytest.raises(ModelFileError, match=words):
        CompiledModel.load(folder / "two.hermetic")


def test_weights_that_the_window_does_not_read_are_refused() -> None:
    model = compiled(CONVOLUTION)
    network = model.integers.network
    moved = replace(model.integers, network=first_changed(network, weights=network.first.weights + 1e-3))
    with pytest.raises(ModelFileError, match="weights must be 0 for what the window does not read"):
        CompiledModel(moved, model.signature)


@pytest.mark.parametrize("field", ["arrangement", "period", "degree", "range", "flood_bits", "query_exponent"])
def test_a_field_that_is_missing_is_refused(field: str) -> None:
    changed = document()
    del changed[field]
    with pytest.raises(WireError, match="not valid"):
        Signature.from_json(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())


def exchanged() -> tuple[Query, Result]:
    model, client = compiled(SHAPE), client_of(SHAPE)
    query = client.encrypt(np.zeros((2, SHAPE.inputs)))
    return query, model.evaluate(query, client.public_key, threads=1)


def test_queries_and_answers_have_their_exact_sizes() -> None:
    query, result = exchanged()
    circuit = circuit_of(compiled(SHAPE))
    assert len(query.to_bytes()) == circuit.query_bytes(2)
    assert len(result.to_bytes()) == circuit.result_bytes(2)
    signature = compiled(SHAPE).signature
    assert Query.from_bytes(query.to_bytes(), signature).to_bytes() == query.to_bytes()
    assert Result.from_bytes(result.to_bytes(), signature).to_bytes() == result.to_bytes()
    assert repr(result) == "Result(samples=2, ciphertexts=2)"


def test_an_answer_of_another_length_is_refused() -> None:
    _, result = exchanged()
    signature, data = compiled(SHAPE).signature, result.to_bytes()
    body = data[OVERHEAD_BYTES - 32 : -32]
    for wrong in (body[:-8], body + bytes(8), body[: len(body) // 2]):
        with pytest.raises(WireError, match="the body of this result must have"):
            Result.from_bytes(seal(RESULT, signature.parameters.digest, wrong), signature)
    words = bytearray(body)
    words[-16:-8] = b"\xff" * 8
    with pytest.raises(WireError, match=r"below its prime|padding bits"):
        Result.from_bytes(seal(RESULT, signature.parameters.digest, bytes(words)), signature)


def test_queries_of_another_model_or_key_are_refused() -> None:
    query, _ = exchanged()
    model, client = compiled(SHAPE), client_of(SHAPE)
    other = Client(model.signature)
    with pytest.raises(MismatchError, match="the query must name the key"):
        model.evaluate(query, other.public_key)
    with pytest.raises(MismatchError, match="the query must be made for model"):
        compiled(Shape()).evaluate(query, client.public_key)
    with pytest.raises(MismatchError, match="the result must answer the key"):
        other.decrypt(model.evaluate(query, client.public_key))


def test_a_key_without_the_switching_keys_is_refused() -> None:
    model, client = compiled(SHAPE), client_of(SHAPE)
    query = client.encrypt(np.zeros(SHAPE.inputs))
    bare = client.secret_key.public_key
    query = replace(query, batch=replace(query.batch, key=bytes.fromhex(bare.id)))
    with pytest.raises(MismatchError, match="must have the switching keys of this model"):
        model.evaluate(query, bare)


def test_a_loaded_key_reads_earlier_answers(tmp_path: Path) -> None:
    client = client_of(SHAPE)
    query, result = exchanged()
    client.secret_key.save(tmp_path / "one.key", "words")
    loaded = Client(client.signature, SecretKey.load(tmp_path / "one.key", "words"))
    assert loaded.public_key.id == client.public_key.id == query.key_id
    assert np.array_equal(loaded.decrypt(result), client.decrypt(result))


def test_a_model_file_is_the_model(tmp_path: Path) -> None:
    model = compiled(SHAPE)
    model.save(tmp_path / "one.hermetic")
    loaded = CompiledModel.load(tmp_path / "one.hermetic")
    assert loaded.signature == model.signature
    integers = np.zeros((1, SHAPE.inputs), dtype=np.int64)
    assert np.array_equal(loaded.simulate(integers), model.simulate(integers))
    assert loaded.sizes["weights"] == (SHAPE.hidden, SHAPE.inputs)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("weights", lambda one: one.astype(np.float32), "tensors must be finite float64"),
        ("bias", lambda one: one * np.nan, "tensors must be finite float64"),
        ("weights", lambda one: one[:, 1:], "weights must have shape"),
        ("readout", lambda one: one[:, 1:], "readout must have shape"),
        ("polynomials", lambda one: one[:, 1:], "polynomials must have shape"),
        ("limits", lambda one: one[1:], "must have 1 to"),
        ("weight_exponent", lambda one: np.zeros(2), "weight_exponent must have shape"),
        ("readout", lambda one: one * 1e6, "scores must stay within the modulus|must be flooded by"),
        ("weights", lambda one: one * 1e6, "must stay within the modulus|must be flooded by"),
    ],
)
def test_a_tampered_model_file_is_refused(tmp_path: Path, name: str, change: Any, words: str) -> None:
    refuse_tampered(tmp_path, compiled(SHAPE), name, change, words)


def test_what_is_public_does_not_depend_on_the_weights_themselves() -> None:
    """Neurons in another order, and hidden values of the other sign: such networks have the same ranges, and their
    signatures are equal but for two bounds, part of which is how plaintexts happen to be rounded.
    """
    network = network_of(Shape())
    first = network.first
    order = np.random.default_rng(3).permutation(first.width)
    signs = np.array([1, -1, 1])  # of the constant, the linear and the square term
    moved = first_changed(
        replace(network, readout=network.readout[:, order]),
        weights=-first.weights[order],
        bias=-first.bias[order],
        polynomials=first.polynomials[order] * signs,
    )
    one, other = (json.loads(compiled_from(each).signature.json) for each in (network, moved))
    for field in ("lambda_bits", "error"):
        assert abs(one[field] / other.pop(field) - 1) < 0.25
        one.pop(field)
    assert one == other
