"""Boosted stumps of LightGBM, and trees of one input each"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Reals
from ...head import Head, Labels
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import additive_map, classifier_head
from .sklearn_boosting import RANKED, refuse_categories
from .step_functions import StepFunction, after, step
from .trees import LEFT, RIGHT, leaf, tree

STUMPS = "trees that split on one input each, as with `max_depth=1` or `num_leaves=2`; thresholds become public"

RAW_SCORE = {"raw_score": True}
"""What makes ``predict`` give raw scores."""

IDENTITY = ("fair", "huber", "mape", "quantile", "regression", "regression_l1")
RANKS = ("lambdarank", "rank_xendcg")
LOG = ("gamma", "poisson", "tweedie")
CLASSES = ("binary", "multiclass")
ZERO = float(np.float32(1e-35))
"""LightGBM takes values up to here for 0."""


@reads("LGBMClassifier", gives=PROBABILITIES, condition=STUMPS, library="lightgbm")
def _classifier(estimator: Any) -> LinearMap:
    return read_dump("LGBMClassifier", estimator.booster_.dump_model(), labels_of(estimator))


@reads(
    "LGBMRegressor",
    gives=GIVES,
    condition=f"{STUMPS}; the client takes the exponential for `poisson`, `gamma` and `tweedie`",
    library="lightgbm",
)
def _regressor(estimator: Any) -> LinearMap:
    return read_dump("LGBMRegressor", estimator.booster_.dump_model(), None)


@reads("LGBMRanker", gives=RANKED, condition=STUMPS, library="lightgbm")
def _ranker(estimator: Any) -> LinearMap:
    return read_dump("LGBMRanker", estimator.booster_.dump_model(), None)


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
        For another objective, trees of several inputs, linear ones, or splits by categories.
    """
    if model["pandas_categorical"]:
        refuse_categories(name, None, model["feature_names"])
    if model["average_output"] and labels is not None:
        instead = (
            "fit it with boosting='gbdt': the raw scores of a random forest here are no argument of its probabilities"
        )
        refuse(name, "be boosted where it is a classifier", "boosting='rf'", instead)
    head = _head(name, model, labels)
    trees, outputs = model["tree_info"], 1 if head.squeeze else head.classes
    share = outputs / len(trees) if model["average_output"] else 1.0
    functions = [
        _grown(name, one["tree_structure"], share * np.eye(outputs)[number % outputs])
        for number, one in enumerate(trees)
    ]
    bias, inputs, raw_scores = np.zeros(outputs), model["max_feature_idx"] + 1, None if labels is None else RAW_SCORE
    return additive_map(functions, bias, inputs, head, step=name.lower(), raw_scores=raw_scores)


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


def _grown(name: str, root: dict[str, Any], place: Reals) -> StepFunction:
    if "split_feature" not in root:
        if "leaf_coeff" in root:
            refuse(name, "have linear_tree=False", "linear trees", "fit it with that")
        return leaf(root["leaf_value"] * place)
    if root["decision_type"] != "<=":
        refuse_categories(name, root["split_feature"], [])
    left, right = (_grown(name, root[side], place) for side in ("left_child", "right_child"))
    return tree(name, _split(root), left, right)


def _split(root: dict[str, Any]) -> StepFunction:
    """NaN goes the default way if it was seen in fitting, else as 0 does; with zero_as_missing, both go that way."""
    column, threshold = root["split_feature"], root["threshold"]
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


def _edge(threshold: float) -> float:
    """The edge of a split by x <= threshold, where what is as good as 0 goes where 0 goes."""
    if -ZERO <= threshold < 0:
        return -ZERO
    return after(max(threshold, ZERO)) if threshold >= 0 else after(threshold)
