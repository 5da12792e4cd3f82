"""Naive Bayes on counts and categories"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...features import Bins, Categories, FeatureMap
from ...head import Head
from ..disclosure import Disclosure
from ..linear import LinearMap, affine
from .classifiers import checked_log_priors, labels_of
from .encoders import above_threshold
from .registry import check_finite, reads

_GIVES = "`predict_joint_log_proba`: log joint probabilities, labels, probabilities"
_METHOD = "predict_joint_log_proba"


def _logarithms(estimator: Any, tables: Any) -> Any:
    """Log probabilities of the inputs' values. Raises UnsupportedModelError where one of them is 0."""
    instead = "fit it again with alpha=1, so that what never occurred in a class has a probability too"
    check_finite(type(estimator).__name__, "log probabilities", tables, instead)
    return tables


@reads("MultinomialNB", gives=_GIVES)
def _multinomial(estimator: Any) -> LinearMap:
    bias = checked_log_priors(estimator, estimator.class_log_prior_)
    return LinearMap(
        _logarithms(estimator, estimator.feature_log_prob_), bias, Head(_METHOD, "softmax", labels_of(estimator))
    )


@reads("ComplementNB", gives=_GIVES)
def _complement(estimator: Any) -> LinearMap:
    """Priors count for a single class alone."""
    weights = _logarithms(estimator, estimator.feature_log_prob_)
    return LinearMap(weights, np.zeros(len(weights)), Head(_METHOD, "softmax", labels_of(estimator)))


@reads("BernoulliNB", gives=_GIVES, condition="the threshold becomes public, unless `binarize=None`")
def _bernoulli(estimator: Any) -> LinearMap:
    """Inputs of 0 have log(1 - p), those of 1 log(p)."""
    positive = _logarithms(estimator, estimator.feature_log_prob_)
    with np.errstate(divide="ignore"):
        negative = _logarithms(estimator, np.log(1 - np.exp(positive)))
    bias = checked_log_priors(estimator, estimator.class_log_prior_) + negative.sum(axis=1)
    # Each is a sum of two products as large as these.
    both = affine(np.vstack([np.eye(positive.shape[1])] * 2))
    head = LinearMap(np.hstack([positive, -negative]), bias, Head(_METHOD, "softmax", labels_of(estimator))).after(both)
    if estimator.binarize is None:
        return head
    return head.after(above_threshold(estimator, positive.shape[1], estimator.binarize))


@reads("CategoricalNB", gives=_GIVES, condition="how many categories inputs have becomes public: see `min_categories`")
def _categorical(estimator: Any) -> LinearMap:
    """The log probability of each category, picked by one of 0 and 1 for each; others were never seen."""
    tables = estimator.feature_log_prob_
    counts = [table.shape[1] for table in tables]
    least = 0 if estimator.min_categories is None else np.asarray(estimator.min_categories)
    chosen = bool((np.asarray(counts) <= least).all())
    known = Disclosure("categoricalnb", f"how many categories each of {len(counts)} inputs has", learned=not chosen)
    return LinearMap(
        _logarithms(estimator, np.concatenate(tables, axis=1)),
        checked_log_priors(estimator, estimator.class_log_prior_),
        Head(_METHOD, "softmax", labels_of(estimator)),
        feature_map=FeatureMap(
            Bins([np.arange(1.0, count) for count in counts]),
            categories={i: Categories(range(count)) for i, count in enumerate(counts)},
        ),
        public=(known,),
    )
