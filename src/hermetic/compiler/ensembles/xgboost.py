"""Boosted trees of XGBoost, and linear boosters"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...features import Categories
from ...head import Head, Labels
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import FLOAT32, classifier_head, map_of_trees
from .histograms import RANKED, TREES
from .step_functions import StepFunction, of_numbers, rounding_to, step
from .trees import LEFT, RIGHT, Tree

MARGIN = {"output_margin": True}
"""What makes ``predict`` give raw scores."""

LINEAR_TOO = f"{TREES}; or `booster='gblinear'`, of which nothing does"

IDENTITY = (
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squarederror",
    "reg:squaredlogerror",
)
RANKS = ("rank:map", "rank:ndcg", "rank:pairwise")
LOG = ("count:poisson", "reg:gamma", "reg:tweedie")
CLASSES = ("binary:logistic", "multi:softprob", "multi:softmax")


@reads("XGBClassifier", gives=PROBABILITIES, condition=LINEAR_TOO, library="xgboost")
def _classifier(estimator: Any) -> LinearMap:
    return _of_estimator(estimator, labels_of(estimator))


@reads(
    "XGBRegressor",
    gives=GIVES,
    condition=f"{LINEAR_TOO}; the client takes the exponential for Poisson, gamma and Tweedie",
    library="xgboost",
)
def _regressor(estimator: Any) -> LinearMap:
    return _of_estimator(estimator, None)


@reads("XGBRanker", gives=RANKED, condition=TREES, library="xgboost")
def _ranker(estimator: Any) -> LinearMap:
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
        For another objective, or trees of several outputs.
    """
    (outputs, head), booster = _head(name, model, labels), model["gradient_booster"]
    raw_scores = None if labels is None else MARGIN
    if booster["name"] == "gblinear":
        return _linear(model, outputs, head, raw_scores)
    if booster["name"] not in ("gbtree", "dart"):
        refuse(name, "boost trees or a linear model", f"booster={booster['name']!r}", "fit it with gbtree")
    trees = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    # Beside the trees since XGBoost 3.4, beside their booster before.
    weights = trees.get("weight_drop") or booster.get("weight_drop") or [1.0] * len(trees["trees"])
    count = trees["iteration_indptr"][-1 if iterations is None else iterations]
    inputs = int(model["learner_model_param"]["num_feature"])
    return map_of_trees(
        list(_trees(name, trees, weights, count)),
        _base_margin(model, outputs),
        inputs,
        head,
        step=name.lower(),
        categories=_categories(name, model, trees),
        unit=FLOAT32,
        raw_scores=raw_scores,
    )


def _linear(model: dict[str, Any], outputs: int, head: Head, raw_scores: Mapping[str, bool] | None) -> LinearMap:
    """A linear booster, which casts inputs to float32 and adds in float32, and starts all scores from the first base
    score.
    """
    inputs = int(model["learner_model_param"]["num_feature"])
    stored = np.array(model["gradient_booster"]["model"]["weights"], dtype=np.float32).astype(np.float64)
    *weights, bias = stored.reshape(inputs + 1, outputs)
    start = _base_margin(model, outputs)[0]
    # Each product is of two rounded numbers; sums are of all products, the bias and the start.
    return LinearMap(
        np.array(weights).T, bias + start, head, raw_scores=raw_scores, precision=FLOAT32, roundings=inputs + 4
    )


def _head(name: str, model: dict[str, Any], labels: Labels | None) -> tuple[int, Head]:
    objective = model["objective"]["name"]
    allowed = IDENTITY + RANKS + LOG if labels is None else CLASSES
    targets = int(model["learner_model_param"].get("num_target", "1"))
    if labels is not None and targets > 1:
        refuse(name, "have one label for every sample", f"{targets}", "fit one for each label, and compile each")
    if objective not in allowed:
        refuse(name, f"have one of the objectives {', '.join(allowed)}", objective, "fit it with one")
    if labels is None:
        outputs, link = len(_base_scores(model)), "exp" if objective in LOG else None
        return outputs, Head("predict", link, squeeze=outputs == 1)
    outputs = 1 if objective == "binary:logistic" else len(labels)
    return outputs, classifier_head(outputs, labels)


def _trees(name: str, trees: dict[str, Any], weights: list[float], count: int) -> Iterator[Tree]:
    for one, output, weight in zip(trees["trees"][:count], trees["tree_info"], weights, strict=False):
        if int(one["tree_param"]["size_leaf_vector"]) > 1:
            refuse(name, "have multi_strategy='one_output_per_tree'", "trees of several outputs", "fit it with that")
        left, right = one["left_children"], one["right_children"]
        numbers = np.array(one["split_conditions"], dtype=np.float32)
        sets = _sets(one)
        splits = [_split(one, node, numbers[node], sets) if child >= 0 else None for node, child in enumerate(left)]
        yield Tree(splits, left, right, weight * numbers.astype(np.float64)[:, None], output)


def _split(one: dict[str, Any], node: int, number: np.float32, sets: dict[int, list[int]]) -> StepFunction:
    """A split by x < number, or by a set of categories, which go right; other numbers are cut to whole ones."""
    column, missing = one["split_indices"][node], LEFT if one["default_left"][node] else RIGHT
    if node not in sets:
        return step(column, rounding_to(number), LEFT, RIGHT, missing)

    def starts(category: int) -> float:
        return rounding_to(np.float32(category))

    return of_numbers(column, sets[node], starts, RIGHT, LEFT, missing)


def _sets(one: dict[str, Any]) -> dict[int, list[int]]:
    """The categories of every node that splits by some."""
    segments = zip(one["categories_nodes"], one["categories_segments"], one["categories_sizes"], strict=True)
    return {node: one["categories"][start : start + size] for node, start, size in segments}


def _categories(name: str, model: dict[str, Any], trees: dict[str, Any]) -> dict[int, Categories]:
    """The categories of inputs whose names the model has; others are numbers already. An unknown one is refused."""
    found = {}
    for column, kind in enumerate(model["feature_types"]):
        if kind == "c" and "cats" not in trees:
            must = "know the names of categories, as those of XGBoost 3.1 do"
            refuse(name, must, "one that has their numbers alone", "fit it again with that, or on numbers")
        known = trees["cats"]["enc"][column] if kind == "c" and trees["cats"]["enc"] else {"values": []}
        if known["values"]:
            found[column] = Categories(_names(name, known), nan=math.nan)
    return found


def _names(name: str, known: dict[str, Any]) -> list[Any]:
    """Whole numbers, or texts as all their bytes one after the other. Of others than ASCII XGBoost keeps some bytes."""
    values = known["values"]
    if "offsets" not in known:
        return list(values)
    if not all(0 <= value < 128 for value in values):
        refuse(
            name, "have categories whose names are ASCII", "others, of which XGBoost cuts off the end", "rename them"
        )
    return [bytes(values[start:end]).decode() for start, end in pairwise(known["offsets"])]


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
