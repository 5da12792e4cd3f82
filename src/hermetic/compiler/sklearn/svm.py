"""Support vector machines with a linear kernel"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from ...arrays import Reals
from ...head import Head
from ..linear import LinearMap, affine
from .classifiers import SCORES, labels_of
from .registry import reads, refuse
from .regressors import GIVES

LINEAR = "`kernel='linear'`"


@reads("NuSVR", "SVR", gives=GIVES, condition=LINEAR)
def _regressor(estimator: Any) -> LinearMap:
    check_kernel(estimator)
    if not len(estimator.support_):
        return LinearMap(np.zeros((1, estimator.n_features_in_)), estimator.intercept_, Head("predict", squeeze=True))
    head = LinearMap(dense(estimator.dual_coef_), estimator.intercept_, Head("predict", squeeze=True))
    return head.after(affine(dense(estimator.support_vectors_)))


@reads("NuSVC", "SVC", gives=SCORES, condition=f"{LINEAR}; more than two classes: pairwise scores, and votes on them")
def _classifier(estimator: Any) -> LinearMap:
    check_kernel(estimator)
    name, labels = type(estimator).__name__, labels_of(estimator)
    if getattr(estimator, "probability", False) is True:
        instead = "set it to False, or fit CalibratedClassifierCV on a linear kernel for probabilities"
        refuse(name, "have probability=False", "probability=True", instead)
    vectors = affine(dense(estimator.support_vectors_))
    if len(labels) == 2:
        dual = dense(estimator.dual_coef_)
        return LinearMap(dual, estimator.intercept_, Head("decision_function", labels=labels, squeeze=True)).after(
            vectors
        )
    if estimator.decision_function_shape == "ovo":
        own = np.asarray(estimator.intercept_)
        return LinearMap(_pairwise(estimator), own, Head("decision_function", "pairs", labels)).after(vectors)
    link = "one_vs_one" if estimator.break_ties else "votes"
    bias = -np.asarray(estimator.intercept_)
    return LinearMap(-_pairwise(estimator), bias, Head("decision_function", link, labels)).after(vectors)


def _pairwise(estimator: Any) -> Reals:
    """The coefficients of the support vectors for every pair of classes, by libsvm's layout of ``dual_coef_``."""
    dual, ends = dense(estimator.dual_coef_), np.cumsum(estimator.n_support_)
    of_class = [slice(end - count, end) for end, count in zip(ends, estimator.n_support_, strict=True)]
    pairs = list(combinations(range(len(of_class)), 2))
    rows = np.zeros((len(pairs), dual.shape[1]))
    for row, (i, j) in zip(rows, pairs, strict=True):
        row[of_class[i]] = dual[j - 1, of_class[i]]
        row[of_class[j]] = dual[i, of_class[j]]
    return rows


def check_kernel(estimator: Any) -> None:
    if estimator.kernel != "linear":
        instead = "fit it again with kernel='linear'"
        refuse(type(estimator).__name__, "have kernel='linear'", f"kernel={estimator.kernel!r}", instead)


def dense(matrix: Any) -> Reals:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)
