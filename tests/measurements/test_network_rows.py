"""The benchmark of private networks: real encrypted predictions beside the plain network's."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from benchmarks import networks, square_network, workload
from onnx.reference import ReferenceEvaluator
from pytest import MonkeyPatch
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

import hermetic


def test_rows_are_measured_and_answers_told(monkeypatch: MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    options: dict[str, Any] = {"hidden_layer_sizes": (4,), "activation": "logistic", "max_iter": 500, "random_state": 0}
    fitted = [
        networks._fitted("classes", MLPClassifier(**options), X[::-1], y[::-1]),
        networks._fitted("values", MLPRegressor(**options), X, X[:, 2]),
    ]
    monkeypatch.setattr(networks, "fitted_networks", lambda data: fitted)
    (classes, labels), (values, shares) = networks.network_rows(None, 1)  # type: ignore[arg-type]
    for row in (classes, values):
        assert row.measured.exact is None  # type: ignore[union-attr]
        assert row.measured.max_error < 0.5  # type: ignore[union-attr]
        assert row.measured.key_bytes > 1_000_000  # type: ignore[union-attr]
    assert re.match(
        r"classes: 38 held-out samples, \d+ refused by the range word; the plain network's label on", labels
    )
    assert re.match(r"values: 38 held-out samples, \d+ refused by the range word; -?[\d.]+ of the variance", shares)


def few_images() -> tuple[Any, Any]:
    """Digits of 64 pixels from 0 to 1, and their labels."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def test_a_network_with_squares_learns_and_is_its_onnx_model() -> None:
    X, y = few_images()
    network = square_network.fitted(X[:1200], y[:1200], hidden=32, epochs=80)
    assert (network.predict(X[1200:]) == y[1200:]).mean() > 0.85
    found = ReferenceEvaluator(network.onnx).run(None, {"x": X[:5]})
    assert np.allclose(found[0], network.decision_function(X[:5]))
    model = hermetic.compile(network.onnx, X, **networks.OPTIONS["hermetic"])
    assert model.signature.circuit.kind == "networks"
    assert model.signature.circuit.range is None, "its range is proved"


def test_batches_of_a_workload_are_whole(monkeypatch: MonkeyPatch) -> None:
    """Every step is timed, and labels are real: a model that is wrong is seen to be."""
    X, y = few_images()
    plain = LogisticRegression(max_iter=200).fit(X, y)
    monkeypatch.setattr(workload, "NUMBERS", (1, 7))
    monkeypatch.setattr(workload, "IN_A_CALL", 4)
    model = hermetic.compile(plain, X)
    one, seven = workload.batches("linear", model, plain, X, y)
    assert (one.images, seven.images) == (1, 7)
    assert seven.same == 1.0
    assert seven.right == np.mean(plain.predict(X[:7]) == y[:7])
    assert min(seven.keys_s, seven.encrypt_s, seven.server_s, seven.decrypt_s) > 0
    assert seven.request_bytes > one.request_bytes
    (wrong, *_) = workload.batches("linear", model, plain, X, y + 1)
    assert wrong.right == 0.0
