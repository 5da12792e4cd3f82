"""Boosted stumps of LightGBM"""

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
from .sklearn_boosting import check_depth
from .step_functions import StepFunction, after, step

STUMPS = "trees of one split, `max_depth=1` or `num_leaves=2`; thresholds become public"

RAW_SCORE = {"raw_score": True}
"""What makes ``predict`` give raw scores."""

IDENTITY = ("fair", "huber", "mape", "quantile", "regression", "regression_l1")
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
        For another objective, deeper or linear trees, or splits by categories.
    """
    head = _head(name, model, labels)
    trees, outputs = model["tree_info"], 1 if head.squeeze else head.classes
    share = outputs / len(trees) if model["average_output"] else 1.0
    functions = [
        _step(name, tree["tree_structure"], share * np.eye(outputs)[number % outputs])
        for number, tree in enumerate(trees)
    ]
    return additive_map(
        functions,
        np.zeros(outputs),
        model["max_feature_idx"] + 1,
        head,
        step=name.lower(),
        raw_scores=RAW_SCORE if labels is not None else None,
    )


def _head(name: str, model: dict[str, Any], labels: Labels | None) -> Head:
    objective, *options = model.get("objective", "").split() or [""]
    plain = "sigmoid:1" in options if objective == "binary" else "sqrt" not in options
    allowed = IDENTITY + LOG if labels is None else CLASSES
    if objective not in allowed or not plain:
        got = " ".join([objective, *options]) or "a function"
        must = f"have one of the objectives {', '.join(allowed)}, without reg_sqrt and with sigmoid=1"
        refuse(name, must, got, "fit it with one")
    if labels is None:
        return Head("predict", "exp" if objective in LOG else None, squeeze=True)
    return classifier_head(1 if objective == "binary" else len(labels), labels)


def _step(name: str, root: dict[str, Any], place: Reals) -> StepFunction:
    if "split_feature" not in root:
        return StepFunction(0, np.zeros(0), (root["leaf_value"] * place)[None])
    if root["decision_type"] != "<=":
        refuse(name, "have inputs that are numbers", "a split by categories", "encode them, as OneHotEncoder does")
    leaves = root["left_child"], root["right_child"]
    check_depth(name, 1 if all("split_feature" not in one for one in leaves) else 2)
    if any("leaf_coeff" in one for one in leaves):
        refuse(name, "have linear_tree=False", "linear trees", "fit it with that")
    left, right = (one["leaf_value"] * place for one in leaves)
    return _split(root, left, right, left if root["default_left"] else right)


def _split(root: dict[str, Any], left: Reals, right: Reals, default: Reals) -> StepFunction:
    """NaN goes the default way if it was seen in fitting, else as 0 does; with zero_as_missing, both go that way."""
    column, threshold = root["split_feature"], root["threshold"]
    as_zero = left if threshold >= 0 else right
    plain = step(column, _edge(threshold), left, right, default if root["missing_type"] == "NaN" else as_zero)
    if root["missing_type"] != "Zero":
        return plain
    edges = np.unique(np.concatenate([plain.edges, [-ZERO, after(ZERO)]]))
    starts = np.append(-np.inf, edges)
    values = plain.values[np.searchsorted(plain.edges, starts, side="right")]
    values[(starts >= -ZERO) & (starts <= ZERO)] = default
    return StepFunction(column, edges, values, default)


def _edge(threshold: float) -> float:
    """The edge of a split by x <= threshold, where what is as good as 0 goes where 0 goes."""
    if -ZERO <= threshold < 0:
        return -ZERO
    return after(max(threshold, ZERO)) if threshold >= 0 else after(threshold)
