"""Linear classifiers"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...errors import UnsupportedModelError, WireError
from ...head import Head
from ...signature.labels import check_labels
from ..linear import LinearMap
from .registry import check_finite, reads, refuse
from .regressors import coefficients

SCORES = "`decision_function`: scores, labels"
PROBABILITIES = f"{SCORES}, probabilities"

_CONSTANT = "its answer is the same for every input, so nothing needs computing: fit it on samples of another class too"

ABSENT_PRESENT = np.array([0, 1])
"""What each column of several labels holds."""


def labels_of(estimator: Any) -> npt.NDArray[Any]:
    """The classes.

    Raises
    ------
    UnsupportedModelError
        For labels that a signature cannot carry, and for a single class.
    """
    labels = np.asarray(estimator.classes_)
    try:
        check_labels(labels)
    except WireError as error:
        raise UnsupportedModelError(
            f"class labels must be numbers, booleans, strings or None. Got dtype {labels.dtype} instead, such as "
            f"{labels.flat[0]!r}: fit the model on labels of one of these types."
        ) from error
    if len(labels) < 2:
        only = f"the one class {labels.tolist()[0]!r}" if len(labels) else "none"
        refuse(type(estimator).__name__, "be fitted on two classes or more", only, _CONSTANT)
    return labels


def log_priors(estimator: Any, priors: Any) -> npt.NDArray[np.float64]:
    """The logarithms of the probabilities of classes (k,). Raises UnsupportedModelError where one of them is 0."""
    with np.errstate(divide="ignore"):
        return checked_log_priors(estimator, np.log(np.asarray(priors, dtype=np.float64)))


def checked_log_priors(estimator: Any, logs: Any) -> npt.NDArray[np.float64]:
    """The same, from logarithms that the estimator keeps."""
    instead = "fit it again with priors above 0, and without the classes that never occur"
    check_finite(type(estimator).__name__, "logarithms of the classes' priors", logs, instead)
    return np.asarray(logs, dtype=np.float64)


def classifier(estimator: Any, link: str | None = None) -> LinearMap:
    """coef_, intercept_ and classes_ as a map to the scores of ``decision_function``."""
    weights, bias = coefficients(estimator)
    return LinearMap(weights, bias, Head("decision_function", link, labels_of(estimator), squeeze=len(weights) == 1))


@reads("LinearSVC", "PassiveAggressiveClassifier", "Perceptron", gives=SCORES)
def _without_probabilities(estimator: Any) -> LinearMap:
    return classifier(estimator)


@reads("RidgeClassifier", "RidgeClassifierCV", gives=SCORES, condition="several labels too")
def _ridge_classifier(estimator: Any) -> LinearMap:
    if not estimator._label_binarizer.y_type_.startswith("multilabel"):
        return classifier(estimator)
    return LinearMap(*coefficients(estimator), Head("decision_function", "multilabel", ABSENT_PRESENT))


@reads("LogisticRegression", "LogisticRegressionCV", gives=PROBABILITIES)
def _logistic_regression(estimator: Any) -> LinearMap:
    """Two classes have the logistic link, more softmax; until scikit-learn 1.7, one-versus-rest was an option."""
    strategy = estimator.get_params().get("multi_class")
    one_vs_rest = strategy == "ovr" or (strategy in ("auto", "deprecated") and estimator.solver == "liblinear")
    binary = len(estimator.classes_) == 2
    return classifier(estimator, "logistic" if binary or one_vs_rest else "softmax")


@reads("SGDClassifier", gives=PROBABILITIES, condition="probabilities for the losses `log_loss` and `modified_huber`")
def _sgd_classifier(estimator: Any) -> LinearMap:
    links = {"log_loss": "logistic", "modified_huber": "modified_huber"}
    return classifier(estimator, links.get(estimator.loss))


@reads("LinearDiscriminantAnalysis", gives=PROBABILITIES, condition="before a model: `transform`")
def _linear_discriminant_analysis(estimator: Any) -> LinearMap:
    log_priors(estimator, estimator.priors_)  # a class that never occurs has an infinite intercept
    return classifier(estimator, "logistic" if len(estimator.classes_) == 2 else "softmax")


@reads(
    "NearestCentroid",
    gives="`predict`: labels; with priors that differ, `predict_proba`: probabilities, labels",
    condition="`metric='euclidean'`",
)
def _nearest_centroid(estimator: Any) -> LinearMap:
    """With priors that differ, each feature is first divided by its standard deviation within classes."""
    if estimator.metric != "euclidean":
        instead = "fit it again with metric='euclidean'"
        refuse("NearestCentroid", "have metric='euclidean'", f"metric={estimator.metric!r}", instead)
    centroids, labels = np.asarray(estimator.centroids_, dtype=np.float64), labels_of(estimator)
    priors = np.asarray(getattr(estimator, "class_prior_", np.full(len(labels), 1 / len(labels))))
    if np.isclose(priors, 1 / len(labels)).all():
        return nearest_of(centroids, labels)
    deviation = np.where(estimator.within_class_std_dev_ == 0, 1.0, estimator.within_class_std_dev_)
    scaled = centroids / deviation
    nearest = nearest_of(scaled, labels)
    return replace(
        nearest,
        weights=nearest.weights / deviation,
        reach=nearest.terms / deviation,
        bias=nearest.bias + 2 * log_priors(estimator, priors),
        head=Head("predict_proba", "softmax", labels),
    )


def nearest_of(centres: Reals, labels: npt.NDArray[Any]) -> LinearMap:
    """The label of the nearest centre c (k, d): that of the largest 2·x·c - |c|², which is |x - c|² without the |x|²
    that all share, and with the sign changed. Far from 0 they share more: 2·x·m - |m|² of the mean m of centres is
    left out too. The estimator rounds all of it.
    """
    middle = centres.mean(axis=0)
    moved = centres - middle
    return LinearMap(
        2 * moved,
        -(moved * (centres + middle)).sum(axis=1),
        Head("predict", labels=labels),
        reach=2 * np.abs(centres),
        folded=(centres**2).sum(axis=1),
    )
