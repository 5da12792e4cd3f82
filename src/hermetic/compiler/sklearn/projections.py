"""Projections that are fitted with more than one matrix, as steps of pipelines"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..linear import LinearMap, affine
from .registry import reads_step, refuse
from .steps import centred, projected, scaled


@reads_step("CCA", "PLSCanonical", "PLSRegression", "PLSSVD")
def _partial_least_squares(step: Any) -> LinearMap:
    rotations = step.x_weights_ if type(step).__name__ == "PLSSVD" else step.x_rotations_
    return projected(rotations.T).after(scaled(1.0 / step._x_std)).after(centred(step._x_mean))


@reads_step("MiniBatchSparsePCA", "SparsePCA")
def _sparse_components(step: Any) -> LinearMap:
    """Ridge regression of inputs on the components C: (C·Cᵀ + alpha)⁻¹·C·(x - mean).

    The estimator solves this for every x. What that rounds is proportional to the inverse, to the matrix that is
    inverted, and to the solution: N. J. Higham, *Accuracy and stability of numerical algorithms*, theorem 10.4.
    """
    components = np.asarray(step.components_, dtype=np.float64)
    gram = components @ components.T + step.ridge_alpha * np.eye(len(components))
    try:
        inverse = np.linalg.inv(gram)
    except np.linalg.LinAlgError:
        instead = "fit it with fewer components, or with ridge_alpha above 0"
        refuse(type(step).__name__, "have components that do not depend on each other", "others", instead)
    weights = inverse @ components
    reach = np.abs(inverse) @ np.abs(gram) @ np.abs(inverse) @ np.abs(components)
    solved = replace(affine(weights), reach=len(components) * np.maximum(reach, np.abs(weights)))
    return solved.after(centred(step.mean_))


@reads_step("FeatureAgglomeration", condition="`pooling_func` is `np.mean` or `np.sum`")
def _pooled(step: Any) -> LinearMap:
    if step.pooling_func not in (np.mean, np.sum):
        got = getattr(step.pooling_func, "__name__", repr(step.pooling_func))
        refuse("FeatureAgglomeration", "pool by np.mean or np.sum", got, "fit it again with pooling_func=np.mean")
    groups, numbers = np.unique(step.labels_, return_inverse=True)
    members = np.eye(len(groups))[numbers].T
    return projected(members / members.sum(axis=1, keepdims=True) if step.pooling_func is np.mean else members)
