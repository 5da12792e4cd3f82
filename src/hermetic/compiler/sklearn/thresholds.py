"""Classifiers with a threshold of their own"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap, affine
from .classifiers import labels_of
from .registry import read_estimator, reads, refuse

GIVES = "`predict`: labels"
_CONDITION = "of a classifier of two classes with a linear score; the threshold stays private"
_ROUNDINGS = 8 * 2.0**-53


@reads("FixedThresholdClassifier", gives=GIVES, condition=_CONDITION)
def _fixed(estimator: Any) -> LinearMap:
    inner, threshold = getattr(estimator, "estimator_", estimator.estimator), estimator.threshold
    if threshold == "auto":
        threshold = 0.5 if _by_probability(estimator, inner) else 0.0
    return _shifted(estimator, inner, float(threshold), estimator.pos_label)


@reads("TunedThresholdClassifierCV", gives=GIVES, condition=_CONDITION)
def _tuned(estimator: Any) -> LinearMap:
    positive = estimator._curve_scorer._get_pos_label()
    return _shifted(estimator, estimator.estimator_, float(estimator.best_threshold_), positive)


def _by_probability(estimator: Any, inner: Any) -> bool:
    return "predict_proba" in estimator._get_response_method() and hasattr(inner, "predict_proba")


def _shifted(estimator: Any, inner: Any, threshold: float, positive: Any) -> LinearMap:
    """The score, moved so that its sign chooses the label."""
    name, labels, part = type(estimator).__name__, labels_of(inner), read_estimator(inner)
    by_probability = _by_probability(estimator, inner)
    score = _one_score(name, part, by_probability=by_probability)
    rounding = 0.0
    if by_probability:
        threshold, rounding = _on_scores(name, part.head.link, threshold)
    shift = threshold if positive is not None and positive == labels[0] else -threshold
    head = LinearMap(np.eye(1), np.array([shift]), Head("predict", labels=labels, squeeze=True), own_error=rounding)
    return head.after(score)


def _one_score(name: str, part: LinearMap, *, by_probability: bool) -> LinearMap:
    """The score of the second class, without the first's."""
    binary, outputs = part.head.labels is not None and len(part.head.labels) == 2, len(part.bias)
    if binary and outputs == 1 and (by_probability or part.head.method == "decision_function"):
        return part
    if not (binary and outputs == 2 and by_probability and part.head.link in ("softmax", "mean_softmax")):
        got = "several, or none" if part.head.link is None else f"{outputs} with the link {part.head.link}"
        instead = "use LogisticRegression, or response_method='decision_function' with LinearSVC"
        refuse(name, "have a classifier of two classes with one linear score", got, instead)
    return affine(np.array([[-1.0, 1.0]])).after(part)


def _on_scores(name: str, link: str | None, threshold: float) -> tuple[float, float]:
    """A threshold of probabilities as one of scores, and how far rounded probabilities may move it."""
    if not 0 < threshold < 1:
        instead = "others give one label to all: fit it again"
        refuse(name, "have a threshold of probabilities between 0 and 1", f"{threshold:g}", instead)
    if link == "modified_huber":
        return 2 * threshold - 1, _ROUNDINGS
    if link not in ("logistic", "mean_logistic", "softmax", "mean_softmax"):
        refuse(name, "have a classifier with probabilities of its score", link, "use LogisticRegression")
    return math.log(threshold / (1 - threshold)), _ROUNDINGS / (threshold * (1 - threshold))
