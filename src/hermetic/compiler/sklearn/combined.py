"""Estimators made of estimators"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap, affine
from ..stacked import stacked
from .classifiers import ABSENT_PRESENT, labels_of
from .registry import read_estimator, read_step, reads, refuse

_AS_INNER = "as the inner estimator"
_OF_LINEAR = "of supported linear regressions"


@reads(
    "FrozenEstimator",
    gives=_AS_INNER,
    condition="of a supported estimator",
)
def _frozen(wrapper: Any) -> LinearMap:
    return read_estimator(wrapper.estimator)


@reads(
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    gives="as the best estimator",
    condition="`refit`, of a supported estimator",
)
def _search(search: Any) -> LinearMap:
    return read_estimator(search.best_estimator_)


@reads(
    "OneVsRestClassifier",
    gives="`decision_function`: scores, labels; probabilities of logistic parts",
    condition="several labels too",
)
def _one_vs_rest(estimator: Any) -> LinearMap:
    parts = _binary_parts(estimator, estimator.estimators_)
    links = {part.head.link for part in parts}
    if links - {None, "logistic"}:
        refuse("OneVsRestClassifier", "have parts with logistic probabilities, or none", str(links), "fit other parts")
    joined, link = stacked(parts), next(iter(links))
    if estimator.multilabel_:
        link = "multilabel" if link is None else "multilabel_logistic"
        return replace(joined, head=Head("decision_function", link, ABSENT_PRESENT))
    return replace(joined, head=Head("decision_function", link, labels_of(estimator), squeeze=len(parts) == 1))


@reads("OneVsOneClassifier", gives="`decision_function`: votes and confidences, labels", condition="3 classes or more")
def _one_vs_one(estimator: Any) -> LinearMap:
    labels = labels_of(estimator)
    if len(labels) < 3:
        refuse("OneVsOneClassifier", "have 3 classes or more", f"{len(labels)}", "fit its inner estimator alone")
    joined = stacked(_binary_parts(estimator, estimator.estimators_))
    return replace(joined, head=Head("decision_function", "one_vs_one", labels))


@reads("CalibratedClassifierCV", gives="`predict_proba`: probabilities, labels", condition="`method='sigmoid'`")
def _calibrated(estimator: Any) -> LinearMap:
    """Each fold has scores s and learned a, b for every class, and gives the logistic function of -(a·s + b)."""
    if estimator.method != "sigmoid":
        instead = "fit it again with method='sigmoid'"
        refuse("CalibratedClassifierCV", "have method='sigmoid'", f"method={estimator.method!r}", instead)
    labels, folds = labels_of(estimator), []
    for fold in estimator.calibrated_classifiers_:
        part = read_estimator(fold.estimator)
        same = part.head.labels is not None and np.array_equal(part.head.labels, labels)
        if part.head.method != "decision_function" or not same or part.head.link in ("votes", "one_vs_one"):
            instead = "use another, such as LogisticRegression or LinearSVC, and more samples of every class"
            refuse("CalibratedClassifierCV", "have estimators with linear scores of all classes", "another", instead)
        a = np.array([one.a_ for one in fold.calibrators])
        b = np.array([one.b_ for one in fold.calibrators])
        folds.append(affine(-np.diag(a), -b).after(part))
    return replace(stacked(folds), head=Head("predict_proba", "mean_logistic", labels))


@reads("MultiOutputRegressor", gives="`predict`: values", condition=_OF_LINEAR)
def _multi_output(estimator: Any) -> LinearMap:
    return replace(stacked(_values(estimator, estimator.estimators_)), head=Head("predict"))


@reads("MultiOutputClassifier", gives="`predict`: labels of every output", condition="the same two labels in each")
def _multi_output_classifier(estimator: Any) -> LinearMap:
    parts = _binary_parts(estimator, estimator.estimators_)
    labels = [one.head.labels.tolist() for one in parts if one.head.labels is not None]
    if len(parts) < 2 or any(one != labels[0] for one in labels):
        instead = "compile one model an output"
        refuse("MultiOutputClassifier", "have two outputs or more, of the same two labels each", str(labels), instead)
    return replace(stacked(parts), head=Head("predict", "multilabel", parts[0].head.labels))


@reads("VotingRegressor", gives="`predict`: values", condition=_OF_LINEAR)
def _voting(estimator: Any) -> LinearMap:
    parts = stacked(_values(estimator, estimator.estimators_))
    weights = estimator._weights_not_none
    shares = np.ones(len(parts.bias)) if weights is None else np.asarray(weights, dtype=np.float64)
    return LinearMap((shares / shares.sum())[None], np.zeros(1), Head("predict", squeeze=True)).after(parts)


@reads("StackingRegressor", gives="`predict`: values", condition=_OF_LINEAR)
def _stacking(estimator: Any) -> LinearMap:
    parts = _values(estimator, estimator.estimators_)
    if estimator.passthrough:
        parts.append(affine(np.eye(parts[0].inputs)))
    (final,) = _values(estimator, [estimator.final_estimator_])
    return final.after(stacked(parts))


@reads(
    "TransformedTargetRegressor",
    gives="`predict`: values",
    condition="of supported linear regressions, with `func=None` and an affine `transformer` such as StandardScaler",
)
def _transformed_target(estimator: Any) -> LinearMap:
    (inner,) = _values(estimator, [estimator.regressor_])
    if estimator.func is not None or estimator.inverse_func is not None:
        instead = "pass an affine transformer=, or a TweedieRegressor for a log link"
        refuse("TransformedTargetRegressor", "have func=None", "a function", instead)
    step = None if estimator.transformer is None else read_step("transformer", estimator.transformer_)
    if step is None:
        return inner
    forward, shift = step.dense().weights, step.bias
    if not np.array_equal(forward, np.diag(np.diag(forward))):
        refuse("TransformedTargetRegressor", "scale each target", type(estimator.transformer_).__name__, "use a scaler")
    scale = 1 / np.diag(forward)
    return LinearMap(np.diag(scale), -shift * scale, Head("predict", squeeze=inner.head.squeeze)).after(inner)


def _binary_parts(estimator: Any, parts: Any) -> list[LinearMap]:
    """Binary classifiers with one score each."""
    maps = [read_estimator(one) for one in parts]
    for one, part in zip(maps, parts, strict=True):
        if one.head.method != "decision_function" or len(one.bias) != 1:
            kind = type(estimator).__name__
            refuse(
                kind, "have parts with a decision_function", type(part).__name__, "use LogisticRegression or LinearSVC"
            )
    return maps


def _values(estimator: Any, parts: Any) -> list[LinearMap]:
    """Regressions without a link; those of one target alone."""
    maps = [read_estimator(one) for one in parts]
    for one, part in zip(maps, parts, strict=True):
        if one.head.method != "predict" or one.head.link is not None or one.head.labels is not None:
            kind = type(estimator).__name__
            refuse(kind, "have parts whose predict is linear", type(part).__name__, "use Ridge or LinearRegression")
    return maps
