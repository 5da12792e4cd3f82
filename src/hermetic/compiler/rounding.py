"""What an estimator's own arithmetic may be off, where it computes in floats narrower than float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import Reals
from ..errors import CompileError
from ..features.precision import NARROW
from .linear import LinearMap


def gamma(operations: int, unit: float) -> float:
    """Largest relative error of a product of so many roundings, n·u/(1 - n·u).

    N. J. Higham: *Accuracy and stability of numerical algorithms*, 2002, section 3.1.
    """
    return operations * unit / (1 - operations * unit) if 2 * operations * unit < 1 else np.inf


def unit_of(dtype: str) -> float:
    """Unit roundoff: the largest relative error of one operation."""
    return float(np.finfo(dtype).eps) / 2


def rounded_relatively(linear: LinearMap, dtype: str, further: int) -> LinearMap:
    """The same map, computed in a narrower type: each term of its sums is rounded as often as there are terms, and
    ``further`` times.

    Raises
    ------
    CompileError
        If that is too often for its error to have a bound.
    """
    found = gamma(_longest_sum(linear.weights) + further, unit_of(dtype))
    if not np.isfinite(found):
        raise CompileError(
            f"the estimator's own error must have a bound. It adds so many numbers of {dtype} that it has none: fit "
            "it on data of float64."
        )
    return replace(linear, relative=linear.relative + found)


def cast_error(linear: LinearMap, lower: Reals, upper: Reals, dtypes: Sequence[str]) -> LinearMap:
    """The same map, whose inputs the estimator rounds to its own types first: lower <= x <= upper (d,)."""
    if not any(one in NARROW for one in dtypes):
        return linear
    units = np.array([unit_of(one) if one in NARROW else 0.0 for one in dtypes])
    tiny = np.array([float(np.finfo(one).smallest_subnormal) if one in NARROW else 0.0 for one in dtypes])
    moved = units * np.maximum(np.abs(lower), np.abs(upper)) + tiny
    return replace(linear, own_error=linear.own_error + linear.terms @ moved)


def _longest_sum(weights: Any) -> int:
    if hasattr(weights, "tocsr"):
        return int(np.diff(weights.tocsr().indptr).max(initial=1))
    return int(np.count_nonzero(weights, axis=1).max(initial=1))
