"""Polynomials, splines and kernel features: non-linear steps that clients compute"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations, combinations_with_replacement
from typing import Any

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from ...circuits.linear.public import MAX_FEATURES
from ...errors import ParameterError, UnsupportedModelError
from ...features import (
    AdditiveChi2,
    Block,
    Chain,
    CountSketch,
    FeatureMap,
    Fourier,
    Landmarks,
    Logarithms,
    Monomials,
    Splines,
)
from ...head import Head
from ..disclosure import Disclosure
from ..linear import LinearMap, affine
from .precision import input_dtype
from .registry import reads_step, refuse

TRAINING_ROWS = "training rows"
"""What must be said, beside a step's name, for samples of the training data to become public."""

_CHI2_INTERVALS = {1: 0.8, 2: 0.5, 3: 0.4}
"""What AdditiveChi2Sampler takes for so many samples where none is given."""


def of_features(step: Any, make: Callable[[], Block], what: str, *, learned: bool = False, word: str = "") -> LinearMap:
    """The features of a public block, as they are."""
    kind = type(step).__name__
    try:
        block = make()
    except ParameterError as error:
        raise UnsupportedModelError(f"the features of {kind} must be some that a client computes: {error}") from error
    public = Disclosure(kind.lower(), what, learned, word=word)
    plain = affine(sparse.eye_array(block.outputs, format="csr"))
    return LinearMap(plain.weights, plain.bias, Head("transform"), feature_map=FeatureMap(block), public=(public,))


@reads_step("SplineTransformer", condition="knots become public: learned ones need `public=`")
def _splines(step: Any) -> LinearMap:
    degree, edge = step.degree, step.extrapolation
    if degree == 0:
        refuse("SplineTransformer", "have degree 1 or more", "0", "use KBinsDiscretizer")
    if degree == 1 and edge == "linear":
        refuse("SplineTransformer", "have degree 2 or more with extrapolation='linear'", "1", "set it to 'continue'")
    knots = [one.t[degree : len(one.t) - degree] for one in step.bsplines_]
    constant = [i for i, one in enumerate(knots) if one[0] == one[-1]]
    if constant:
        instead = "leave out inputs that never vary"
        refuse(
            "SplineTransformer",
            "have knots that differ, in every column",
            f"equal ones of input {constant[0]}",
            instead,
        )
    if any(row[0] == row[1] or row[-2] == row[-1] for row in knots):
        instead = "use knots='uniform', or pass an array of them"
        refuse("SplineTransformer", "have outer knots that differ, in every column", "equal ones", instead)
    options = {"last": bool(step.include_bias), "zeros": getattr(step, "handle_missing", "error") == "zeros"}
    what = f"{sum(map(len, knots))} knots of {len(knots)} inputs"
    return of_features(step, lambda: Splines(knots, degree, edge, **options), what, learned=isinstance(step.knots, str))


@reads_step("PolynomialFeatures", condition="affine steps before it stay private too")
def _polynomial(step: Any) -> LinearMap:
    """The constant 1 is a bias, not a feature."""
    inputs = step.n_features_in_
    lowest, highest = (0, step.degree) if np.ndim(step.degree) == 0 else step.degree
    if highest == 0 or step.n_output_features_ > MAX_FEATURES:
        must = f"give 1 to {MAX_FEATURES} features that are not constant"
        refuse("PolynomialFeatures", must, f"degree={step.degree!r} of {inputs} inputs", "set another degree")
    choose = combinations if step.interaction_only else combinations_with_replacement
    degrees = range(max(1, lowest), highest + 1)
    factors = list(chain.from_iterable(choose(range(inputs), degree) for degree in degrees))
    what = f"which {len(factors)} products of {inputs} inputs there are"
    plain = of_features(step, lambda: Monomials(inputs, factors), what)
    if not step.include_bias:
        return plain
    eye = sparse.eye_array(len(factors) + 1, len(factors), k=-1, format="csr")
    return affine(eye, np.eye(1, len(factors) + 1)[0]).after(plain)


@reads_step(
    "RBFSampler", condition="random weights become public; `gamma='scale'` learns their size, which needs `public=`"
)
def _random_fourier(step: Any) -> LinearMap:
    weights, offset = step.random_weights_, step.random_offset_
    learned = isinstance(step.gamma, str)
    scale = ", with the variance of the training data in their size" if learned else ""
    what = f"{weights.size + offset.size} random numbers{scale}"
    return of_features(step, lambda: Fourier(weights, offset), what, learned=learned)


@reads_step("SkewedChi2Sampler", condition="inputs above `-skewedness`; random weights become public")
def _skewed_chi2(step: Any) -> LinearMap:
    weights, offset = step.random_weights_, step.random_offset_
    what = f"{weights.size + offset.size} random numbers"

    def features() -> Block:
        return Chain(Logarithms(len(weights), float(step.skewedness)), Fourier(weights, offset))

    return of_features(step, features, what)


@reads_step("AdditiveChi2Sampler", condition="inputs from 0")
def _additive_chi2(step: Any) -> LinearMap:
    samples, interval = step.sample_steps, step.sample_interval
    if input_dtype().kind in "iu":
        instead = "fit the pipeline on X.astype(np.float64)"
        refuse("AdditiveChi2Sampler", "take real numbers: it cuts its own features off to whole ones", "whole", instead)
    if interval is None:
        interval = _CHI2_INTERVALS[samples]
    what = f"{samples} samples of the kernel's spectrum, {interval:g} apart"
    return of_features(step, lambda: AdditiveChi2(step.n_features_in_, samples, float(interval)), what)


@reads_step("PolynomialCountSketch", condition="random places and signs become public")
def _count_sketch(step: Any) -> LinearMap:
    """Without coef0 nothing is added for it, wherever it would be."""
    tables = [np.asarray(one).astype(np.int64) for one in (step.indexHash_, step.bitHash_)]
    missing = step.n_features_in_ + 1 - tables[0].shape[1]
    places, signs = (np.pad(table, ((0, 0), (0, missing)), constant_values=1) for table in tables)
    outputs, gamma, coef0 = step.n_components, float(step.gamma), float(step.coef0)
    places = np.minimum(places, outputs - 1)
    what = f"{places.size + signs.size} random numbers"
    return of_features(step, lambda: CountSketch(places, signs, outputs, gamma, coef0), what)


@reads_step(
    "Nystroem", condition=f"`kernel='rbf'`; **rows of the training data become public**, `{TRAINING_ROWS!r}` too"
)
def _nystroem(step: Any) -> LinearMap:
    if step.kernel != "rbf":
        instead = "fit it again with kernel='rbf', or use RBFSampler, which publishes no training rows"
        refuse("Nystroem", "have kernel='rbf'", f"kernel={step.kernel!r}", instead)
    rows = np.asarray(step.components_.toarray() if sparse.issparse(step.components_) else step.components_)
    gamma = step._get_kernel_params().get("gamma")
    width = 1.0 / rows.shape[1] if gamma is None else float(gamma)
    what = f"{len(rows)} whole rows of the training data"
    public = of_features(step, lambda: Landmarks(rows, width), what, learned=True, word=TRAINING_ROWS)
    return affine(np.asarray(step.normalization_, dtype=np.float64)).after(public)
