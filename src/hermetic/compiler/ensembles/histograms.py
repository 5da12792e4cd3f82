"""Boosted trees on histograms"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...features import Categories
from ...features.categories import is_nan
from ...head import Head
from ...named_inputs import keeping_times
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.public_steps import named_categories
from ..sklearn.registry import reads
from ..sklearn.regressors import GIVES
from .assembly import classifier_head, map_of_trees
from .step_functions import StepFunction, after, step
from .trees import LEFT, RIGHT, Tree

TREES = "thresholds become public; splits and leaves do not"
RANKED = "`predict`: scores to rank by"
EXPONENTIAL = ("poisson", "gamma")


@reads("HistGradientBoostingClassifier", gives=PROBABILITIES, condition=TREES)
def _classifier(estimator: Any) -> LinearMap:
    outputs = estimator.n_trees_per_iteration_
    return _read(estimator, classifier_head(outputs, labels_of(estimator)))


@reads(
    "HistGradientBoostingRegressor",
    gives=GIVES,
    condition=f"{TREES}; the client takes the exponential for `poisson` and `gamma`",
)
def _regressor(estimator: Any) -> LinearMap:
    link = "exp" if estimator.loss in EXPONENTIAL else None
    return _read(estimator, Head("predict", link, squeeze=True))


def _read(estimator: Any, head: Head) -> LinearMap:
    """Trees of columns in the order of the estimator: categories first."""
    is_category = estimator.is_categorical_
    if is_category is None:
        is_category = np.zeros(estimator.n_features_in_, dtype=np.bool_)
    columns = np.argsort(~is_category, kind="stable")
    trees = [
        _tree(estimator, one, output).on_columns(columns)
        for row in estimator._predictors
        for output, one in enumerate(row)
    ]
    return map_of_trees(
        trees,
        np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1),
        estimator.n_features_in_,
        head,
        step=type(estimator).__name__.lower(),
        categories=_categories(estimator, columns) if is_category.any() else None,
    )


def _categories(estimator: Any, columns: npt.NDArray[np.intp]) -> dict[int, Categories]:
    """Categories by their numbers in the estimator; what is missing or unknown is -1."""
    lists = estimator._preprocessor.named_transformers_["encoder"].categories_
    known = [[one for one in keeping_times(values).tolist() if not is_nan(one)] for values in lists]
    return {
        int(column): named_categories(estimator, one, unknown=-1, nan=-1)
        for column, one in zip(columns, known, strict=False)
    }


def _tree(estimator: Any, one: Any, output: int) -> Tree:
    """A tree that compares x <= threshold in float64, and sends NaN to one side."""
    splits = [None if node["is_leaf"] else _split(estimator, one, node) for node in one.nodes]
    values = one.nodes["value"].astype(np.float64)[:, None]
    return Tree(splits, one.nodes["left"].tolist(), one.nodes["right"].tolist(), values, output)


def _split(estimator: Any, one: Any, node: Any) -> StepFunction:
    missing, column = LEFT if node["missing_go_to_left"] else RIGHT, int(node["feature_idx"])
    if not node["is_categorical"]:
        return step(column, after(node["num_threshold"]), LEFT, RIGHT, missing)
    goes_left = _members(one.raw_left_cat_bitsets[node["bitset_idx"]])
    known = len(estimator._preprocessor.named_transformers_["encoder"].categories_[column])
    sides = [missing, *(LEFT if category in goes_left else RIGHT for category in range(known))]
    return StepFunction(column, np.arange(float(known)), np.stack(sides))


def _members(words: npt.NDArray[np.uint32]) -> set[int]:
    """The numbers in a set of bits, 32 a word."""
    return {32 * place + bit for place, word in enumerate(words.tolist()) for bit in range(32) if word >> bit & 1}
