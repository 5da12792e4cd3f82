"""Decision trees and forests"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...head import Head
from ..linear import LinearMap
from ..sklearn.classifiers import labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import map_of_trees
from .fitted_trees import takes_missing, tree_of
from .histograms import TREES
from .trees import Tree

PROBABILITIES = "`predict_proba`: probabilities, labels"

_TREES_OF_CLASSES = ("DecisionTreeClassifier", "ExtraTreeClassifier")
_TREES_OF_VALUES = ("DecisionTreeRegressor", "ExtraTreeRegressor")
_CANCELLED = 2.0
"""What probabilities add up to in the estimator, in units of scores, which are 2·p - 1."""


@reads(*_TREES_OF_CLASSES, gives=PROBABILITIES, condition=f"{TREES}; one label for every sample")
def _one_classifier(estimator: Any) -> LinearMap:
    return _probabilities(estimator, [estimator])


@reads(
    "ExtraTreesClassifier",
    "RandomForestClassifier",
    gives=PROBABILITIES,
    condition=f"{TREES}; one label for every sample",
)
def _classifiers(estimator: Any) -> LinearMap:
    return _probabilities(estimator, estimator.estimators_)


@reads(*_TREES_OF_VALUES, gives=GIVES, condition=f"{TREES}; several targets too")
def _one_regressor(estimator: Any) -> LinearMap:
    return _values(estimator, [estimator])


@reads("ExtraTreesRegressor", "RandomForestRegressor", gives=GIVES, condition=f"{TREES}; several targets too")
def _regressors(estimator: Any) -> LinearMap:
    return _values(estimator, estimator.estimators_)


@reads("IsolationForest", gives="`predict`: 1 for inliers and -1 for outliers", condition=TREES)
def _isolation(estimator: Any) -> LinearMap:
    """The mean depth in units of that of samples, less the one at the threshold: Liu, Ting and Zhou, *Isolation
    forest*, 2008.
    """
    name, deepest = type(estimator).__name__, _mean_depth(estimator._max_samples)
    if not deepest:
        refuse(name, "be fitted on several samples a tree", "one", "fit it with max_samples=256 or so")
    share = 1.0 / (len(estimator.estimators_) * deepest)
    depths = [
        share * (lengths + further - 1.0)[:, None]
        for lengths, further in zip(
            estimator._decision_path_lengths, estimator._average_path_length_per_tree, strict=True
        )
    ]
    trees = _drawn(estimator, estimator.estimators_features_, depths, missing=takes_missing(estimator))
    head = Head("predict", labels=np.array([-1, 1]), squeeze=True)
    bias = np.array([np.log2(-estimator.offset_)])
    return map_of_trees(trees, bias, estimator.n_features_in_, head, step=name.lower(), cancelled=1.0)


def _mean_depth(samples: int) -> float:
    """The mean depth of a random tree of so many samples."""
    if samples <= 2:
        return float(samples == 2)
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)


def are_trees(estimators: Sequence[Any], kinds: Sequence[str] = (*_TREES_OF_CLASSES, *_TREES_OF_VALUES)) -> bool:
    """Whether all are single trees of scikit-learn."""
    return all(type(one).__name__ in kinds and type(one).__module__.startswith("sklearn.") for one in estimators)


def bagged_trees(bagging: Any) -> LinearMap:
    """The mean of trees, each of the inputs that were drawn for it."""
    of = _probabilities if hasattr(bagging, "classes_") else _values
    return of(bagging, bagging.estimators_, bagging.estimators_features_)


def _probabilities(estimator: Any, parts: Sequence[Any], drawn: Sequence[npt.NDArray[np.intp]] = ()) -> LinearMap:
    """Scores are 2·p - 1, of the second of two classes, or of each of several."""
    name, shape = type(estimator).__name__, getattr(estimator, "n_outputs_", 1)
    if shape > 1:
        refuse(name, "have one label for every sample", f"{shape}", "fit one for each label, and compile each")
    labels, share = labels_of(estimator), 1.0 / len(parts)
    kept = slice(1, None) if len(labels) == 2 else slice(None)
    values = [share * (2.0 * _of_all_classes(part, len(labels)) - 1.0)[:, kept] for part in parts]
    outputs = values[0].shape[1]
    return map_of_trees(
        _drawn(estimator, drawn, values, missing=takes_missing(parts[0])),
        np.zeros(outputs),
        estimator.n_features_in_,
        Head("predict_proba", "modified_huber", labels, squeeze=outputs == 1),
        step=name.lower(),
        cancelled=_CANCELLED,
    )


def _of_all_classes(one: Any, classes: int) -> Reals:
    """The probabilities (nodes, classes) of a tree; one that does not know all classes knows them by their numbers."""
    own = np.asarray(one.tree_.value[:, 0, :], dtype=np.float64)
    if own.shape[1] == classes:
        return own
    found = np.zeros((len(own), classes))
    found[:, np.asarray(one.classes_, dtype=np.intp)] = own
    return found


def _values(estimator: Any, parts: Sequence[Any], drawn: Sequence[npt.NDArray[np.intp]] = ()) -> LinearMap:
    values = [part.tree_.value[:, :, 0] / len(parts) for part in parts]
    outputs = values[0].shape[1]
    return map_of_trees(
        _drawn(estimator, drawn, values, missing=takes_missing(parts[0])),
        np.zeros(outputs),
        estimator.n_features_in_,
        Head("predict", squeeze=outputs == 1),
        step=type(estimator).__name__.lower(),
    )


def _drawn(
    estimator: Any, columns: Sequence[npt.NDArray[np.intp]], values: Sequence[Reals], *, missing: bool
) -> list[Tree]:
    """The trees of an estimator with values (nodes, c), on the inputs that were drawn for each; all by default."""
    parts = getattr(estimator, "estimators_", [estimator])
    trees = [tree_of(one.tree_, own, missing=missing) for one, own in zip(parts, values, strict=True)]
    if not len(columns):
        return trees
    return [one.on_columns(chosen) for one, chosen in zip(trees, columns, strict=True)]
