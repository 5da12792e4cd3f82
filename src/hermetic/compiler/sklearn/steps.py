"""Pipelines of affine steps

Matrices are sparse until they meet the model's weights: a scaler of 65,536 features has as many numbers, not their
square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse  # type: ignore[import-untyped]

from ...features import Chain, Clip, Elementwise, Scale
from ...features.elementwise import FUNCTIONS
from ..linear import LinearMap, affine
from ..stacked import stacked
from .public_steps import public_step
from .registry import read_estimator, read_step, reads, reads_step, refuse


def _scaled(scale: npt.ArrayLike, shift: npt.ArrayLike | None = None) -> LinearMap:
    """The step x -> scale·x + shift, both (d,)."""
    return affine(sparse.csr_array(sparse.diags_array(np.asarray(scale, dtype=np.float64))), shift)


def _centred(mean: npt.ArrayLike) -> LinearMap:
    shift = -np.asarray(mean, dtype=np.float64)
    return _scaled(np.ones(len(shift)), shift)


def _selected(columns: npt.ArrayLike, features: int) -> LinearMap:
    """The step that gives some of the features, by their numbers."""
    return affine(sparse.eye_array(features, format="csr")[np.asarray(columns, dtype=np.intp)])


def _projected(components: Any) -> LinearMap:
    """The step of components (m, d), dense or sparse."""
    return affine(sparse.csr_array(components, dtype=np.float64))


def _scaler(step: Any, **numbers: Any) -> LinearMap:
    """A scaler, also as a public block that rounds as it does; one that clips is always public."""
    d = step.n_features_in_
    block = Scale(d, **{name: one for name, one in numbers.items() if one is not None})
    scale = block.factor / block.divisor
    if not getattr(step, "clip", False):
        return replace(_scaled(scale, block.shift - block.centre * scale), block=block)
    low, high = getattr(step, "feature_range", (-1.0, 1.0))
    clipped = Chain(block, Clip(np.full(d, low), np.full(d, high)))
    return public_step(step, [clipped], (f"scales and shifts of {d} inputs", True))


@reads_step("StandardScaler")
def _standard_scaler(scaler: Any) -> LinearMap:
    return _scaler(
        scaler,
        centre=scaler.mean_ if scaler.with_mean else None,
        divisor=scaler.scale_ if scaler.with_std else None,
    )


@reads_step("MinMaxScaler", condition="with `clip=True`, scales become public: they need `public=`")
def _min_max_scaler(scaler: Any) -> LinearMap:
    return _scaler(scaler, factor=scaler.scale_, shift=scaler.min_)


@reads_step("MaxAbsScaler", condition="with `clip=True`, scales become public: they need `public=`")
def _max_abs_scaler(scaler: Any) -> LinearMap:
    return _scaler(scaler, divisor=scaler.scale_)


@reads_step("RobustScaler")
def _robust_scaler(scaler: Any) -> LinearMap:
    return _scaler(
        scaler,
        centre=scaler.center_ if scaler.with_centering else None,
        divisor=scaler.scale_ if scaler.with_scaling else None,
    )


@reads_step("IncrementalPCA", "PCA")
def _principal_components(pca: Any) -> LinearMap:
    projected = _projected(pca.components_).after(_centred(pca.mean_))
    if not pca.whiten:
        return projected
    deviation = np.sqrt(np.asarray(pca.explained_variance_))
    return _scaled(1.0 / np.maximum(deviation, np.finfo(deviation.dtype).eps)).after(projected)


@reads_step("FastICA")
def _independent_components(ica: Any) -> LinearMap:
    projected = _projected(ica.components_)
    return projected.after(_centred(ica.mean_)) if ica.whiten else projected


@reads_step("FactorAnalysis")
def _factor_analysis(analysis: Any) -> LinearMap:
    """The mean of the factors given x (Bishop, Pattern Recognition and Machine Learning, 12.2.4)."""
    loadings = np.asarray(analysis.components_, dtype=np.float64)
    weighted = loadings / analysis.noise_variance_
    covariance = np.linalg.inv(np.eye(len(loadings)) + weighted @ loadings.T)
    return _projected(covariance.T).after(_projected(weighted)).after(_centred(analysis.mean_))


@reads_step("GaussianRandomProjection", "NeighborhoodComponentsAnalysis", "SparseRandomProjection", "TruncatedSVD")
def _components(projection: Any) -> LinearMap:
    return _projected(projection.components_)


@reads_step("PLSSVD")
def _partial_least_squares_svd(step: Any) -> LinearMap:
    return _projected(step.x_weights_.T).after(_scaled(1.0 / step._x_std)).after(_centred(step._x_mean))


@reads_step("LinearDiscriminantAnalysis", condition="`solver` is `'svd'` or `'eigen'`")
def _discriminants(analysis: Any) -> LinearMap:
    if analysis.solver == "lsqr":
        instead = "fit it again with solver='svd'"
        refuse("LinearDiscriminantAnalysis", "have solver='svd' or 'eigen' to transform", "'lsqr'", instead)
    projected = _projected(analysis.scalings_.T[: analysis._max_components])
    return projected.after(_centred(analysis.xbar_)) if analysis.solver == "svd" else projected


@reads_step(
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)
def _selection(selector: Any) -> LinearMap:
    chosen = selector.get_support()
    return _selected(np.flatnonzero(chosen), len(chosen))


@reads_step("FunctionTransformer", condition=f"`func=None`, the identity, or one of NumPy's {', '.join(FUNCTIONS)}")
def _function(transformer: Any) -> LinearMap | None:
    if transformer.func is None:
        return None
    name = getattr(transformer.func, "__name__", repr(transformer.func))
    if transformer.kw_args or name not in FUNCTIONS or transformer.func is not getattr(np, name):
        instead = (
            "code does not travel in a signature. Apply it before, on both sides, or fit the estimator on "
            "features.apply(X) and pass features="
        )
        refuse(
            "FunctionTransformer",
            f"have func=None or one of NumPy's {', '.join(FUNCTIONS)}",
            f"func={name}{' with kw_args' if transformer.kw_args else ''}",
            instead,
        )
    return public_step(transformer, [Elementwise(transformer.n_features_in_, name)], (f"the function {name}", False))


@reads_step("Pipeline", condition="of these")
def _steps(pipeline: Any) -> LinearMap | None:
    return _chained(pipeline.steps)


@reads_step("FeatureUnion", condition="of these")
def _feature_union(union: Any) -> LinearMap:
    weights, d, parts = union.transformer_weights or {}, union.n_features_in_, []
    for name, step in union.transformer_list:
        if not (isinstance(step, str) and step == "drop"):
            parts.append(_weighted(read_step(name, step), d, weights.get(name, 1.0)))
    return _side_by_side(parts)


@reads_step("ColumnTransformer", condition="of these")
def _column_transformer(columns: Any) -> LinearMap:
    weights, d, parts = columns.transformer_weights or {}, columns.n_features_in_, []
    for name, step, _ in columns.transformers_:
        chosen = columns._transformer_to_input_indices[name]
        if len(chosen) and not (isinstance(step, str) and step == "drop"):
            part = _weighted(read_step(name, step), len(chosen), weights.get(name, 1.0))
            taken = replace(_selected(chosen, d), uses=np.isin(np.arange(d), chosen))
            parts.append(part.after(taken))
    return _side_by_side(parts)


@reads("Pipeline", gives="as its last step", condition="of affine steps and a supported estimator")
def _pipeline(pipeline: Any) -> LinearMap:
    *steps, (name, last) = pipeline.steps
    if last is None or isinstance(last, str):
        refuse("a pipeline", "end with an estimator", f"{last!r} as step {name!r}", "leave it out")
    linear = read_estimator(last)
    first = _chained(steps)
    return linear if first is None else linear.after(first)


@reads("RFE", "RFECV", gives="as its estimator", condition="of a supported estimator")
def _selecting(selector: Any) -> LinearMap:
    return read_estimator(selector.estimator_).after(_selection(selector))


def _chained(steps: Iterable[tuple[str, Any]]) -> LinearMap | None:
    """All steps as one; None is the identity."""
    read = (read_step(name, step) for name, step in steps)
    found = [one for one in read if one is not None]
    return reduce(_then, found) if found else None


def _then(first: LinearMap, following: LinearMap) -> LinearMap:
    return following.after(first)


def _weighted(part: LinearMap | None, features: int, weight: float) -> LinearMap:
    """A part of a union, which the identity is as well, times its weight."""
    own = _scaled(np.ones(features)) if part is None else part
    return own if weight == 1.0 else _scaled(np.full(own.weights.shape[0], weight)).after(own)


def _side_by_side(parts: list[LinearMap]) -> LinearMap:
    """The step that gives the values of all parts, one after the other."""
    if not parts:
        refuse("a union of steps", "give features", "none", "leave it out of the pipeline")
    return stacked(parts)
