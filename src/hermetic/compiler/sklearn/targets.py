"""Regressions of transformed targets"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ...head import Head
from ..linear import LinearMap
from .combined import values_of
from .registry import read_step, reads, refuse

_LINKS = {"exp": ("exp", 1.0), "exp2": ("exp", math.log(2.0)), "expm1": ("expm1", 1.0)}
"""The inverse of a target's function, by its name in NumPy -> the link, and what it takes for a score of 1."""

_AFFINE = "an affine one such as StandardScaler, or FunctionTransformer(np.log1p, np.expm1) and then such"


@reads(
    "TransformedTargetRegressor",
    gives="`predict`: values",
    condition="of supported linear regressions; `inverse_func` is none, `np.exp`, `np.expm1` or `np.exp2`, which the "
    "client takes of the score, or `transformer` is affine, such as StandardScaler, or one and then the other",
)
def _transformed_target(estimator: Any) -> LinearMap:
    (linear,) = values_of(estimator, [estimator.regressor_])
    transformer = estimator.transformer_
    steps = [one for _, one in transformer.steps] if type(transformer).__name__ == "Pipeline" else [transformer]
    link, scale = _inverse(steps[0])
    for step in reversed(steps if link is None else steps[1:]):
        linear = _undone(step, linear)
    if scale != 1.0:
        linear = LinearMap(scale * np.eye(len(linear.bias)), np.zeros(len(linear.bias)), Head("predict")).after(linear)
    return replace(linear, head=Head("predict", link, squeeze=estimator._training_dim == 1))


def _inverse(step: Any) -> tuple[str | None, float]:
    """The link that a function of the target leads to; none, where it is no function."""
    inverse = getattr(step, "inverse_func", None) if type(step).__name__ == "FunctionTransformer" else None
    if inverse is None:
        return None, 1.0
    name = getattr(inverse, "__name__", repr(inverse))
    if name not in _LINKS or inverse is not getattr(np, name) or step.inv_kw_args:
        must = f"have one of NumPy's {', '.join(_LINKS)} as inverse_func"
        refuse("TransformedTargetRegressor", must, name, "fit it with func=np.log1p and inverse_func=np.expm1")
    return _LINKS[name]


def _undone(step: Any, linear: LinearMap) -> LinearMap:
    """The map before a step that scales each target."""
    if step is None or (type(step).__name__ == "FunctionTransformer" and step.func is None):
        return linear
    found = read_step("transformer", step)
    if found is None:
        return linear
    forward, shift = found.dense().weights, found.bias
    if found.feature_map is not None or not np.array_equal(forward, np.diag(np.diag(forward))):
        got = type(step).__name__
        refuse("TransformedTargetRegressor", f"have a transformer that scales each target, {_AFFINE}", got, "use one")
    scale = 1 / np.diag(forward)
    return LinearMap(np.diag(scale), -shift * scale, Head("predict")).after(linear)
