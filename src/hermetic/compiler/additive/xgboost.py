"""Boosted stumps of XGBoost"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...quantize import Reals
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import FLOAT32, additive_map, head_of
from .sklearn_boosting import STUMPS, check_depth
from .step_functions import StepFunction, rounding_to, step

MARGIN = {"output_margin": True}
"""What makes ``predict`` give raw scores."""

IDENTITY = (
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squarederror",
    "reg:squaredlogerror",
)
LOG = ("count:poisson", "reg:gamma", "reg:tweedie")


@reads("XGBClassifier", gives=PROBABILITIES, condition=STUMPS, library="xgboost")
def _classifier(estimator: Any) -> LinearMap:
    model = _learner(estimator)
    objective, labels = model["objective"]["name"], labels_of(estimator)
    if objective not in ("binary:logistic", "multi:softprob", "multi:softmax"):
        refuse("XGBClassifier", "have the objective binary:logistic or multi:softprob", objective, "fit it with that")
    binary = objective == "binary:logistic"
    link = "logistic" if binary else "softmax"
    outputs = 1 if binary else len(labels)
    head = head_of(outputs, "decision_function", link=link, labels=labels, squeeze=binary, raw_scores=MARGIN)
    return _read(estimator, model, head)


@reads(
    "XGBRegressor",
    gives=GIVES,
    condition=f"{STUMPS}; the client takes the exponential for Poisson, gamma and Tweedie",
    library="xgboost",
)
def _regressor(estimator: Any) -> LinearMap:
    model = _learner(estimator)
    objective = model["objective"]["name"]
    if objective not in IDENTITY + LOG:
        refuse("XGBRegressor", f"have one of the objectives {', '.join(IDENTITY + LOG)}", objective, "fit it with one")
    outputs = len(_base_scores(model))
    link = "exp" if objective in LOG else None
    return _read(estimator, model, head_of(outputs, "predict", link=link, squeeze=outputs == 1))


def _learner(estimator: Any) -> dict[str, Any]:
    """The model as XGBoost writes it to JSON."""
    learner: dict[str, Any] = json.loads(estimator.get_booster().save_raw("json"))["learner"]
    return learner


def _read(estimator: Any, model: dict[str, Any], head: LinearMap) -> LinearMap:
    """XGBoost casts inputs to float32, compares x < threshold, and adds in float32."""
    name = type(estimator).__name__
    if not math.isnan(estimator.missing):
        refuse(name, "have missing=nan", f"missing={estimator.missing!r}", "fit it with that, and NaN where it is")
    booster = model["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        refuse(name, "boost trees", f"booster={booster['name']!r}", "fit it with gbtree, or a linear model elsewhere")
    trees = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    weights = booster.get("weight_drop", [1.0] * len(trees["trees"]))
    bias = _base_margin(model, len(head.bias))
    functions = list(_steps(name, trees, weights, _last_tree(model, trees), len(head.bias)))
    return additive_map(functions, bias, estimator.n_features_in_, head, step=name.lower(), unit=FLOAT32)


def _last_tree(model: dict[str, Any], trees: dict[str, Any]) -> int:
    """How many trees predict: those up to the best iteration where fitting stopped early."""
    best = model["attributes"].get("best_iteration")
    return int(trees["iteration_indptr"][-1 if best is None else int(best) + 1])


def _steps(name: str, trees: dict[str, Any], weights: list[float], count: int, outputs: int) -> Iterator[StepFunction]:
    for tree, output, weight in zip(trees["trees"][:count], trees["tree_info"], weights, strict=False):
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            refuse(name, "have multi_strategy='one_output_per_tree'", "trees of several outputs", "fit it with that")
        if tree["categories"] or any(tree["split_type"]):
            refuse(name, "have inputs that are numbers", "a split by categories", "encode them, as OneHotEncoder does")
        yield _step(name, tree, weight * np.eye(outputs)[output])


def _step(name: str, tree: dict[str, Any], place: Reals) -> StepFunction:
    left, right = tree["left_children"][0], tree["right_children"][0]
    numbers = np.array(tree["split_conditions"], dtype=np.float32)
    values = numbers.astype(np.float64)[:, None] * place
    if left < 0:
        return StepFunction(0, np.zeros(0), values[:1])
    check_depth(name, 1 if tree["left_children"][left] < 0 and tree["left_children"][right] < 0 else 2)
    edge = rounding_to(numbers[0])
    missing = values[left if tree["default_left"][0] else right]
    return step(tree["split_indices"][0], edge, values[left], values[right], missing)


def _base_scores(model: dict[str, Any]) -> npt.NDArray[np.float32]:
    found = json.loads(model["learner_model_param"]["base_score"])
    return np.array(found, dtype=np.float32).reshape(-1)


def _base_margin(model: dict[str, Any], outputs: int) -> Reals:
    """The scores that trees are added to: base scores on the scale of the link, as XGBoost computes them in float32."""
    base, objective = _base_scores(model), model["objective"]["name"]
    if objective == "binary:logistic":
        base = -np.log(np.float32(1) / base - np.float32(1))
    elif objective in LOG:
        base = np.log(base)
    return np.broadcast_to(base.astype(np.float64), (outputs,)).copy()
