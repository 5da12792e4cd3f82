"""Linear classifiers"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UnsupportedModelError, WireError
from ...head import Head
from ...signature.labels import check_labels
from ..linear import LinearMap
from .registry import reads, refuse
from .regressors import coefficients

SCORES = "`decision_function`: scores, labels"
PROBABILITIES = f"{SCORES}, probabilities"

ABSENT_PRESENT = np.array([0, 1])
"""What each column of several labels holds."""


def labels_of(estimator: Any) -> npt.NDArray[Any]:
    """The classes.

    Raises
    ------
    UnsupportedModelError
        For labels that a signature cannot carry, and for several labels a sample.
    """
    labels = np.asarray(estimator.classes_)
    try:
        check_labels(labels)
    except WireError as error:
        raise UnsupportedModelError(
            f"class labels must be numbers, booleans, strings or None. Got dtype {labels.dtype} instead, such as "
            f"{labels.flat[0]!r}: fit the model on labels of one of these types."
        ) from error
    return labels


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
    return classifier(estimator, "logistic" if len(estimator.classes_) == 2 else "softmax")


@reads(
    "NearestCentroid",
    gives="`predict`: labels; with priors that differ, `predict_proba`: probabilities, labels",
    condition="`metric='euclidean'`",
)
def _nearest_centroid(estimator: Any) -> LinearMap:
    """|x - c|² without the |x|² that all classes share: the nearest has the largest 2·x·c - |c|².

    With priors that differ, each feature is first divided by its standard deviation within classes.
    """
    if estimator.metric != "euclidean":
        instead = "fit it again with metric='euclidean'"
        refuse("NearestCentroid", "have metric='euclidean'", f"metric={estimator.metric!r}", instead)
    centroids, labels = np.asarray(estimator.centroids_, dtype=np.float64), labels_of(estimator)
    priors = np.asarray(getattr(estimator, "class_prior_", np.full(len(labels), 1 / len(labels))))
    if np.isclose(priors, 1 / len(labels)).all():
        return LinearMap(2 * centroids, -(centroids**2).sum(axis=1), Head("predict", labels=labels))
    deviation = np.where(estimator.within_class_std_dev_ == 0, 1.0, estimator.within_class_std_dev_)
    scaled = centroids / deviation
    bias = 2 * np.log(priors) - (scaled**2).sum(axis=1)
    return LinearMap(2 * scaled / deviation, bias, Head("predict_proba", "softmax", labels))
