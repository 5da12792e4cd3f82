"""Boosted stumps, and trees of one input each"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier, DummyRegressor

from ...arrays import Reals
from ...features import Categories
from ...features.categories import is_nan
from ...head import Head
from ...named_inputs import keeping_times
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.public_steps import named_categories
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import additive_map, classifier_head
from .step_functions import StepFunction, after, rounding_to, step
from .trees import LEFT, RIGHT, leaf, tree

STUMPS = "trees that split on one input each, as with `max_depth=1`; thresholds become public"
RANKED = "`predict`: scores to rank by"
EXPONENTIAL = ("poisson", "gamma")


@reads("HistGradientBoostingClassifier", gives=PROBABILITIES, condition=STUMPS)
def _histogram_classifier(estimator: Any) -> LinearMap:
    outputs = estimator.n_trees_per_iteration_
    return _histogram(estimator, classifier_head(outputs, labels_of(estimator)))


@reads(
    "HistGradientBoostingRegressor",
    gives=GIVES,
    condition=f"{STUMPS}; the client takes the exponential for `poisson` and `gamma`",
)
def _histogram_regressor(estimator: Any) -> LinearMap:
    link = "exp" if estimator.loss in EXPONENTIAL else None
    return _histogram(estimator, Head("predict", link, squeeze=True))


@reads(
    "GradientBoostingClassifier", gives=PROBABILITIES, condition=f"{STUMPS}; `log_loss`, without an `init` estimator"
)
def _classifier(estimator: Any) -> LinearMap:
    if estimator.loss != "log_loss":
        refuse("GradientBoostingClassifier", "have loss='log_loss'", f"{estimator.loss!r}", "fit it with that")
    return _exact(estimator, classifier_head(estimator.estimators_.shape[1], labels_of(estimator)))


@reads("GradientBoostingRegressor", gives=GIVES, condition=f"{STUMPS}; without an `init` estimator")
def _regressor(estimator: Any) -> LinearMap:
    return _exact(estimator, Head("predict", squeeze=True))


@reads("AdaBoostClassifier", gives=PROBABILITIES, condition=f"{STUMPS}; two classes")
def _adaptive(estimator: Any) -> LinearMap:
    """Each tree votes with its weight, for or against the second class: Freund and Schapire, 1997."""
    name, labels = type(estimator).__name__, labels_of(estimator)
    if len(labels) != 2:
        refuse(name, "have two classes", len(labels), "use GradientBoostingClassifier(max_depth=1)")
    share = estimator.estimator_weights_ / estimator.estimator_weights_.sum()
    functions = []
    for one, weight in zip(estimator.estimators_, share, strict=False):
        if not hasattr(one, "tree_"):
            refuse(name, "boost trees", type(one).__name__, "use DecisionTreeClassifier(max_depth=1)")
        votes = np.where(
            one.tree_.value[:, 0, :].argmax(axis=1) == np.flatnonzero(one.classes_ == labels[1])[0], 2.0, -2.0
        )
        functions.append(_grown(name, one.tree_, weight * votes[:, None]))
    return additive_map(functions, np.zeros(1), estimator.n_features_in_, classifier_head(1, labels), step=name.lower())


def _exact(estimator: Any, head: Head) -> LinearMap:
    """Gradient boosting of regression trees, which compare float32(x) <= threshold."""
    name, init = type(estimator).__name__, estimator.init_
    plain = isinstance(init, DummyRegressor) or (isinstance(init, DummyClassifier) and init.strategy != "stratified")
    if not (plain or (isinstance(init, str) and init == "zero")):
        refuse(name, "start from a constant", f"init={init!r}", "leave init out")
    k, inputs = estimator.estimators_.shape[1], estimator.n_features_in_
    start = estimator._raw_predict_init(np.zeros((1, inputs), dtype=np.float32))[0]
    functions = [
        _grown(name, one.tree_, estimator.learning_rate * one.tree_.value[:, 0, :] * np.eye(k)[output])
        for row in estimator.estimators_
        for output, one in enumerate(row)
    ]
    return additive_map(functions, np.asarray(start, dtype=np.float64), inputs, head, step=name.lower())


def _grown(name: str, one: Any, values: Reals, node: int = 0) -> StepFunction:
    """A tree with the values (nodes, k) of its nodes."""
    left, right = one.children_left[node], one.children_right[node]
    if left == right:
        return leaf(values[node])
    threshold = float(one.threshold[node])
    nearest = np.float32(threshold)
    above = nearest if float(nearest) > threshold else np.nextafter(nearest, np.float32(np.inf))
    split = step(int(one.feature[node]), rounding_to(above), LEFT, RIGHT)
    return tree(name, split, _grown(name, one, values, left), _grown(name, one, values, right))


def refuse_categories(name: str, column: int | None, names: Sequence[str]) -> NoReturn:
    """Refuse a booster of another library that takes categories; ``column`` is the number of one, where it is known."""
    which = "" if column is None else f" as input {names[column]!r}" if names else f" as input {column}"
    instead = (
        "put a OneHotEncoder(sparse_output=False) before it in a pipeline, or fit a HistGradientBoostingClassifier or "
        "-Regressor with categorical_features='from_dtype', which has categories"
    )
    refuse(name, "have inputs that are numbers", f"categories{which}", instead)


def _histogram(estimator: Any, head: Head) -> LinearMap:
    """Trees of columns in the order of the estimator: categories first."""
    name, is_category = type(estimator).__name__, estimator.is_categorical_
    if is_category is None:
        is_category = np.zeros(estimator.n_features_in_, dtype=np.bool_)
    columns = np.argsort(~is_category, kind="stable")
    functions = [replace(one, column=int(columns[one.column])) for one in _histogram_steps(name, estimator)]
    return additive_map(
        functions,
        np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1),
        estimator.n_features_in_,
        head,
        step=name.lower(),
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


def _histogram_steps(name: str, estimator: Any) -> Iterator[StepFunction]:
    for row in estimator._predictors:
        for output, one in enumerate(row):
            yield _histogram_tree(name, estimator, one, np.eye(len(row))[output])


def _histogram_tree(name: str, estimator: Any, one: Any, place: Reals, number: int = 0) -> StepFunction:
    """A tree that compares x <= threshold in float64, and sends NaN to one side."""
    node = one.nodes[number]
    if node["is_leaf"]:
        return leaf(node["value"] * place)
    missing = LEFT if node["missing_go_to_left"] else RIGHT
    column = int(node["feature_idx"])
    if node["is_categorical"]:
        goes_left = _members(one.raw_left_cat_bitsets[node["bitset_idx"]])
        known = len(estimator._preprocessor.named_transformers_["encoder"].categories_[column])
        sides = [missing, *(LEFT if category in goes_left else RIGHT for category in range(known))]
        split = StepFunction(column, np.arange(float(known)), np.stack(sides))
    else:
        split = step(column, after(node["num_threshold"]), LEFT, RIGHT, missing)
    left, right = (_histogram_tree(name, estimator, one, place, int(node[side])) for side in ("left", "right"))
    return tree(name, split, left, right)


def _members(words: npt.NDArray[np.uint32]) -> set[int]:
    """The numbers in a set of bits, 32 a word."""
    return {32 * place + bit for place, word in enumerate(words.tolist()) for bit in range(32) if word >> bit & 1}
