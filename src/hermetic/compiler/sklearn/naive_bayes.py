"""Naive Bayes on counts"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..linear import LinearMap, affine
from .classifiers import labels_of
from .registry import reads, refuse

_GIVES = "`predict_joint_log_proba`: log joint probabilities, labels, probabilities"
_METHOD = "predict_joint_log_proba"


@reads("MultinomialNB", gives=_GIVES)
def _multinomial(estimator: Any) -> LinearMap:
    bias = np.asarray(estimator.class_log_prior_)
    return LinearMap(estimator.feature_log_prob_, bias, _METHOD, "softmax", labels_of(estimator))


@reads("ComplementNB", gives=_GIVES)
def _complement(estimator: Any) -> LinearMap:
    """Priors count for a single class alone."""
    weights = estimator.feature_log_prob_
    return LinearMap(weights, np.zeros(len(weights)), _METHOD, "softmax", labels_of(estimator))


@reads("BernoulliNB", gives=_GIVES, condition="`binarize=None`, which inputs of 0 and 1 need")
def _bernoulli(estimator: Any) -> LinearMap:
    """Inputs of 0 have log(1 - p), those of 1 log(p)."""
    if estimator.binarize is not None:
        instead = "set it to None, and compile with inputs of 0 and 1"
        refuse("BernoulliNB", "have binarize=None: a threshold is not linear", f"{estimator.binarize!r}", instead)
    positive = estimator.feature_log_prob_
    with np.errstate(divide="ignore"):
        negative = np.log(1 - np.exp(positive))
    bias = np.asarray(estimator.class_log_prior_) + negative.sum(axis=1)
    # Each is a sum of two products as large as these.
    both = affine(np.vstack([np.eye(positive.shape[1])] * 2))
    head = LinearMap(np.hstack([positive, -negative]), bias, _METHOD, "softmax", labels_of(estimator))
    return head.after(both)
