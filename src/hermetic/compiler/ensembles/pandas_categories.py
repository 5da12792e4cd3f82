"""Inputs that XGBoost and LightGBM take as categories of pandas, and keep as numbers: their names are in the model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ...features import Categories
from ..linear import LinearMap
from .boosters import BoosterEstimator

LIBRARIES = ("lightgbm", "xgboost")


class TakingCategories:
    """An estimator that is asked with columns of categories in place of their values.

    Parameters
    ----------
    estimator
        Of one of the libraries, or what has their methods.
    dtypes
        The type of pandas of such columns, by their numbers.
    """

    def __init__(self, estimator: Any, dtypes: Mapping[int, Any]) -> None:
        self._estimator, self._dtypes = estimator, dtypes

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """The raw scores, of what has a method for them."""
        return np.asarray(self._estimator.decision_function(self._typed(X)))

    def predict(self, X: Any, **options: Any) -> npt.NDArray[Any]:
        """Labels, values, or with options what these ask for."""
        return np.asarray(self._estimator.predict(self._typed(X), **options))

    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """Probabilities (n, classes)."""
        return np.asarray(self._estimator.predict_proba(self._typed(X)))

    def _typed(self, X: Any) -> Any:
        for number, dtype in self._dtypes.items():
            column = X[X.columns[number]]
            X = X.assign(**{X.columns[number]: column.where(column.isin(dtype.categories)).astype(dtype)})
        return X


def taking_categories(estimator: Any, linear: LinearMap, row: Any) -> Any:
    """The estimator, or what gives it categories where it takes such; ``row`` is an example of its inputs, or None."""
    inner = getattr(estimator, "best_estimator_", estimator)
    categories = {} if linear.feature_map is None else linear.feature_map.categories
    of_library = isinstance(inner, BoosterEstimator) or type(inner).__module__.split(".")[0] in LIBRARIES
    if not categories or not of_library:
        return estimator
    return TakingCategories(inner, {column: _dtype(one, column, row) for column, one in categories.items()})


def _dtype(categories: Categories, column: int, row: Any) -> Any:
    """A type of pandas with all categories, which are of the type that the example has."""
    pandas = import_module("pandas")
    own = row.dtypes.iloc[column] if hasattr(row, "dtypes") else None
    dtype = getattr(getattr(own, "categories", None), "dtype", None)
    return pandas.CategoricalDtype(pandas.Index(list(categories.values), dtype=dtype))
