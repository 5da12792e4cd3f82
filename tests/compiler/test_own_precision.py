"""Estimators that compute in float32 or float16: the guaranteed error holds for their answers in their own type."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, FastICA, IncrementalPCA, SparsePCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, RBFSampler
from sklearn.linear_model import HuberRegressor, Lars, Lasso, LinearRegression, LogisticRegression, Ridge, SGDRegressor
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import RegressorChain
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import NearestCentroid, NearestNeighbors
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC

import hermetic
from hermetic import Client, CompiledModel, CompileError
from hermetic.circuits.linear.integers import recombine
from hermetic.links import response_error

from .since import since

X, CLASSES = load_iris(return_X_y=True)
Y = 2 * X[:, 0] + X[:, 2] ** 2
PUBLIC = [
    *("binarizer", "kbinsdiscretizer", "maxabsscaler", "minmaxscaler", "missingindicator", "nystroem", "onehotencoder"),
    *("rbfsampler", "robustscaler", "simpleimputer", "splinetransformer", "standardscaler", "training rows"),
    *("histgradientboostingregressor", "selectkbest", "pca", "powertransformer"),
]

CALIBRATIONS = ["sigmoid", *since("1.8", "method='temperature'", lambda: "temperature")]


def _bins(**options: Any) -> KBinsDiscretizer:
    return KBinsDiscretizer(4, **options)


STEPPED = {
    "bins": (_bins(),),
    "ordinal bins": (_bins(encode="ordinal"),),
    "bins of float32": (_bins(dtype=np.float32),),
    "standard, bins": (StandardScaler(), _bins()),
    "min-max, bins": (MinMaxScaler(), _bins()),
    "min-max clipped, bins": (MinMaxScaler(clip=True), _bins()),
    "max-abs, bins": (MaxAbsScaler(), _bins()),
    "robust, bins": (RobustScaler(), _bins()),
    "three scalers, bins": (RobustScaler(), StandardScaler(), MinMaxScaler(), _bins()),
    "choice, scaler, bins": (SelectKBest(k=2), StandardScaler(), _bins()),
    "scaler, choice, bins": (StandardScaler(), SelectKBest(k=2), _bins()),
    "union of scalers, bins": (FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]), _bins()),
    "threshold": (Binarizer(threshold=1.3),),
    "threshold of float64": (Binarizer(threshold=np.float64(1.3)),),
    "scaler, threshold": (StandardScaler(), Binarizer(threshold=0.1)),
    "imputer of 0.2": (SimpleImputer(missing_values=0.2),),
    "imputer of 0.2, bins": (SimpleImputer(missing_values=0.2), _bins()),
    "indicator of 0.2": (FeatureUnion([("a", MissingIndicator(missing_values=0.2)), ("b", StandardScaler())]),),
}
SMOOTH = {
    "nothing": (),
    "powers": (PowerTransformer(),),
    "norms": (Normalizer(),),
    "sparse components": (SparsePCA(2, max_iter=10, random_state=0),),
    "standard": (StandardScaler(),),
    "standard, principal components": (StandardScaler(), PCA(3)),
    "whitened": (PCA(3, whiten=True),),
    "incremental": (IncrementalPCA(3),),
    "independent": (FastICA(3, random_state=0),),
    "singular vectors": (TruncatedSVD(3),),
    "discriminants": (LinearDiscriminantAnalysis(),),
    "polynomial": (StandardScaler(), PolynomialFeatures(3)),
    "splines": (StandardScaler(), SplineTransformer()),
    "logarithms": (FunctionTransformer(np.log1p),),
    "random features": (StandardScaler(), RBFSampler(n_components=20, random_state=0)),
    "landmarks": (StandardScaler(), Nystroem(n_components=8, random_state=0)),
    "chi-squared": (AdditiveChi2Sampler(),),
}
MODELS = {
    "least squares": LinearRegression(),
    "lasso": Lasso(0.01),
    "huber": HuberRegressor(),
    "angles": Lars(),
    "descent": make_pipeline(StandardScaler(), SGDRegressor(random_state=0)),
    "vectors": SVR(kernel="linear"),
    "vote": VotingRegressor([("a", Ridge()), ("b", make_pipeline(StandardScaler(), Ridge()))]),
    "bag": BaggingRegressor(make_pipeline(StandardScaler(), Ridge()), 3, max_features=0.5, random_state=0),
    "target": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
    "stack": StackingRegressor([("a", Ridge()), ("b", LinearRegression())], make_pipeline(StandardScaler(), Ridge())),
    "stack and inputs": StackingRegressor([("a", Ridge())], Ridge(), passthrough=True),
    "soft votes": VotingClassifier([("a", LogisticRegression()), ("b", LinearDiscriminantAnalysis())], voting="soft"),
    "bagged classifier": BaggingClassifier(LogisticRegression(), 3, random_state=0),
    "trees": HistGradientBoostingRegressor(max_depth=1, max_iter=20),
    "logistic": LogisticRegression(),
    "one versus rest": OneVsRestClassifier(LogisticRegression()),
    "svc": SVC(kernel="linear"),
    "linear svc": LinearSVC(),
    "discriminants": LinearDiscriminantAnalysis(),
    "quadratic": QuadraticDiscriminantAnalysis(),
    "gaussian": GaussianNB(),
    "thresholds": BernoulliNB(binarize=1.3),
    "centroids": NearestCentroid(),
    "components": PCA(2),
    "scaled components": make_pipeline(StandardScaler(), PCA(2)),
}
CASES = {
    **{name: make_pipeline(*steps, Ridge()) for name, steps in {**STEPPED, **SMOOTH}.items()},
    **MODELS,
}
TYPES = {name: np.dtype(name) for name in ("float64", "float32", "float16", "int64", "uint8")}
NOT_FITTED = {
    *(("quadratic", "float16"), ("linear svc", "float16"), ("powers", "float16")),
    *((name, dtype) for name in ("chi-squared", "indicator of 0.2") for dtype in ("int64", "uint8")),
}
"""What scikit-learn itself does not fit on a type, or fits to nothing; some in older versions alone."""


def compiled(estimator: Any, inputs: Any, **options: Any) -> CompiledModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hermetic.compile(estimator, inputs, public=PUBLIC, **options)


def fitted(name: str, inputs: Any) -> Any:
    classes = hasattr(CASES[name], "predict_proba") or name in ("svc", "linear svc", "centroids", "discriminants")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(CASES[name]).fit(inputs, CLASSES if classes else Y)


def apart(model: CompiledModel, estimator: Any, sent: Any, asked: Any) -> tuple[np.ndarray, np.ndarray]:
    """How far the integer reference is from the estimator, asked in its own type, and how far it may be."""
    signature, client, one = model.signature, Client(model.signature), model.integers
    scores = recombine(one.apply(client.quantize(sent)[0]), one.limbs, one.limb_bits, one.scale_exponent)
    scores = scores[:, 0] if signature.squeeze else scores
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = np.asarray(getattr(estimator, signature.method)(asked))
    if signature.method == "predict" and signature.labels is not None:
        order = np.sort(scores, axis=1)
        certain = order[:, -1] - order[:, -2] > 2 * signature.error
        return np.asarray((client.scores_to_labels(scores) != own)[certain], dtype=float), np.zeros(certain.sum())
    classes = 0 if signature.labels is None else len(signature.labels)
    allowed = response_error(signature.method, signature.link, scores, classes, signature.error)
    return np.abs(client.scores_to_response(scores) - own.astype(np.float64)), allowed


def inputs_of(model: CompiledModel, data: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Inputs in range: the data, random ones, and those next to every value of the data in either type."""
    low, high = data.astype(np.float64).min(axis=0), data.astype(np.float64).max(axis=0)
    if dtype.kind in "iu":
        return data.astype(np.float64)
    near = [data.astype(np.float64)]
    for towards in (-np.inf, np.inf):
        near += [np.nextafter(data, dtype.type(towards)).astype(np.float64), np.nextafter(near[0], towards)]
    rows = [*near, np.random.default_rng(0).uniform(low, high, (2000, data.shape[1]))]
    return np.clip(np.concatenate(rows), low, high)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, dtype) for name in CASES for dtype in TYPES if (name, dtype) not in NOT_FITTED),
        *since("1.8", "PowerTransformer of float16", lambda: ("powers", "float16")),
    ],
)
def test_the_guaranteed_error_holds_in_the_type_it_was_fitted_with(name: str, dtype: str) -> None:
    data = (X * 10 if TYPES[dtype].kind in "iu" else X).astype(dtype)
    estimator = fitted(name, data)
    model = compiled(estimator, data)
    sent = inputs_of(model, data, TYPES[dtype])
    found, allowed = apart(model, estimator, sent, sent.astype(dtype))
    assert (found <= allowed).all()


def test_chains_take_values_before_them_in_float64() -> None:
    data = X.astype(np.float32)
    estimator = RegressorChain(make_pipeline(StandardScaler(), Ridge())).fit(data, np.stack([Y, X[:, 1]], axis=1))
    model = compiled(estimator, data)
    sent = inputs_of(model, data, np.dtype(np.float32))
    found, allowed = apart(model, estimator, sent, sent.astype(np.float32))
    assert (found <= allowed).all()
    assert b"rounded" not in model.signature.json


@pytest.mark.parametrize("name", ["standard", "least squares", "gaussian", "standard, bins", "imputer of 0.2"])
def test_the_type_is_found_in_what_was_learned_where_the_sample_does_not_tell(name: str) -> None:
    data = X.astype(np.float32)
    estimator = fitted(name, data)
    for model in (compiled(estimator, X), compiled(estimator, None, input_range=(X.min(axis=0), X.max(axis=0)))):
        sent = inputs_of(model, data, np.dtype(np.float32))
        found, allowed = apart(model, estimator, sent, sent.astype(np.float32))
        assert (found <= allowed).all()


def _frame() -> pd.DataFrame:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    return frame.astype({"b": np.float32, "d": np.float16})


@pytest.mark.parametrize(
    "steps", [(StandardScaler(),), (MinMaxScaler(), _bins()), (_bins(),), (Binarizer(threshold=0.2),)], ids=str
)
@pytest.mark.parametrize("apart_from_others", [True, False])
def test_columns_of_a_frame_have_types_of_their_own(steps: tuple[Any, ...], apart_from_others: bool) -> None:
    frame, first = _frame(), make_pipeline(*steps)
    columns = ColumnTransformer([(one, clone(first), [one]) for one in frame])
    estimator = make_pipeline(columns if apart_from_others else first, Ridge()).fit(frame, Y)
    model = compiled(estimator, frame)
    sent = pd.DataFrame(inputs_of(model, X, np.dtype(np.float32)), columns=list(frame))
    narrow = sent.clip(frame.min().astype(float), frame.max().astype(float), axis=1)
    found, allowed = apart(model, estimator, narrow, narrow.astype(frame.dtypes))
    assert (found <= allowed).all()


ENCODERS = {
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "infrequent": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=8),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "targets": TargetEncoder(cv=2, target_type="continuous"),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", ["array", "frame", "one column"])
def test_numbers_that_were_fitted_as_objects_are_asked_about_as_objects(name: str, kind: str) -> None:
    data = X.round().astype(object)
    frame = pd.DataFrame(data, columns=["a", "b", "c", "d"])
    inputs = {"array": data, "frame": frame, "one column": frame.astype({"a": float, "b": float, "d": int})}[kind]
    estimator = make_pipeline(clone(ENCODERS[name]), Ridge()).fit(inputs, Y)
    model = hermetic.compile(estimator, inputs, public=[*PUBLIC, "ordinalencoder", "targetencoder"])
    found, allowed = apart(model, estimator, inputs, inputs)
    assert (found <= allowed).all()


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("dtype", ["int64", "uint64", "object"])
def test_whole_numbers_that_float64_does_not_hold_are_categories(name: str, named: bool, dtype: str) -> None:
    """Account numbers that differ in the last digit."""
    data = (2**60 + np.rint(X[:, :2]).astype(np.int64)).astype(dtype)
    inputs = pd.DataFrame(data, columns=["a", "b"]) if named else data
    estimator = make_pipeline(clone(ENCODERS[name]), Ridge()).fit(inputs, Y)
    model = hermetic.compile(estimator, inputs, public=[*PUBLIC, "ordinalencoder", "targetencoder"])
    found, allowed = apart(model, estimator, inputs, inputs)
    assert (found <= allowed).all()


FUNCTIONS = (np.log1p, np.sqrt, np.square, np.exp, np.tanh, np.cbrt, np.sign)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_functions_of_a_frame_are_computed_in_the_type_of_each_column(function: np.ufunc) -> None:
    frame = _frame()
    estimator = make_pipeline(FunctionTransformer(function), StandardScaler(), Ridge()).fit(frame, Y)
    model = compiled(estimator, frame)
    sent = pd.DataFrame(inputs_of(model, X, np.dtype(np.float32)), columns=list(frame))
    narrow = sent.clip(frame.min().astype(float), frame.max().astype(float), axis=1)
    found, allowed = apart(model, estimator, narrow, narrow.astype(frame.dtypes))
    assert (found <= allowed).all()


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("target", ["float32", "float64"])
@pytest.mark.parametrize("types", ["float64", "float32", {"b": "float32", "d": "float16"}, {"a": "float32"}], ids=str)
def test_categories_have_the_type_of_their_column(name: str, target: str, types: Any) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).astype(types)
    estimator = make_pipeline(clone(ENCODERS[name]), Ridge()).fit(frame, Y.astype(target))
    options = [*PUBLIC, "ordinalencoder", "targetencoder"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hermetic.compile(estimator, frame, public=options)
    found, allowed = apart(model, estimator, frame, frame)
    assert (found <= allowed).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=20, unique=True), st.integers(2, 5))
def test_bins_of_scaled_float32_are_the_estimators_at_their_edges(values: list[float], count: int) -> None:
    """Whatever the data: at every edge of the steps and next to it."""
    data = np.array(values, dtype=np.float32)[:, None]
    if np.ptp(data) < 1e-3:
        return
    steps = StandardScaler(), KBinsDiscretizer(count, strategy="uniform", subsample=None)
    estimator = make_pipeline(*steps, Ridge()).fit(data, np.arange(len(data), dtype=np.float32) ** 2)
    model = compiled(estimator, data)
    edges = np.concatenate(estimator[1].bin_edges_)[1:-1]
    middle = (edges * estimator[0].scale_ + estimator[0].mean_).astype(np.float32)
    above, below = [middle], [middle]
    for _ in range(4):
        above.append(np.nextafter(above[-1], np.float32(np.inf)))
        below.append(np.nextafter(below[-1], np.float32(-np.inf)))
    sent = np.clip(np.concatenate([*above, *below]).astype(np.float64), data.min(), data.max())[:, None]
    found, allowed = apart(model, estimator, sent, sent.astype(np.float32))
    assert (found <= allowed).all()


def test_sums_in_float32_before_what_is_not_linear_are_refused_with_what_helps() -> None:
    steps = PCA(2), SplineTransformer(), Ridge()
    with pytest.raises(CompileError, match=r"sums \(affine\) in less than float64.*astype\(np.float64\)"):
        compiled(make_pipeline(*steps).fit(X.astype(np.float32), Y), X.astype(np.float32))
    assert compiled(make_pipeline(*steps).fit(X, Y), X)


@pytest.mark.parametrize(
    ("step", "words"),
    [(FunctionTransformer(np.square), "square does not overflow"), (AdditiveChi2Sampler(), "must take real numbers")],
)
def test_whole_numbers_that_a_step_spoils_are_refused(step: Any, words: str) -> None:
    data = (10 * X).astype(np.uint8)
    estimator = make_pipeline(step, Ridge()).fit(data, Y)
    with pytest.raises(CompileError, match=words):
        compiled(estimator, data)
    mixed = pd.DataFrame(X, columns=list("abcd")).assign(b=data[:, 1])
    if isinstance(step, FunctionTransformer):
        with pytest.raises(CompileError, match=words):
            compiled(make_pipeline(step, Ridge()).fit(mixed, Y), mixed)
    real = data.astype(np.float64)
    assert compiled(make_pipeline(step, Ridge()).fit(real, Y), real)


def test_float64_models_say_nothing_of_types() -> None:
    model = compiled(fitted("standard, bins", X), X)
    assert b"rounded" not in model.signature.json
    assert b"cast" not in model.signature.json


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_neighbours_of_float32(metric: str, algorithm: str) -> None:
    data = np.unique(X.astype(np.float32), axis=0)
    index = NearestNeighbors(metric=metric, algorithm=algorithm).fit(data)
    model = compiled(index, data, profile="precise")
    client = Client(model.signature)
    integers = model.integers
    scores = recombine(
        integers.apply(client.quantize(data)[0]), integers.limbs, integers.limb_bits, integers.scale_exponent
    )
    distances, places = index.kneighbors(data, n_neighbors=len(data))
    wide = data.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    own = norms * (1 - distances) if metric == "cosine" else (norms**2 - distances**2) / 2
    assert np.abs(np.take_along_axis(scores, places, axis=1) - own).max() <= model.signature.error


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", CALIBRATIONS)
@pytest.mark.parametrize("width", [1, 4])
def test_probabilities_that_are_computed_in_float32_and_kept_in_float64(
    ensemble: bool, method: str, width: int
) -> None:
    """Folds in the order of the classes calibrate to scores near 0, whose error is below that of float32 itself."""
    data = X[:, -width:].astype(np.float32)
    estimator = CalibratedClassifierCV(LogisticRegression(), method=method, cv=KFold(2), ensemble=ensemble).fit(
        data, CLASSES == 1
    )
    model = compiled(estimator, data)
    sent = inputs_of(model, data, np.dtype(np.float32))
    found, allowed = apart(model, estimator, sent, sent.astype(np.float32))
    assert (found <= allowed + 1e-6).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_categories_are_looked_up_in_the_type_that_they_were_learned_in(dtype: str) -> None:
    """0.1 is no category of float32, but what it is rounded to is."""
    data = X.astype(dtype)
    estimator = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(data, Y)
    model = compiled(estimator, data)
    found, allowed = apart(model, estimator, X, X.astype(dtype))
    assert (found <= allowed).all()
    assert json.loads(model.signature.json)["feature_map"]["categories"][0]["dtype"] == dtype
