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

from ...features import Beside, Block, Chain, Clip, Columns, Elementwise, Scale
from ...features.elementwise import EVEN, FUNCTIONS
from ...features.precision import NARROW, Rounded
from ..linear import LinearMap, affine
from ..origin import Origin, of_affine
from ..side_by_side import side_by_side
from .precision import after, answer, columns_of, example, input_dtype, taking, types_of
from .public_steps import public_step
from .registry import read_estimator, read_step, reads, reads_step, refuse


def scaled(scale: npt.ArrayLike, shift: npt.ArrayLike | None = None) -> LinearMap:
    """The step x -> scale·x + shift, both (d,)."""
    return affine(sparse.csr_array(sparse.diags_array(np.asarray(scale, dtype=np.float64))), shift)


def centred(mean: npt.ArrayLike) -> LinearMap:
    point = np.asarray(mean, dtype=np.float64)
    origin = Origin(point, np.zeros(len(point)), np.abs(point))
    return replace(scaled(np.ones(len(point)), -point), origin=origin)


def selected(columns: npt.ArrayLike, features: int) -> LinearMap:
    """The step that gives some of the features, by their numbers."""
    return affine(sparse.eye_array(features, format="csr")[np.asarray(columns, dtype=np.intp)])


def projected(components: Any) -> LinearMap:
    """The step of components (m, d), dense or sparse."""
    return affine(sparse.csr_array(components, dtype=np.float64))


def _scaler(step: Any, **numbers: Any) -> LinearMap:
    """A scaler, also as a public block that rounds as it does; one that clips is always public."""
    d = step.n_features_in_
    block = Scale(d, **{name: one for name, one in numbers.items() if one is not None})
    scale = block.factor / block.divisor
    if not getattr(step, "clip", False):
        zero = np.zeros(d)
        origin = Origin(block.centre, zero, zero) if block.centre.any() else None
        return replace(scaled(scale, block.shift - block.centre * scale), block=block, origin=origin)
    low, high = getattr(step, "feature_range", (-1.0, 1.0))
    clipped = Chain(block, Clip(np.full(d, low), np.full(d, high)))
    return public_step(step, [clipped], (f"scales and shifts of {d} inputs", True))


def _as_inputs(scaler: Any, learned: Any) -> npt.NDArray[Any]:
    """What a scaler learned, in the type of its inputs if it casts it to that."""
    dtype = input_dtype()
    return np.asarray(learned, dtype=dtype if dtype.kind == "f" and _casts(type(scaler)) else np.float64)


def _casts(scaler: Any) -> bool:
    """Whether a class casts what it learned to its inputs' type, as StandardScaler since 1.8: 1 - (1 + 2^-30) is 0."""
    near_one = scaler(with_std=False).fit(np.array([[1 + 2.0**-30]]))
    return not near_one.transform(np.ones((1, 1), dtype=np.float32)).any()


@reads_step("StandardScaler")
def standard_scaler(scaler: Any) -> LinearMap:
    return _scaler(
        scaler,
        centre=_as_inputs(scaler, scaler.mean_) if scaler.with_mean else None,
        divisor=_as_inputs(scaler, scaler.scale_) if scaler.with_std else None,
    )


@reads_step("MinMaxScaler", condition="with `clip=True`, scales become public: they need `public=`")
def _min_max_scaler(scaler: Any) -> LinearMap:
    found = _scaler(scaler, factor=scaler.scale_, shift=scaler.min_)
    if found.feature_map is not None:
        return found
    least = np.asarray(scaler.data_min_, dtype=np.float64)
    return replace(found, origin=of_affine(found.weights, found.bias, found.terms, 0.0, least))


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
    components = projected(pca.components_).after(centred(pca.mean_))
    if not pca.whiten:
        return components
    deviation = np.sqrt(np.asarray(pca.explained_variance_))
    return scaled(1.0 / np.maximum(deviation, np.finfo(deviation.dtype).eps)).after(components)


@reads_step("FastICA")
def _independent_components(ica: Any) -> LinearMap:
    components = projected(ica.components_)
    return components.after(centred(ica.mean_)) if ica.whiten else components


@reads_step("FactorAnalysis")
def _factor_analysis(analysis: Any) -> LinearMap:
    """The mean of the factors given x (Bishop, Pattern Recognition and Machine Learning, 12.2.4)."""
    loadings = np.asarray(analysis.components_, dtype=np.float64)
    weighted = loadings / analysis.noise_variance_
    covariance = np.linalg.inv(np.eye(len(loadings)) + weighted @ loadings.T)
    return projected(covariance.T).after(projected(weighted)).after(centred(analysis.mean_))


@reads_step("GaussianRandomProjection", "NeighborhoodComponentsAnalysis", "SparseRandomProjection", "TruncatedSVD")
def _components(projection: Any) -> LinearMap:
    return projected(projection.components_)


@reads_step("LinearDiscriminantAnalysis", condition="`solver` is `'svd'` or `'eigen'`")
def _discriminants(analysis: Any) -> LinearMap:
    if analysis.solver == "lsqr":
        instead = "fit it again with solver='svd'"
        refuse("LinearDiscriminantAnalysis", "have solver='svd' or 'eigen' to transform", "'lsqr'", instead)
    found = projected(analysis.scalings_.T[: analysis._max_components])
    return found.after(centred(analysis.xbar_)) if analysis.solver == "svd" else found


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
    return selected(np.flatnonzero(chosen), len(chosen))


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
    short = [one for one in types_of(example()) or [] if one.kind in "iu" and one.itemsize < 8]
    if short and name in EVEN:
        must = f"take numbers that {name} does not overflow"
        refuse("FunctionTransformer", must, f"inputs of {short[0]}", "fit the pipeline on X.astype(np.float64)")
    return public_step(transformer, [_of_each(transformer, name)], (f"the function {name}", False))


def _of_each(transformer: Any, name: str) -> Block:
    """The function of every input. Columns of a DataFrame that have types of their own keep them."""
    inputs, types = transformer.n_features_in_, types_of(answer(transformer, "transform")) or []
    if len(set(types)) <= 1:
        return Elementwise(inputs, name)
    one = Elementwise(1, name)
    parts = [Rounded(one, dtype.name) if dtype.name in NARROW else one for dtype in types]
    return Beside(*(Columns(part, [i], inputs) for i, part in enumerate(parts)))


@reads_step("Pipeline", condition="of these")
def _steps(pipeline: Any) -> LinearMap | None:
    return _chained(pipeline.steps)[0]


@reads_step("FrozenEstimator", condition="of one of these")
def _frozen(step: Any) -> LinearMap | None:
    return read_step("frozenestimator", step.estimator)


@reads_step("FeatureUnion", condition="of these")
def _feature_union(union: Any) -> LinearMap:
    weights = union.transformer_weights or {}
    kept = [(name, step) for name, step in union.transformer_list if not isinstance(step, str)]
    return _side_by_side(
        [_weighted(read_step(name, step), step.n_features_in_, weights.get(name, 1.0)) for name, step in kept]
    )


@reads_step("ColumnTransformer", condition="of these")
def _column_transformer(columns: Any) -> LinearMap:
    weights, d, parts = columns.transformer_weights or {}, columns.n_features_in_, []
    for name, step, _ in columns.transformers_:
        chosen = columns._transformer_to_input_indices[name]
        if len(chosen) and not (isinstance(step, str) and step == "drop"):
            with taking(columns_of(example(), chosen)):
                part = _weighted(read_step(name, step), len(chosen), weights.get(name, 1.0))
            taken = replace(selected(chosen, d), uses=np.isin(np.arange(d), chosen))
            parts.append(part.after(taken))
    return _side_by_side(parts)


@reads("Pipeline", gives="as its last step", condition="of affine steps and a supported estimator")
def _pipeline(pipeline: Any) -> LinearMap:
    *steps, (name, last) = pipeline.steps
    if last is None or isinstance(last, str):
        refuse("a pipeline", "end with an estimator", f"{last!r} as step {name!r}", "leave it out")
    for before, step in steps[-1:]:
        _check_dense(before, step, last)
    first, row = _chained(steps)
    with taking(row):
        linear = read_estimator(last)
    return linear if first is None else linear.after(first)


def _check_dense(name: str, step: Any, last: Any) -> None:
    """Refuse sparse inputs of XGBoost, which takes zeros that a matrix does not store for missing values."""
    encode = getattr(step, "encode", "") == "onehot"
    if type(last).__module__.startswith("xgboost.") and (encode or any(getattr(step, one, False) for one in _SPARSE)):
        got = f"a sparse matrix of step {name!r}, whose zeros are missing values to it"
        instead = (
            "fit it again with sparse_output=False, sparse_threshold=0 or encode='onehot-dense', as the step has it"
        )
        refuse(type(last).__name__, "be fitted on dense inputs", got, instead)


_SPARSE = ("sparse_output_", "sparse_output")
"""Attributes of steps that say whether they give sparse matrices."""


@reads("RFE", "RFECV", gives="as its estimator", condition="of a supported estimator")
def _selecting(selector: Any) -> LinearMap:
    selection = _selection(selector)
    with taking(after(selector, len(selection.bias))):
        return read_estimator(selector.estimator_).after(selection)


def _chained(steps: Iterable[tuple[str, Any]]) -> tuple[LinearMap | None, Any]:
    """All steps as one, None is the identity, and what they make of the example row."""
    found, row = [], example()
    for name, step in steps:
        with taking(row):
            one = read_step(name, step)
            if one is not None:
                found.append(one)
                row = after(step, len(one.bias))
    return (reduce(_then, found) if found else None), row


def _then(first: LinearMap, following: LinearMap) -> LinearMap:
    return following.after(first)


def _weighted(part: LinearMap | None, features: int, weight: float) -> LinearMap:
    """A part of a union, which the identity is as well, times its weight."""
    own = scaled(np.ones(features)) if part is None else part
    if weight == 1.0:
        return own
    factors = np.full(len(own.bias), weight)
    return replace(scaled(factors), block=Scale(len(factors), factor=factors)).after(own)


def _side_by_side(parts: list[LinearMap]) -> LinearMap:
    """The step that gives the values of all parts, one after the other."""
    if not parts:
        refuse("a union of steps", "give features", "none", "leave it out of the pipeline")
    return side_by_side(parts)
