"""In which type of float a fitted estimator computes: found by sending one row through its own steps.

Most of scikit-learn computes in the type of its inputs, some in float64 whatever they are, some in that of what they
learned. None of it is written down, so it is looked at: an example row of the estimator's inputs, in their own types,
goes through the steps while they are read, and the types of what comes out and of what was learned tell the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...features import FeatureMap, Monomials, Rounded
from ...features.precision import NARROW
from ..linear import LinearMap
from ..rounding import rounded_relatively

_FURTHER = 16
"""Operations on a term besides the sum: casts of what was learned, a difference, a quotient, a square, a logarithm."""

_EXAMPLE: ContextVar[Any] = ContextVar("example", default=None)


@contextmanager
def taking(example: Any) -> Iterator[None]:
    """Read what takes inputs like ``example``, a table of one row as the estimator takes it; None is not known."""
    token = _EXAMPLE.set(example)
    try:
        yield
    finally:
        _EXAMPLE.reset(token)


def example() -> Any:
    """The row that the step or estimator takes which is read now."""
    return _EXAMPLE.get()


def input_dtype() -> np.dtype[Any]:
    """The type of what the step or estimator takes which is read now; float64 where it is not known."""
    found = dtype_of(_EXAMPLE.get())
    return found if found.kind in "fiu" else np.dtype(np.float64)


def narrow_input() -> str | None:
    """The name of that type, if it is narrower than float64."""
    found = input_dtype().name
    return found if found in NARROW else None


def dtype_of(table: Any) -> np.dtype[Any]:
    """The one type that scikit-learn would read a table in."""
    if table is None:
        return np.dtype(np.float64)
    if hasattr(table, "dtypes"):
        kinds = [one if isinstance(one, np.dtype) else np.dtype(object) for one in table.dtypes]
        return np.result_type(*kinds) if kinds else np.dtype(np.float64)
    return np.dtype(getattr(table, "dtype", np.float64))


def types_of(table: Any) -> list[np.dtype[Any]] | None:
    """The type of every column; float64 for types of pandas' own, whose values may be of any."""
    if table is None:
        return None
    if hasattr(table, "dtypes"):
        return [one if isinstance(one, np.dtype) else np.dtype(np.float64) for one in table.dtypes]
    return [np.dtype(table.dtype)] * table.shape[1]


def columns_of(table: Any, columns: npt.NDArray[np.intp]) -> Any:
    """Some columns of an example row."""
    if table is None:
        return None
    return table.iloc[:, columns] if hasattr(table, "iloc") else table[:, columns]


def after(step: Any, outputs: int) -> Any:
    """What a step makes of the example row; where it can do nothing with it, ones of the same type."""
    found = answer(step, "transform")
    if found is not None and found.shape == (1, outputs):
        return found
    return np.ones((1, outputs), dtype=_float(input_dtype()))


def in_own_precision(linear: LinearMap, estimator: Any) -> LinearMap:
    """The same map as the estimator computes it: its public blocks round as it does, and its rounding is bounded."""
    unit = None if linear.knows_rounding else _narrow(estimator, linear)
    if unit is None or _is_selection(linear):
        return linear
    features = linear.feature_map
    if features is not None:
        blocks = [one if isinstance(one, Monomials) else Rounded(one, unit) for one in features.blocks]
        features = FeatureMap(*blocks, categories=features.categories)
    block = None if linear.block is None else Rounded(linear.block, unit)
    return replace(rounded_relatively(linear, unit, _FURTHER), feature_map=features, block=block)


def _narrow(estimator: Any, linear: LinearMap) -> str | None:
    """The type narrower than float64 that an estimator computes in, if it does."""
    taken, own = input_dtype(), answer(estimator, linear.head.method)
    given = dtype_of(None if linear.head.labels is not None and linear.head.method == "predict" else own)
    if given.name in NARROW:
        return str(given.name)
    return str(taken.name) if taken.name in NARROW and taken in learned_in(estimator) else None


def learned_in(estimator: Any) -> set[np.dtype[Any]]:
    """The types of float of what an estimator learned."""
    values = [
        one
        for value in getattr(estimator, "__dict__", {}).values()
        for one in (value if isinstance(value, list) else [value])
    ]
    found = {one.dtype for one in values if isinstance(one, np.ndarray | np.floating)}
    found |= {one.dtype for one in values if hasattr(one, "tocsr")}
    return {one for one in found if one.kind == "f"}


def answer(estimator: Any, method: str) -> Any:
    """What a method gives for the example row, or None."""
    row = _EXAMPLE.get()
    if row is None or not hasattr(estimator, method):
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = getattr(estimator, method)(row.copy())
        except Exception:  # whatever an estimator raises about a row that it was not made for
            return None
    return found if hasattr(found, "dtype") or hasattr(found, "iloc") else None


def _float(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _is_selection(linear: LinearMap) -> bool:
    """Whether it only chooses values."""
    weights = linear.weights
    if linear.feature_map is not None or linear.bias.any() or not hasattr(weights, "tocsr"):
        return False
    return bool((weights.data == 1).all() and (np.diff(weights.tocsr().indptr) <= 1).all())
