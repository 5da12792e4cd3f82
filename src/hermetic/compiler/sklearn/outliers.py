"""Outliers by a linear score"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap, affine
from .registry import reads
from .svm import LINEAR, check_kernel, dense

GIVES = "`decision_function`: scores, 1 for inliers and -1 for outliers"


@reads("OneClassSVM", gives=GIVES, condition=LINEAR)
def _one_class(estimator: Any) -> LinearMap:
    check_kernel(estimator)
    labels, dual = np.array([-1, 1], dtype=np.intp), dense(estimator.dual_coef_)
    head = LinearMap(dual, estimator.intercept_, Head("decision_function", labels=labels, squeeze=True))
    return head.after(affine(dense(estimator.support_vectors_)))


@reads("SGDOneClassSVM", gives=GIVES)
def _one_class_by_gradients(estimator: Any) -> LinearMap:
    weights, bias = np.atleast_2d(dense(estimator.coef_)), -np.asarray(estimator.offset_, dtype=np.float64)
    return LinearMap(weights, bias, Head("decision_function", labels=np.array([-1, 1], dtype=np.int32), squeeze=True))
