"""ONNX models of hidden layers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor

import hermetic

from .networks import FEW, data, scaled
from .test_onnx import X4, drawn, made, node

LAYERS = {"w": drawn(4, 6), "b": drawn(6), "v": drawn(6, 3), "c": drawn(3)}


def network(*activation: Any) -> ModelProto:
    """4 inputs, 6 hidden values and 3 scores; the activation makes r of z."""
    return made([node("Gemm", "x w b", "z"), *activation, node("Gemm", "r v c")], X4, LAYERS)


def compiled(model: ModelProto, X: Any) -> hermetic.CompiledModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hermetic.compile(model, X)


def answers(model: hermetic.CompiledModel, X: Any) -> tuple[hermetic.Client, np.ndarray]:
    client = hermetic.Client(model.signature)
    return client, client.decrypt(model.evaluate(client.encrypt(X), client.public_key, threads=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["iris", "cancer", "diabetes"])
def test_a_converted_network_answers_as_the_one_it_was(name: str, dtype: type) -> None:
    X, y = data(name)
    kind = MLPRegressor if name == "diabetes" else MLPClassifier
    estimator = scaled(kind(hidden_layer_sizes=(6,), activation="logistic", alpha=0.1, **FEW)).fit(X, y)
    model = compiled(to_onnx(estimator, X[:1].astype(dtype)), X)
    own = compiled(estimator, X)
    rows = X[:: len(X) // 5]
    client, scores = answers(model, rows)
    labels = client.scores_to_labels(scores)
    assert model.signature.circuit.kind == "networks"
    assert model.agreement is not None
    assert own.agreement is not None
    assert abs(model.agreement - own.agreement) < 0.02
    if name == "diabetes":
        assert np.abs(labels.ravel() - estimator.predict(rows)).max() <= model.signature.error
    else:
        assert np.mean(labels == estimator.predict(rows)) >= 0.8


@pytest.mark.parametrize(
    "activation",
    [[node("Mul", "z z", "r")], [node("Pow", "z two", "r")], [node("Relu", "z", "r")], [node("Tanh", "z", "r")]],
    ids=["product with itself", "power of two", "relu", "tanh"],
)
def test_a_graph_is_the_network_that_it_says(activation: list[Any]) -> None:
    one = made([node("Gemm", "x w b", "z"), *activation, node("Gemm", "r v c")], X4, {**LAYERS, "two": np.float32(2)})
    X = drawn(400, 4).clip(-1, 1)
    model = compiled(one, X)
    hidden = X[:5] @ LAYERS["w"] + LAYERS["b"]
    kinds = {"Relu": np.maximum(hidden, 0), "Tanh": np.tanh(hidden)}
    expected = kinds.get(activation[0].op_type, hidden**2) @ LAYERS["v"] + LAYERS["c"]
    _, scores = answers(model, X[:5])
    assert np.abs(scores - expected).max() <= model.signature.error
    assert (model.signature.circuit.degree == 2) == (activation[0].op_type in ("Mul", "Pow"))


def test_a_graph_of_two_hidden_layers_is_read_layer_by_layer() -> None:
    layers = {**LAYERS, "v": drawn(6, 4), "c": drawn(4), "u": drawn(4, 2)}
    first = [node("Gemm", "x w b", "z"), node("Mul", "z z", "r"), node("Gemm", "r v c", "s")]
    model = hermetic.compile(
        made([*first, node("Mul", "s s", "t"), node("MatMul", "t u")], X4, layers), input_range=(-1, 1)
    )
    assert model.signature.circuit.further == (4,)
    X = drawn(5, 4).clip(-1, 1)
    expected = (((X @ layers["w"] + layers["b"]) ** 2) @ layers["v"] + layers["c"]) ** 2 @ layers["u"]
    _, scores = answers(model, X)
    assert np.abs(scores - expected).max() <= model.signature.error < 0.1 * np.abs(expected).max()


def test_squares_need_no_sample() -> None:
    model = hermetic.compile(network(node("Mul", "z z", "r")), input_range=(-1, 1))
    assert model.signature.circuit.range is None
    assert model.signature.error < 0.1
    X = np.array([[1.0, -1.0, 1.0, 1.0], [-1.0, -1.0, 1.0, -1.0]])
    client, scores = answers(model, X)
    assert np.abs(scores - model.reference(client.quantize(X)[0])).max() <= model.signature.error
