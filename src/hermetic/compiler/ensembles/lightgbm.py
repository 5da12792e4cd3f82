"""Boosted trees of LightGBM"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...features import Categories
from ...head import Head, Labels
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import classifier_head, map_of_trees
from .histograms import RANKED, TREES
from .step_functions import StepFunction, after, of_numbers, step
from .trees import LEFT, RIGHT, Tree

RAW_SCORE = {"raw_score": True}
"""What makes ``predict`` give raw scores."""

IDENTITY = ("fair", "huber", "mape", "quantile", "regression", "regression_l1")
RANKS = ("lambdarank", "rank_xendcg")
LOG = ("gamma", "poisson", "tweedie")
CLASSES = ("binary", "multiclass")
ZERO = float(np.float32(1e-35))
"""LightGBM takes values up to here for 0."""


@reads("LGBMClassifier", gives=PROBABILITIES, condition=TREES, library="lightgbm")
def _classifier(estimator: Any) -> LinearMap:
    return read_dump("LGBMClassifier", dumped(estimator.booster_), labels_of(estimator))


@reads(
    "LGBMRegressor",
    gives=GIVES,
    condition=f"{TREES}; the client takes the exponential for `poisson`, `gamma` and `tweedie`",
    library="lightgbm",
)
def _regressor(estimator: Any) -> LinearMap:
    return read_dump("LGBMRegressor", dumped(estimator.booster_), None)


@reads("LGBMRanker", gives=RANKED, condition=TREES, library="lightgbm")
def _ranker(estimator: Any) -> LinearMap:
    return read_dump("LGBMRanker", dumped(estimator.booster_), None)


def dumped(booster: Any) -> dict[str, Any]:
    """The model as LightGBM writes it to JSON, one node inside another."""
    try:
        model: dict[str, Any] = booster.dump_model()
    except RecursionError:
        got, instead = "trees that Python cannot read, of hundreds", "fit it with max_depth=100 or less"
        refuse("LightGBM", "have trees of fewer levels", got, instead)
    return model


def read_dump(name: str, model: dict[str, Any], labels: Labels | None) -> LinearMap:
    """LightGBM compares x <= threshold and adds in float64. Its dump has the trees up to the best iteration.

    Parameters
    ----------
    name
        What it is, in messages.
    labels
        Those of a classifier; None for a regressor.

    Raises
    ------
    UnsupportedModelError
        For another objective, or linear trees.
    """
    if model["average_output"] and labels is not None:
        instead = (
            "fit it with boosting='gbdt': the raw scores of a random forest here are no argument of its probabilities"
        )
        refuse(name, "be boosted where it is a classifier", "boosting='rf'", instead)
    head = _head(name, model, labels)
    trees, outputs = model["tree_info"], 1 if head.squeeze else head.classes
    share = outputs / len(trees) if model["average_output"] else 1.0
    categories = _categories(name, model)
    grown = [_tree(name, one["tree_structure"], share, number % outputs) for number, one in enumerate(trees)]
    return map_of_trees(
        grown,
        np.zeros(outputs),
        model["max_feature_idx"] + 1,
        head,
        step=name.lower(),
        categories=categories,
        raw_scores=None if labels is None else RAW_SCORE,
    )


def _categories(name: str, model: dict[str, Any]) -> dict[int, Categories]:
    """The categories of inputs whose names the model has; others are numbers already. What is missing or unknown goes
    where NaN goes, which is where -1 goes.
    """
    names = model["pandas_categorical"] or []
    infos = [model["feature_infos"].get(one, {}).get("values") for one in model["feature_names"]]
    columns = [column for column, codes in enumerate(infos) if codes]
    if not names:
        return {}
    if len(columns) != len(names) or any(
        max(infos[column]) >= len(known) for column, known in zip(columns, names, strict=True)
    ):
        got = f"{len(names)} columns of categories, of which it takes {len(columns)} as such"
        instead = "leave out columns of categories that are constant, and make those that are ordered numbers"
        refuse(name, "take each column of categories as one", got, instead)
    return {column: Categories(known, unknown=-1, nan=-1) for column, known in zip(columns, names, strict=True)}


def _head(name: str, model: dict[str, Any], labels: Labels | None) -> Head:
    objective, *options = model.get("objective", "").split() or [""]
    plain = "sigmoid:1" in options if objective == "binary" else "sqrt" not in options
    allowed = IDENTITY + RANKS + LOG if labels is None else CLASSES
    if objective not in allowed or not plain:
        got = " ".join([objective, *options]) or "a function"
        must = f"have one of the objectives {', '.join(allowed)}, without reg_sqrt and with sigmoid=1"
        refuse(name, must, got, "fit it with one")
    if labels is None:
        return Head("predict", "exp" if objective in LOG else None, squeeze=True)
    return classifier_head(1 if objective == "binary" else len(labels), labels)


def _tree(name: str, root: dict[str, Any], share: float, output: int) -> Tree:
    """A tree of nested nodes as one of lists."""
    nodes, left, right = [root], [0], [0]
    for number, node in enumerate(nodes):
        if "leaf_coeff" in node:
            refuse(name, "have linear_tree=False", "linear trees", "fit it with that")
        if "split_feature" in node:
            left[number], right[number] = len(nodes), len(nodes) + 1
            nodes += [node["left_child"], node["right_child"]]
            left += [0, 0]
            right += [0, 0]
    splits = [_split(one) if "split_feature" in one else None for one in nodes]
    values = np.array([one.get("leaf_value", 0.0) for one in nodes], dtype=np.float64)
    return Tree(splits, left, right, share * values[:, None], output)


def _split(root: dict[str, Any]) -> StepFunction:
    """NaN goes the default way if it was seen in fitting, else as 0 does; with zero_as_missing, both go that way."""
    column, threshold = root["split_feature"], root["threshold"]
    if root["decision_type"] == "==":
        return of_numbers(column, [int(one) for one in threshold.split("||")], _first_of, LEFT, RIGHT, RIGHT)
    default = LEFT if root["default_left"] else RIGHT
    as_zero = LEFT if threshold >= 0 else RIGHT
    plain = step(column, _edge(threshold), LEFT, RIGHT, default if root["missing_type"] == "NaN" else as_zero)
    if root["missing_type"] != "Zero":
        return plain
    edges = np.unique(np.concatenate([plain.edges, [-ZERO, after(ZERO)]]))
    starts = np.append(-np.inf, edges)
    values = plain.at(starts)
    values[(starts >= -ZERO) & (starts <= ZERO)] = default
    return StepFunction(column, edges, values, default)


def _first_of(category: int) -> float:
    """The smallest number that is cut to a category, which is whole and not negative."""
    return float(category) if category else after(-1.0)


def _edge(threshold: float) -> float:
    """The edge of a split by x <= threshold, where what is as good as 0 goes where 0 goes."""
    if -ZERO <= threshold < 0:
        return -ZERO
    return after(max(threshold, ZERO)) if threshold >= 0 else after(threshold)
