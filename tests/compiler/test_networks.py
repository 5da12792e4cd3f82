"""Networks: what comes out of encryption is what the estimator computes, within its error."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import hermetic
from hermetic import Client, CompiledModel, CompileError, PrecisionError, UnsupportedModelError
from hermetic.compiler.activations import ACTIVATIONS, distances, polynomials
from hermetic.compiler.spread import PrecisionWarning
from hermetic.links import response_error

from .networks import FEW, NETWORKS, Network, data, scaled

ROWS = 6


@dataclass(frozen=True, eq=False)
class Run:
    """A compiled network, and its answer to rows of the sample."""

    estimator: Any
    model: CompiledModel
    client: Client
    X: Any
    scores: np.ndarray


@cache
def run(case: Network) -> Run:
    X, _ = data(case.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = case.fit()
        model = hermetic.compile(estimator, X, **case.options)
    client = Client(model.signature)
    rows = X[:: len(X) // ROWS]
    result = model.evaluate(client.encrypt(rows), client.public_key, threads=1)
    return Run(estimator, model, client, rows, client.decrypt(result))


@pytest.fixture(params=NETWORKS, ids=lambda case: case.name)
def one(request: pytest.FixtureRequest) -> Run:
    return run(request.param)


def test_the_response_is_the_estimators_within_the_error(one: Run) -> None:
    signature = one.model.signature
    found, own = one.client.scores_to_response(one.scores), getattr(one.estimator, signature.method)(one.X)
    assert found.shape == own.shape
    classes = 0 if signature.labels is None else len(signature.labels)
    allowed = response_error(signature.method, signature.link, one.scores, classes, signature.error)
    assert (np.abs(found - own) <= allowed + 1e-9).all()


def test_scores_are_those_of_the_polynomials_within_what_encryption_may_move(one: Run) -> None:
    """Far less than the signature's error, which has the activations' polynomials in it."""
    reference = one.model.signature.head.shaped(one.model.reference(one.client.quantize(one.X)[0]))
    spread = one.model.spread
    assert spread is not None
    assert np.abs(one.scores - reference).max() <= 0.05 * spread


def test_labels_are_of_the_estimators_dtype_and_mostly_its_own(one: Run) -> None:
    labels, own = one.client.scores_to_labels(one.scores), one.estimator.predict(one.X)
    assert labels.shape == own.shape
    if one.model.signature.labels is not None:
        assert labels.dtype == own.dtype
        assert np.mean(labels == own) >= 0.8


def test_the_agreement_is_that_of_the_whole_sample(one: Run) -> None:
    agreement = one.model.agreement
    assert agreement is not None
    assert 0.9 <= agreement <= 1


def test_a_saved_model_is_the_model(one: Run, tmp_path: Path) -> None:
    one.model.save(tmp_path / "one.hermetic")
    loaded = CompiledModel.load(tmp_path / "one.hermetic")
    assert loaded.signature == one.model.signature
    integers = one.client.quantize(one.X)[0]
    assert np.array_equal(loaded.reference(integers), one.model.reference(integers))


def test_one_sample_has_the_shape_of_one() -> None:
    one = run(NETWORKS[1])
    result = one.model.evaluate(one.client.encrypt(one.X[0]), one.client.public_key)
    assert one.client.decrypt(result).shape == one.scores[0].shape
    assert one.client.predict(result).shape == ()
    assert one.client.predict_proba(result).shape == (3,)


def test_square_activations_are_exact_and_proved() -> None:
    """What no activation of scikit-learn is: the network itself is a polynomial, and every input is in range."""
    random = np.random.default_rng(0)
    ends = np.linspace(-3, 3, 7)
    values = ACTIVATIONS["square"].apply(ends)
    found = polynomials(ACTIVATIONS["square"], ends[:, None], np.array([3.0]), 4)
    assert np.allclose(found[0] @ (ends / 3) ** np.arange(3)[:, None], values)
    assert not distances(ACTIVATIONS["square"], found, random.uniform(1, 2, 1)).any()


@pytest.mark.parametrize("name", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("limit", [0.1, 1.0, 30.0])
def test_polynomials_stay_within_their_distance(name: str, limit: float) -> None:
    hidden = np.random.default_rng(0).normal(size=(300, 1)) * limit / 4
    limits, activation = np.array([limit]), ACTIVATIONS[name]
    found = polynomials(activation, np.clip(hidden, -limit, limit), limits, 4)
    points = np.linspace(-1, 1, 100_001)
    apart = np.abs(found[0] @ points ** np.arange(5)[:, None] - activation.apply(limit * points)).max()
    (bound,) = distances(activation, found, limits)
    assert apart <= bound <= 1.1 * apart + 1e-3 * limit


def test_a_linear_network_is_a_linear_model() -> None:
    X, y = data("iris")
    model = hermetic.compile(scaled(MLPClassifier((4, 3), activation="identity", **FEW)).fit(X, y), X)
    assert model.signature.circuit.kind == "linear"


def test_a_warning_says_how_many_labels_agree() -> None:
    X, y = data("iris")
    random = np.random.default_rng(0)
    estimator = MLPClassifier((12,), activation="tanh", **FEW).fit(X, y)
    estimator.coefs_[0] = estimator.coefs_[0] * 4 + random.normal(size=estimator.coefs_[0].shape)
    with pytest.warns(PrecisionWarning, match=r"On X_sample \d+\.\d % of labels are the same"):
        hermetic.compile(estimator, X)


def fitted(**options: Any) -> Any:
    X, y = data("iris")
    return scaled(MLPClassifier(**{"hidden_layer_sizes": (6,), "activation": "logistic", **FEW, **options})).fit(X, y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"profile": "fast"},
            CompileError,
            r"profile must be one of network, deep, deeper for this model\. Got 'fast'",
        ),
        ({"hidden_range": "guessed"}, CompileError, "hidden_range must be proved or calibrated. Got 'guessed'"),
        ({"hidden_range": "proved"}, CompileError, "must be calibrated where activations are fitted"),
        ({"tolerance": 1e-6}, PrecisionError, r"A tolerance of 1e-06 is less: ask for a larger one"),
        ({"flooding": 90}, PrecisionError, r"must be flooded by 90 bits\. They are by"),
    ],
)
def test_options_that_cannot_be_met(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hermetic.compile(fitted(), data("iris")[0], **options)


def test_options_of_networks_are_no_others() -> None:
    X, y = data("iris")
    linear = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(CompileError, match="hidden_range must be left out but for networks"):
        hermetic.compile(linear, X, hidden_range="proved")
    with pytest.raises(CompileError, match=r"profile must be one of fast, precise for this model\. Got 'deep'"):
        hermetic.compile(linear, X, profile="deep")


def test_a_range_to_calibrate_needs_a_sample() -> None:
    with pytest.raises(CompileError, match="must be compiled with X_sample"):
        hermetic.compile(fitted(), input_range=(0, 10))


def test_networks_that_are_too_deep_or_wide_are_refused_in_words() -> None:
    X = data("iris")[0]
    with pytest.raises(PrecisionError, match=r"may have 5 hidden layers in the profile 'deeper'\. Got 6"):
        hermetic.compile(fitted(hidden_layer_sizes=(3,) * 6), X)
    with pytest.raises(PrecisionError, match=r"may have 2 hidden layers in the profile 'network'\. Got 3"):
        hermetic.compile(fitted(hidden_layer_sizes=(3,) * 3), X, profile="network")
    with pytest.raises(PrecisionError, match=r"hidden layers after the first may have 512 neurons\. Got 513"):
        hermetic.compile(fitted(hidden_layer_sizes=(4, 513)), X, profile="deep")


def test_several_labels_are_refused_in_words() -> None:
    X, y = data("iris")
    several = np.stack([y == "setosa", y == "virginica"], axis=1).astype(int)
    with pytest.raises(UnsupportedModelError, match="must be fitted on one label a sample"):
        hermetic.compile(MLPClassifier((4,), **FEW).fit(X, several), X)


@pytest.mark.skipif("loss" not in MLPRegressor().get_params(), reason="scikit-learn has no losses of MLPRegressor yet")
def test_counts_have_the_exponential_link() -> None:
    X, y = data("counts")
    estimator = MLPRegressor(loss="poisson", hidden_layer_sizes=(4,), activation="tanh", **FEW).fit(X, y)
    model = hermetic.compile(estimator, X)
    assert model.signature.link == "exp"
    client = Client(model.signature)
    found = client.predict(model.evaluate(client.encrypt(X[:4]), client.public_key))
    assert np.allclose(found, estimator.predict(X[:4]), rtol=0.2)


def test_a_network_before_another_model_is_refused() -> None:
    from sklearn.ensemble import VotingClassifier

    X, y = data("iris")
    parts = [("a", MLPClassifier((4,), **FEW)), ("b", LogisticRegression(max_iter=500))]
    voting = VotingClassifier(parts, voting="soft").fit(StandardScaler().fit_transform(X), y)
    with pytest.raises(UnsupportedModelError, match=r"must be linear\. Got a network"):
        hermetic.compile(voting, StandardScaler().fit_transform(X))
