"""In which types an estimator was fitted: those of the sample, or what it learned in a narrower one."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..sample import in_model_order
from .precision import answer, dtype_of, learned_in, taking, types_of
from .registry import column_names_of, taking_inputs


def example_row(estimator: Any, X_sample: Any) -> Any:
    """A row of inputs as the estimator was fitted on them: the sample's first, or ones.

    Types that the sample has count, unless it has float64 alone and the estimator learned in a narrower type.
    """
    names = column_names_of(estimator)
    row = _named(_row(estimator, in_model_order(X_sample, names, "X_sample")), names)
    if any(one != np.float64 for one in types_of(row) or [np.dtype(object)]):
        return row
    learned = _learned(estimator)
    return row if learned is None else row.astype(learned)


def _row(estimator: Any, X: Any) -> Any:
    if X is None:
        return _ones(estimator)
    if hasattr(X, "iloc"):
        return X.iloc[:1]
    if hasattr(X, "tocsr"):
        return X.tocsr()[:1]
    try:
        found = np.asarray(X)
    except ValueError:
        return None
    return np.atleast_2d(found)[:1]


def _named(row: Any, names: Sequence[str] | None) -> Any:
    """A DataFrame, where the estimator was fitted on one and pandas is there."""
    if not isinstance(row, np.ndarray) or names is None or len(names) != row.shape[1]:
        return row
    if not importlib.util.find_spec("pandas"):
        return row
    return importlib.import_module("pandas").DataFrame(row, columns=list(names))


def _ones(estimator: Any) -> Any:
    count = getattr(estimator, "n_features_in_", None)
    return None if count is None else np.ones((1, count))


def _learned(estimator: Any) -> np.dtype[Any] | None:
    """The type narrower than float64 that the first estimator learned in which says so; steps before it pass the type
    of their inputs on.
    """
    for one in _taking_inputs(estimator):
        narrow = [dtype for dtype in _learned_of_inputs(one) if dtype.kind == "f" and dtype.itemsize < 8]
        if narrow:
            return max(narrow, key=lambda dtype: dtype.itemsize)
        if not _passes_on(one):
            return None
    return None


def _learned_of_inputs(estimator: Any) -> set[np.dtype[Any]]:
    """Categories have the type of the inputs; what an encoder learned of targets has that of these."""
    categories = getattr(estimator, "categories_", None)
    return learned_in(estimator) if categories is None else {category.dtype for category in categories}


def _taking_inputs(estimator: Any) -> Sequence[Any]:
    steps = getattr(estimator, "steps", None)
    if steps is not None:
        return [part for _, one in steps if hasattr(one, "fit") for part in _taking_inputs(one)]
    inner = taking_inputs(estimator)
    return [estimator] if inner is None else [estimator, *_taking_inputs(inner)]


def _passes_on(step: Any) -> bool:
    """Whether what follows takes the type of the step's inputs, as far as the step's class tells."""
    if not hasattr(step, "transform"):
        return True
    with taking(np.ones((1, getattr(step, "n_features_in_", 1)), dtype=np.float32)):
        return bool(dtype_of(answer(step, "transform")) == np.float32)
