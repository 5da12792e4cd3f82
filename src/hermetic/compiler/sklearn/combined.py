"""Estimators made of estimators"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap, affine
from ..side_by_side import side_by_side
from .classifiers import ABSENT_PRESENT, labels_of
from .precision import after, taking
from .registry import of_numbers, read_estimator, reads, refuse

_AS_INNER = "as the inner estimator"
OF_LINEAR = "of supported linear regressions"


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
    if not search.refit:
        instead = "fit it again with refit=True, or compile an estimator that you fit with best_params_"
        refuse(type(search).__name__, "have a best estimator", f"refit={search.refit!r}", instead)
    return read_estimator(search.best_estimator_)


@reads(
    "OneVsRestClassifier",
    gives="`decision_function`: scores, labels; probabilities of logistic parts",
    condition="several labels too",
)
def _one_vs_rest(estimator: Any) -> LinearMap:
    _check_labels_vary(estimator)
    parts = binary_parts(estimator, estimator.estimators_)
    links = {part.head.link for part in parts}
    if links - {None, "logistic"}:
        instead = "use LogisticRegression or LinearSVC"
        refuse("OneVsRestClassifier", "have parts with logistic probabilities, or none", str(links), instead)
    joined, link = side_by_side(parts), next(iter(links))
    if estimator.multilabel_:
        link = "multilabel" if link is None else "multilabel_logistic"
        return replace(joined, head=Head("decision_function", link, ABSENT_PRESENT))
    return replace(joined, head=Head("decision_function", link, labels_of(estimator), squeeze=len(parts) == 1))


@reads("OneVsOneClassifier", gives="`decision_function`: votes and confidences, labels", condition="3 classes or more")
def _one_vs_one(estimator: Any) -> LinearMap:
    labels = labels_of(estimator)
    if len(labels) < 3:
        refuse("OneVsOneClassifier", "have 3 classes or more", f"{len(labels)}", "fit its inner estimator alone")
    joined = side_by_side(binary_parts(estimator, estimator.estimators_))
    return replace(joined, head=Head("decision_function", "one_vs_one", labels))


@reads("SelfTrainingClassifier", gives=_AS_INNER, condition="of a supported classifier")
def _self_training(wrapper: Any) -> LinearMap:
    return read_estimator(wrapper.estimator_)


@reads(
    "CalibratedClassifierCV",
    gives="`predict_proba`: probabilities, labels",
    condition="`method='sigmoid'` or `'temperature'`",
)
def _calibrated(estimator: Any) -> LinearMap:
    """The mean over folds of probabilities of scores that each fold scaled, and moved."""
    method = estimator.method
    if method not in ("sigmoid", "temperature"):
        instead = "fit it again with one of these"
        refuse("CalibratedClassifierCV", "have method='sigmoid' or 'temperature'", f"method={method!r}", instead)
    labels, folds = labels_of(estimator), []
    for fold in estimator.calibrated_classifiers_:
        part = read_estimator(fold.estimator)
        # With temperatures, names of classes are numbered before.
        known = (labels, np.arange(len(labels))) if method == "temperature" else (labels,)
        same = part.head.labels is not None and any(np.array_equal(part.head.labels, one) for one in known)
        if not same or not _has_scores(part):
            instead = "use another, such as LogisticRegression or LinearSVC, and more samples of every class"
            refuse("CalibratedClassifierCV", "have estimators with linear scores of all classes", "another", instead)
        scaled = _by_sigmoid(fold) if method == "sigmoid" else _by_temperature(fold, len(part.bias))
        folds.append(scaled.after(part))
    link = "mean_logistic" if method == "sigmoid" or len(labels) == 2 else "mean_softmax"
    return replace(side_by_side(folds), head=Head("predict_proba", link, labels))


def _by_sigmoid(fold: Any) -> LinearMap:
    """Learned a, b for every class: the logistic function is that of -(a·s + b)."""
    a = np.array([calibrator.a_ for calibrator in fold.calibrators])
    b = np.array([calibrator.b_ for calibrator in fold.calibrators])
    return affine(-np.diag(a), -b)


def _by_temperature(fold: Any, outputs: int) -> LinearMap:
    """One learned factor beta: softmax of beta·s; one score stands for (-s, s), which are 2·s apart."""
    factor = float(fold.calibrators[0].beta_) * (2.0 if outputs == 1 else 1.0)
    return affine(factor * np.eye(outputs))


def _has_scores(part: LinearMap) -> bool:
    """Whether a classifier's ``decision_function`` is what the scores are."""
    return part.head.method == "decision_function" and part.head.link not in ("votes", "one_vs_one")


@reads("MultiOutputRegressor", gives="`predict`: values", condition=OF_LINEAR)
def _multi_output(estimator: Any) -> LinearMap:
    return replace(side_by_side(values_of(estimator, estimator.estimators_)), head=Head("predict"))


@reads("MultiOutputClassifier", gives="`predict`: labels of every output", condition="the same two labels in each")
def _multi_output_classifier(estimator: Any) -> LinearMap:
    parts = binary_parts(estimator, estimator.estimators_)
    check_same_labels("MultiOutputClassifier", parts)
    return replace(side_by_side(parts), head=Head("predict", "multilabel", parts[0].head.labels))


def check_same_labels(kind: str, parts: Sequence[LinearMap], *, fit: bool = True) -> None:
    """Refuse classifiers that are not two or more, of the same labels, or do not ``fit`` together otherwise."""
    labels = [one.head.labels.tolist() for one in parts if one.head.labels is not None]
    if len(parts) < 2 or any(label != labels[0] for label in labels) or not fit:
        must = "have two outputs or more, of the same two labels each"
        refuse(kind, must, str(labels), "compile one model an output")


@reads("StackingRegressor", gives="`predict`: values", condition=OF_LINEAR)
def _stacking(estimator: Any) -> LinearMap:
    parts = values_of(estimator, estimator.estimators_)
    with taking(_below(estimator, parts)):
        (final,) = values_of(estimator, [estimator.final_estimator_])
    return _stacked_under(final, estimator, parts)


@reads(
    "StackingClassifier",
    gives="as its final estimator",
    condition="`stack_method='decision_function'`, of classifiers with linear scores",
)
def _stacking_classifier(estimator: Any) -> LinearMap:
    methods = set(estimator.stack_method_) - {"decision_function"}
    if methods:
        instead = "fit it again with that: what other methods give is not linear in the inputs"
        refuse("StackingClassifier", "have stack_method='decision_function'", ", ".join(sorted(methods)), instead)
    parts, labels = [read_estimator(one) for one in estimator.estimators_], labels_of(estimator)
    if not all(map(_has_scores, parts)):
        refuse("StackingClassifier", "have parts with linear scores", "votes of pairs", "use LinearSVC in place of SVC")
    with taking(_below(estimator, parts)):
        final = read_estimator(estimator.final_estimator_)
    if final.head.labels is None or not np.array_equal(final.head.labels, np.arange(len(labels))):
        refuse("StackingClassifier", "end with a classifier of all classes", "another", "use LogisticRegression")
    return replace(_stacked_under(final, estimator, parts), head=replace(final.head, labels=labels))


def _below(estimator: Any, parts: list[LinearMap]) -> Any:
    """The example row that the final estimator takes."""
    return after(estimator, sum(len(one.bias) for one in parts) + parts[0].inputs * bool(estimator.passthrough))


def _stacked_under(final: LinearMap, estimator: Any, parts: list[LinearMap]) -> LinearMap:
    """The final map of the values of the parts, and of the inputs where these are passed through."""
    fitted = [one for one in estimator.estimators_ if not isinstance(one, str)]
    below = [kept_private(part, one) for part, one in zip(parts, fitted, strict=True)]
    if estimator.passthrough:
        below.append(affine(np.eye(parts[0].inputs)))
    return final.after(side_by_side(below))


def kept_private(part: LinearMap, estimator: Any) -> LinearMap:
    """A part that others follow: were it to become public, because one of them is not linear, its own name is needed
    beside those of its steps.
    """
    own = of_numbers(part, type(estimator).__name__.lower())
    return replace(part, hidden=(*part.hidden, own))


def _check_labels_vary(estimator: Any) -> None:
    """Refuse labels that all samples of the training data had, or none: scikit-learn keeps a constant for each."""
    constants = [i for i, one in enumerate(estimator.estimators_) if type(one).__name__ == "_ConstantPredictor"]
    if constants:
        got = f"label {labels_of(estimator).tolist()[constants[0]]!r}, which all samples had, or none"
        instead = "its answer is the same for every input: fit it without that column"
        refuse("OneVsRestClassifier", "be fitted on labels that vary", got, instead)


def binary_parts(estimator: Any, parts: Any) -> list[LinearMap]:
    """Binary classifiers with one score each."""
    maps, kind = [read_estimator(one) for one in parts], type(estimator).__name__
    for number, (one, part) in enumerate(zip(maps, parts, strict=True)):
        name = type(part).__name__
        if one.head.labels is not None and len(one.head.labels) != 2:
            instead = f"compile one model an output, such as estimators_[{number}]"
            refuse(kind, "have parts of two classes", f"{name} of {len(one.head.labels)}", instead)
        if one.head.method != "decision_function" or one.raw_scores is not None or len(one.bias) != 1:
            refuse(kind, "have parts with a decision_function", name, "use LogisticRegression or LinearSVC")
    return maps


def values_of(estimator: Any, parts: Any) -> list[LinearMap]:
    """Regressions without a link; those of one target alone."""
    maps = [read_estimator(one) for one in parts]
    for one, part in zip(maps, parts, strict=True):
        if one.head.method != "predict" or one.head.link is not None or one.head.labels is not None:
            kind = type(estimator).__name__
            refuse(kind, "have parts whose predict is linear", type(part).__name__, "use Ridge or LinearRegression")
    return maps
