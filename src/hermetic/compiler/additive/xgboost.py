"""Boosted stumps of XGBoost"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...head import Head, Labels
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import FLOAT32, additive_map, classifier_head
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
CLASSES = ("binary:logistic", "multi:softprob", "multi:softmax")


@reads("XGBClassifier", gives=PROBABILITIES, condition=STUMPS, library="xgboost")
def _classifier(estimator: Any) -> LinearMap:
    return _of_estimator(estimator, labels_of(estimator))


@reads(
    "XGBRegressor",
    gives=GIVES,
    condition=f"{STUMPS}; the client takes the exponential for Poisson, gamma and Tweedie",
    library="xgboost",
)
def _regressor(estimator: Any) -> LinearMap:
    return _of_estimator(estimator, None)


def _of_estimator(estimator: Any, labels: Labels | None) -> LinearMap:
    name, model = type(estimator).__name__, learner_of(estimator.get_booster())
    if not math.isnan(estimator.missing):
        refuse(name, "have missing=nan", f"missing={estimator.missing!r}", "fit it with that, and NaN where it is")
    best = model["attributes"].get("best_iteration")
    return read_learner(name, model, labels, None if best is None else int(best) + 1)


def learner_of(booster: Any) -> dict[str, Any]:
    """The model as XGBoost writes it to JSON."""
    learner: dict[str, Any] = json.loads(booster.save_raw("json"))["learner"]
    return learner


def read_learner(name: str, model: dict[str, Any], labels: Labels | None, iterations: int | None = None) -> LinearMap:
    """XGBoost casts inputs to float32, compares x < threshold, and adds in float32.

    Parameters
    ----------
    name
        What it is, in messages.
    labels
        Those of a classifier; None for a regressor.
    iterations
        How many predict; None for all.

    Raises
    ------
    UnsupportedModelError
        For another objective, another booster, deeper trees, or splits by categories.
    """
    (outputs, head), booster = _head(name, model, labels), model["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        refuse(name, "boost trees", f"booster={booster['name']!r}", "fit it with gbtree, or a linear model elsewhere")
    trees = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    weights = booster.get("weight_drop", [1.0] * len(trees["trees"]))
    count = trees["iteration_indptr"][-1 if iterations is None else iterations]
    functions = list(_steps(name, trees, weights, count, outputs))
    inputs = int(model["learner_model_param"]["num_feature"])
    bias = _base_margin(model, outputs)
    return additive_map(
        functions,
        bias,
        inputs,
        head,
        step=name.lower(),
        unit=FLOAT32,
        raw_scores=MARGIN if labels is not None else None,
    )


def _head(name: str, model: dict[str, Any], labels: Labels | None) -> tuple[int, Head]:
    objective = model["objective"]["name"]
    allowed = IDENTITY + LOG if labels is None else CLASSES
    if objective not in allowed:
        refuse(name, f"have one of the objectives {', '.join(allowed)}", objective, "fit it with one")
    if labels is None:
        outputs, link = len(_base_scores(model)), "exp" if objective in LOG else None
        return outputs, Head("predict", link, squeeze=outputs == 1)
    outputs = 1 if objective == "binary:logistic" else len(labels)
    return outputs, classifier_head(outputs, labels)


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
