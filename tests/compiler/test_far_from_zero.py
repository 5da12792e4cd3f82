"""Data far from zero and of columns that differ in size: answers are as good there, or it is said that they are not."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans, MeanShift
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid, NearestNeighbors
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from typer.testing import CliRunner

import hermetic
from hermetic import Client, CompiledModel, PrecisionError
from hermetic.circuits.linear.integers import recombine
from hermetic.cli.app import app
from hermetic.compiler.reading import read_model
from hermetic.compiler.spread import PrecisionWarning

X, CLASSES = load_iris(return_X_y=True)
Y = 2 * X[:, 0] + X[:, 2] ** 2
OFFSETS = [0.0, 1e3, 1e6, 1e9]
SIZES = np.array([1e-6, 1.0, 1e3, 1e6])
"""What columns of different units are multiplied by; scikit-learn takes their covariances for singular."""

HALVES = ColumnTransformer(
    [("a", StandardScaler(), [0, 1]), ("b", make_pipeline(SelectKBest(k=1), MinMaxScaler()), [2, 3])]
)
MODELS = {
    "ridge": make_pipeline(StandardScaler(), Ridge()),
    "components": PCA(2),
    "scaled components": make_pipeline(RobustScaler(), PCA(2), Ridge()),
    "discriminants": LinearDiscriminantAnalysis(),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "vectors": make_pipeline(MinMaxScaler(), LinearSVC()),
    "polynomial of scaled": make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()),
    "polynomial of min-max": make_pipeline(MinMaxScaler(), PolynomialFeatures(2), Ridge()),
    "polynomial of halves": make_pipeline(HALVES, PolynomialFeatures(2), Ridge()),
    "polynomial of a union": make_pipeline(
        FeatureUnion([("a", StandardScaler()), ("b", RobustScaler())]), PolynomialFeatures(2), Ridge()
    ),
    "gaussian": GaussianNB(),
    "gaussian of scaled": make_pipeline(StandardScaler(), GaussianNB()),
    "gaussian of components": make_pipeline(PCA(2), GaussianNB()),
    "gaussian of chosen": make_pipeline(SelectKBest(k=2), GaussianNB()),
    "quadratic": QuadraticDiscriminantAnalysis(),
    "quadratic of scaled": make_pipeline(StandardScaler(), SelectKBest(k=3), QuadraticDiscriminantAnalysis()),
    "one quadratic each": OneVsRestClassifier(QuadraticDiscriminantAnalysis()),
}
REGRESSIONS = {"ridge", "components", "scaled components", *(name for name in MODELS if name.startswith("polynomial"))}


def fitted(name: str, data: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(MODELS[name]).fit(data, Y if name in REGRESSIONS else CLASSES)


def reference(model: CompiledModel, data: np.ndarray) -> np.ndarray:
    client, scores = Client(model.signature), _scores(model, data)
    return client.scores_to_response(scores[:, 0] if model.signature.squeeze else scores)


def _scores(model: CompiledModel, data: np.ndarray) -> np.ndarray:
    one = model.integers
    integers, _ = Client(model.signature).quantize(data)
    return recombine(one.apply(integers), one.limbs, one.limb_bits, one.scale_exponent)


def compiled(estimator: Any, data: np.ndarray, imprecise: Literal["error", "ignore"]) -> CompiledModel:
    """The model, and what becomes of a warning about its precision."""
    with warnings.catch_warnings():
        warnings.simplefilter(imprecise, PrecisionWarning)
        return hermetic.compile(estimator, data)


def assert_within_its_error(model: CompiledModel, estimator: Any, data: np.ndarray) -> None:
    own = np.asarray(getattr(estimator, model.signature.method)(data))
    assert np.abs(reference(model, data) - own).max() <= model.signature.error


@pytest.mark.parametrize(
    ("name", "offset"),
    [(name, offset) for name in MODELS for offset in OFFSETS if (name, offset) != ("gaussian of components", 1e9)],
)
def test_no_offset_makes_an_error_large(name: str, offset: float) -> None:
    data = X + offset
    estimator = fitted(name, data)
    model = compiled(estimator, data, "error")
    assert_within_its_error(model, estimator, data)
    assert model.spread is not None
    assert model.signature.error <= 0.02 * model.spread


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"quadratic", "one quadratic each"}))
def test_columns_of_different_units(name: str) -> None:
    data = (X + 100) * SIZES
    estimator = fitted(name, data)
    model = compiled(estimator, data, "ignore")
    assert_within_its_error(model, estimator, data)


CENTRES = {
    "means": KMeans(3, n_init=1, random_state=0),
    "shifted means": MeanShift(bandwidth=1.5),
    "centroids": NearestCentroid(),
    "shrunken centroids": NearestCentroid(shrink_threshold=0.1),
    "centroids, priors": NearestCentroid(priors=[0.2, 0.3, 0.5]),
}


@pytest.mark.parametrize("name", CENTRES)
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5, -1e5])
def test_the_nearest_centre_is_told_from_others_at_any_offset(name: str, offset: float) -> None:
    data = X + offset
    estimator = clone(CENTRES[name]).fit(data, CLASSES)
    model = compiled(estimator, data, "error")
    client, own = Client(model.signature), estimator.predict(data)
    given = client.scores_to_labels(_scores(model, data))
    assert np.count_nonzero(given != own) <= 1
    assert model.signature.error <= 0.02 * model.spread


@pytest.mark.parametrize("level", [0.0, 1e9, 1e12])
def test_targets_far_from_zero_have_a_spread(level: float) -> None:
    estimator = Ridge().fit(X, Y + level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        model = hermetic.compile(estimator, X)
    assert model.spread == pytest.approx(np.std(Ridge().fit(X, Y).predict(X)), rel=1e-2)


@pytest.mark.parametrize("size", [1e-6, 1e-9, 1e-15])
@pytest.mark.parametrize("name", ["ridge", "polynomial of min-max", "gaussian of scaled", "logistic"])
def test_small_inputs_are_as_good_as_others(name: str, size: float) -> None:
    data = X * size
    estimator = fitted(name, data)
    model = compiled(estimator, data, "error")
    assert_within_its_error(model, estimator, data)


@pytest.mark.parametrize("name", ["digits", "digits / 16", "flags"])
def test_classes_that_are_far_from_all_samples_hide_no_error(name: str) -> None:
    """Where an input never varies within a class, GaussianNB scores that class a billion below the others."""
    digits = load_digits()
    data, classes = {
        "digits": (digits.data, digits.target),
        "digits / 16": (digits.data / 16, digits.target),
        "flags": ((np.median(X, axis=0) < X).astype(float), CLASSES),
    }[name]
    estimator = GaussianNB().fit(data, classes)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = hermetic.compile(estimator, data)
    wrong = Client(model.signature).scores_to_labels(_scores(model, data)) != estimator.predict(data)
    assert model.spread is not None
    assert model.spread < 1e5
    assert np.mean(wrong) < 0.01 or any(issubclass(one.category, PrecisionWarning) for one in said)


def weather() -> np.ndarray:
    """Pressure in hPa, temperature in K, the year, humidity in %."""
    random, n = np.random.default_rng(0), 400
    columns = (
        random.normal(1013, 8, n),
        random.normal(288, 8, n),
        random.integers(2000, 2021, n),
        random.uniform(5, 99, n),
    )
    return np.column_stack(columns)


NEIGHBOURS = {"weather": weather(), **{f"iris + {offset:g}": np.unique(X + offset, axis=0) for offset in OFFSETS}}


@pytest.mark.parametrize("name", NEIGHBOURS)
@pytest.mark.parametrize("metric", ["euclidean", "minkowski"])
def test_every_vector_is_its_own_nearest_and_distances_follow(name: str, metric: str) -> None:
    data = NEIGHBOURS[name]
    index = NearestNeighbors(metric=metric, algorithm="kd_tree").fit(data)
    model = hermetic.compile(index, data)
    scores, centre = reference(model, data), model.signature.grid.centre
    assert (scores.argmax(axis=1) == np.arange(len(data))).all()
    distances, places = index.kneighbors(data, n_neighbors=10)
    moved = ((data - centre) ** 2).sum(axis=1, keepdims=True)
    squares = moved - 2 * np.take_along_axis(scores, places, axis=1)
    assert np.abs(squares - distances**2).max() <= 2 * model.signature.error * (1 + 1e-6)
    assert (centre != 0).any() == (name != "iris + 0")


def test_neighbours_of_public_features_count_from_the_same_point() -> None:
    from hermetic.features import FeatureMap, Scale

    features, data = FeatureMap(Scale(4, shift=1000.0)), np.unique(X, axis=0)
    index = NearestNeighbors(algorithm="kd_tree").fit(features.apply(data))
    model = hermetic.compile(index, data, features=features)
    squares = ((features.apply(data) - model.signature.grid.centre) ** 2).sum(axis=1)
    assert model.signature.grid.centre.all()
    assert np.abs(squares / 2 - reference(model, data).max(axis=1)).max() <= model.signature.error


@pytest.mark.parametrize("name", ["gaussian", "quadratic", "gaussian of scaled", "one quadratic each"])
def test_points_near_the_data_stay_private(name: str) -> None:
    """What the client learns of the centre is the middle of the public range, whatever was learned."""
    ranges = X.min(axis=0) - 1.0, X.max(axis=0) + 1.0
    centres = []
    for some in (X, X + np.array([0.5, 0.0, 0.25, 0.0])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrecisionWarning)
            model = hermetic.compile(fitted(name, some), None, input_range=ranges)
        centres.append(json.dumps(json.loads(model.signature.json)["feature_map"]))
    assert centres[0] == centres[1]
    bins = make_pipeline(KBinsDiscretizer(3, encode="onehot-dense"), GaussianNB()).fit(X, CLASSES)
    assert all(not one.get("centre") or not any(one["centre"]) for one in _monomials(read_model(bins).linear))


def _monomials(linear: Any) -> list[Any]:
    found, left = [], [*linear.feature_map.document()]
    while left:
        one = left.pop()
        found += [one] if one["kind"] == "monomials" else []
        left += [*one.get("blocks", []), *([one["block"]] if "block" in one else [])]
    assert found
    return found


def noisy() -> tuple[Any, np.ndarray]:
    """Brute force adds |x|² and takes it off again: at 1e9 its own rounding is all that is left."""
    data = X + 1e9
    return NearestNeighbors(algorithm="brute").fit(data), data


def test_an_error_that_is_not_small_is_said() -> None:
    index, data = noisy()
    with pytest.warns(PrecisionWarning, match=r"small beside their spread on X_sample, 3\.6\d*\. .*centred and scaled"):
        model = hermetic.compile(index, data)
    assert model.spread is not None
    assert model.signature.error > model.spread


def test_what_an_estimator_rounds_itself_is_said_too() -> None:
    """PCA takes one large product off another: 1e9 in float64 leaves seven digits of each component."""
    data = X + 1e9
    with pytest.warns(PrecisionWarning):
        model = hermetic.compile(fitted("gaussian of components", data), data)
    assert model.signature.error > 0.02 * model.spread


def test_who_asks_for_a_tolerance_is_not_warned() -> None:
    estimator = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PrecisionWarning)
        hermetic.compile(estimator, X, tolerance=10.0)
        with pytest.raises(PrecisionError):
            hermetic.compile(*noisy(), tolerance=1e-3)


def test_the_profile_is_the_cheapest_that_is_precise_enough() -> None:
    data = np.random.default_rng(0).normal(size=(300, 600)) * 1e-2 + np.repeat([[0.0, 5.0]], 300, axis=1)
    data[:, 300:] += np.linspace(0, 50, 300)[None]
    index = NearestNeighbors(algorithm="kd_tree").fit(data)
    chosen = hermetic.compile(index, data)
    with pytest.warns(PrecisionWarning, match="leave profile out"):
        fast = hermetic.compile(index, data, profile="fast")
    assert chosen.signature.error <= 0.02 * chosen.spread < fast.signature.error


def test_the_command_line_tells_the_error_beside_the_spread(tmp_path: Path) -> None:
    path = tmp_path / "model.hermetic"
    model = hermetic.compile(make_pipeline(StandardScaler(), Ridge()).fit(X, Y), X)
    model.save(path)
    loaded = CompiledModel.load(path)
    assert 0.2 < loaded.spread_over_range / model.spread < 5
    assert b"spread" not in model.signature.json
    shown = CliRunner().invoke(app, ["inspect", str(path)])
    assert "of the spread of scores" in " ".join(shown.output.split())
    found = json.loads(CliRunner().invoke(app, ["inspect", str(path), "--json"]).output)
    assert found["error_over_spread"] == pytest.approx(model.signature.error / loaded.spread_over_range)


def test_without_a_sample_or_a_spread_nothing_is_said() -> None:
    assert hermetic.compile(Ridge().fit(X, Y), input_range=(0, 10)).spread is None
    assert hermetic.compile(Ridge().fit(X, np.ones(len(X))), X).spread is None
