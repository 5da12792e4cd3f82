"""ONNX models in every opset, type and form that the converter writes, compared with ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from skl2onnx import __max_supported_opset__, to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Perceptron, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVR

import hermetic

from .test_onnx import Array, asked, columns_of, encrypted, made, node

X, KINDS = load_iris(return_X_y=True)
NAMES = load_iris().target_names[KINDS]
TWO = KINDS < 2
TYPES = {"float": (np.float32, FloatTensorType), "double": (np.float64, DoubleTensorType)}
INT64 = np.int64, Int64TensorType
NEWEST = __max_supported_opset__

CLASSIFIERS: dict[str, tuple[BaseEstimator, bool]] = {
    "logistic": (LogisticRegression(), False),
    "logistic, two": (LogisticRegression(), True),
    "scaled, two": (make_pipeline(StandardScaler(), LogisticRegression()), True),
    "one versus rest": (OneVsRestClassifier(LogisticRegression()), False),
    "one versus rest, two": (OneVsRestClassifier(LogisticRegression()), True),
    "discriminants": (LinearDiscriminantAnalysis(), False),
    "discriminants, two": (LinearDiscriminantAnalysis(), True),
    "logistic loss, two": (SGDClassifier(loss="log_loss", random_state=0), True),
    "modified Huber, two": (make_pipeline(MinMaxScaler(), SGDClassifier(loss="modified_huber", random_state=0)), True),
    "hinge": (SGDClassifier(random_state=0), False),
    "hinge, two": (SGDClassifier(random_state=0), True),
    "perceptron": (Perceptron(random_state=0), False),
    "multinomial": (MultinomialNB(), False),
    "multinomial, two": (MultinomialNB(), True),
    "complement": (ComplementNB(), False),
    "projected": (make_pipeline(RobustScaler(), PCA(2), LogisticRegression()), False),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "maps": {},
    "tensors": {"zipmap": False},
    "columns": {"zipmap": "columns"},
    "raw scores": {"zipmap": False, "raw_scores": True},
    "no labels": {"zipmap": False, "nocl": True},
    "labels beside": {"zipmap": False, "output_class_labels": True},
}

REGRESSORS: dict[str, BaseEstimator] = {
    "ridge": make_pipeline(StandardScaler(), Ridge()),
    "least squares": LinearRegression(),
    "support vectors": SVR(kernel="linear"),
    "support vectors, nu": NuSVR(kernel="linear"),
    "linear support vectors": make_pipeline(MinMaxScaler(), LinearSVR(max_iter=20_000)),
    "imputed": make_pipeline(SimpleImputer(), Ridge()),
}


def converted(estimator: BaseEstimator, kind: Any, opset: Any, **options: Any) -> ModelProto:
    given = {"options": {id(estimator): options}} if options else {}
    return to_onnx(
        estimator, initial_types=[("X", kind([None, estimator.n_features_in_]))], target_opset=opset, **given
    )


def check_classifier(one: ModelProto, inputs: Array, rows: Array, dtype: Any) -> None:
    """Labels, scores and probabilities are those of ONNX Runtime."""
    model = hermetic.compile(one, inputs)
    client, result = encrypted(model, rows)
    labels, *numbers = asked(one, rows.astype(dtype))
    beside = isinstance(numbers[0], np.ndarray) and numbers[0].ndim > 1  # … a list of labels
    given = columns_of(numbers[:1] if beside else numbers, model.signature.labels)
    ordered = np.sort(given, axis=1)
    sure = np.full(len(rows), True) if given.shape[1] == 1 else ordered[:, -1] > ordered[:, -2]
    assert (client.predict(result) == labels)[sure].all()
    assert sure.mean() > 0.25
    scores = client.decrypt(result)
    if model.signature.link is not None:
        rounding = 1e-6 * max(1.0, float(np.abs(scores).max()))
        assert np.abs(client.predict_proba(result) - given).max() <= model.signature.error + rounding
    else:
        shown = np.stack([-scores, scores], axis=1) if scores.ndim == 1 and given.shape[1] == 2 else scores
        assert np.abs(shown.reshape(given.shape) - given).max() <= model.signature.error


@pytest.mark.parametrize("opset", [11, 13, 18, NEWEST])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_of_any_opset_and_type_is_read(name: str, opset: int) -> None:
    estimator, two = CLASSIFIERS[name]
    inputs, labels = (X[TWO], NAMES[TWO]) if two else (X, KINDS)
    for dtype, kind in TYPES.values():
        if (name, opset, dtype) == ("modified Huber, two", 11, np.float64):
            continue  # the converter writes float32 limits for float64, which is not valid
        one = converted(estimator.fit(inputs.astype(dtype), labels), kind, opset, zipmap=False)
        check_classifier(one, inputs.astype(dtype), inputs[::9].astype(dtype), dtype)


@pytest.mark.parametrize("opset", [11, NEWEST])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_of_whole_numbers_is_read(name: str, opset: int) -> None:
    estimator, two = CLASSIFIERS[name]
    inputs = np.rint(10 * (X[TWO] if two else X)).astype(np.int64)
    estimator = estimator.fit(inputs, NAMES[TWO] if two else KINDS)
    check_classifier(converted(estimator, INT64[1], opset, zipmap=False), inputs, inputs[::9], np.int64)


@pytest.mark.parametrize("way", OPTIONS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_option_of_the_converter_is_read(name: str, way: str) -> None:
    estimator, two = CLASSIFIERS[name]
    inputs = X[TWO] if two else X
    estimator = estimator.fit(inputs.astype(np.float32), KINDS[TWO] if two else KINDS)
    try:
        one = converted(estimator, FloatTensorType, 18, **OPTIONS[way])
    except (NameError, RuntimeError) as error:  # the converter has not every option for every class
        assert "option" in str(error).lower()
        return
    check_classifier(one, inputs, inputs[::9], np.float32)


@pytest.mark.parametrize("opset", [11, 13, 18, NEWEST, {"": 15, "ai.onnx.ml": 1}, {"": 15, "ai.onnx.ml": 2}])
@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regression_of_any_opset_and_type_is_read(name: str, opset: Any) -> None:
    for dtype, kind, inputs in ((np.float32, FloatTensorType, X[:, :3]), (*INT64, np.rint(10 * X[:, :3]))):
        if dtype == np.int64 and name in ("imputed", "support vectors", "support vectors, nu"):
            continue  # the converter, or ONNX Runtime, has none
        one = converted(REGRESSORS[name].fit(inputs.astype(dtype), X[:, 3]), kind, opset)
        model = hermetic.compile(one, inputs.astype(dtype), public=["imputer"])
        client, result = encrypted(model, inputs[::9])
        assert np.abs(client.predict(result) - asked(one, inputs[::9])[0]).max() <= model.signature.error


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 12])
def test_axes_that_are_attributes_are_read(opset: int) -> None:
    """Later opsets have them as inputs."""
    nodes = [
        node("Unsqueeze", "x", "a", axes=[1]),
        node("Squeeze", "a", "b", axes=[1]),
        node("Reshape", "b s", "c"),
        node("ReduceMean", "c", "d", axes=[1], keepdims=1),
        node("ReduceSum", "d", "e", axes=[1], keepdims=0),
        node("MatMul", "e w"),
    ]
    weights = np.array([[1, -2, 3], [0.5, 4, -1]], dtype=np.float32)
    one = made(nodes, {"x": ["n", 4]}, {"s": np.array([-1, 2, 2]), "w": weights}, opset=opset)
    model = hermetic.compile(one, X)
    client, result = encrypted(model, X[::20])
    assert np.abs(client.predict(result) - asked(one, X[::20])[0]).max() <= model.signature.error


STACK = StackingRegressor([("a", Ridge()), ("b", Lasso(0.1))], Ridge(), cv=2)


@pytest.mark.parametrize(
    ("estimator", "kind", "words"),
    [
        (
            BaggingRegressor(Ridge(), 3),
            FloatTensorType,
            r"\(1, 13, 1\) for 13 samples: let them stay.*converted, compile",
        ),
        (
            STACK,
            Int64TensorType,
            r"\(Cast\), before .* is not affine: it cuts off .* float32; .* converted, compile that",
        ),
    ],
)
def test_what_converters_write_in_no_affine_way_is_refused_with_advice_that_works(
    estimator: BaseEstimator, kind: type, words: str
) -> None:
    """A mean over samples that were moved; and reals between estimators that are cut off, where inputs are whole."""
    whole = np.rint(10 * X)
    estimator.fit(whole, X[:, 0] + X[:, 2])
    with pytest.raises(hermetic.UnsupportedModelError, match=words):
        hermetic.compile(converted(estimator, kind, 18), whole)
    assert hermetic.compile(estimator, whole)
    if kind is Int64TensorType:
        assert hermetic.compile(converted(estimator, FloatTensorType, 18), whole)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (
            SVC(kernel="linear"),
            r"\(SVMClassifier\) is not affine.*where a fitted estimator was converted",
        ),
        (SVR(kernel="rbf"), r"\(SVMRegressor\) is not affine.*compile that"),
        (OneVsRestClassifier(LinearSVC()), "let the model end with its scores; where a fitted estimator was converted"),
    ],
)
def test_what_is_not_read_names_its_node(estimator: BaseEstimator, words: str) -> None:
    one = converted(estimator.fit(X.astype(np.float32), KINDS), FloatTensorType, 18)
    with pytest.raises(hermetic.UnsupportedModelError, match=words):
        hermetic.compile(one, X)
