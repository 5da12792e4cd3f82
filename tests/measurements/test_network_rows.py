"""The benchmark of private networks: real encrypted predictions beside the plain network's."""

from __future__ import annotations

import re
from typing import Any

from benchmarks import networks
from pytest import MonkeyPatch
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor


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
