"""A model on public features: clients start from inputs, and get what the estimator gives on their features."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression, Ridge

import hermetic
from hermetic import Client, CompiledModel, CompileError, Signature, WireError
from hermetic.features import Bins, FeatureMap, LocalFilters

DIGITS, LABELS = load_digits(return_X_y=True)
FILTERS = FeatureMap(LocalFilters(side=8, size=3, filters=24, cells=2, padding=1, epsilon=10.0))


@pytest.fixture(scope="module")
def classifier() -> LogisticRegression:
    return LogisticRegression(C=10, max_iter=500).fit(FILTERS.apply(DIGITS[:1000]), LABELS[:1000])


@pytest.fixture(scope="module")
def model(classifier: LogisticRegression) -> CompiledModel:
    return hermetic.compile(classifier, DIGITS[:1000], features=FILTERS)


@pytest.mark.parametrize("count", [1, 200])
def test_scores_are_the_estimators(model: CompiledModel, classifier: LogisticRegression, count: int) -> None:
    client, X = Client(model.signature), DIGITS[1000 : 1000 + count]
    result = model.evaluate(client.encrypt(X), client.public_key)
    expected = classifier.decision_function(FILTERS.apply(X))
    assert np.abs(client.decrypt(result) - expected).max() <= model.signature.error
    np.testing.assert_array_equal(client.predict(result), classifier.predict(FILTERS.apply(X)))
    integers = model.integers.apply(client.quantize(X)[0])
    np.testing.assert_array_equal(client.decrypt_integers(result), integers)


def test_sums_of_steps_are_exact() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    features = FeatureMap(Bins([np.unique(np.quantile(column, [0.2, 0.4, 0.6, 0.8])) for column in X.T]))
    ridge = Ridge().fit(features.apply(X), y)
    model = hermetic.compile(ridge, X, features=features)
    assert model.signature.grid.exact
    client = Client(model.signature)
    scores = client.decrypt(model.evaluate(client.encrypt(X[:50]), client.public_key))
    assert np.abs(scores - ridge.predict(features.apply(X[:50]))).max() <= model.signature.error


def test_the_map_travels_in_the_signature(model: CompiledModel) -> None:
    signature = Signature.from_json(model.signature.json)
    assert (signature.inputs, signature.features) == (64, 96)
    assert signature == model.signature
    np.testing.assert_array_equal(
        Client(signature).quantize(DIGITS[:5])[0], Client(model.signature).quantize(DIGITS[:5])[0]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([{"kind": "bins", "edges": [[0.0]]}], "feature_map must match features"),
        ([{"kind": "pickle"}], "must be of a kind that this version computes"),
        (None, "must be a list"),
    ],
)
def test_another_map_is_refused(model: CompiledModel, change: object, message: str) -> None:
    document = json.loads(model.signature.json)
    document["feature_map"] = change
    with pytest.raises(WireError, match=message):
        Signature.from_json(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def test_a_model_without_a_map_has_none_in_its_signature() -> None:
    plain = hermetic.compile(Ridge().fit(DIGITS, LABELS), DIGITS)
    assert "feature_map" not in json.loads(plain.signature.json)


class TestErrors:
    def test_an_estimator_of_other_features(self) -> None:
        with pytest.raises(CompileError, match=r"must be fitted on the 96 features .* Got one of 64"):
            hermetic.compile(Ridge().fit(DIGITS, LABELS), DIGITS, features=FILTERS)

    def test_a_range_that_the_sample_leaves(self, classifier: LogisticRegression) -> None:
        with pytest.raises(CompileError, match="X_sample must lie in input_range"):
            hermetic.compile(classifier, DIGITS, features=FILTERS, input_range=(0, 15))

    def test_inputs_of_another_shape(self, model: CompiledModel) -> None:
        with pytest.raises(hermetic.InputError, match=r"must have shape \(64,\) or \(n, 64\)"):
            Client(model.signature).encrypt(np.zeros(96))
