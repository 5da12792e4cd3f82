"""Boosted trees"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from ...head import Head
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import classifier_head, map_of_trees
from .fitted_trees import tree_of
from .histograms import TREES


@reads("GradientBoostingClassifier", gives=PROBABILITIES, condition=f"{TREES}; `log_loss`, without an `init` estimator")
def _classifier(estimator: Any) -> LinearMap:
    if estimator.loss != "log_loss":
        refuse("GradientBoostingClassifier", "have loss='log_loss'", f"{estimator.loss!r}", "fit it with that")
    return _exact(estimator, classifier_head(estimator.estimators_.shape[1], labels_of(estimator)))


@reads("GradientBoostingRegressor", gives=GIVES, condition=f"{TREES}; without an `init` estimator")
def _regressor(estimator: Any) -> LinearMap:
    return _exact(estimator, Head("predict", squeeze=True))


@reads(
    "AdaBoostClassifier",
    gives=f"{PROBABILITIES}; of three classes or more `predict_proba`: probabilities, labels",
    condition=f"{TREES}; it boosts trees",
)
def _adaptive(estimator: Any) -> LinearMap:
    """Each tree votes with its weight: Zhu, Zou, Rosset and Hastie, *Multi-class AdaBoost*, 2009. Two classes have one
    score, of votes for and against the second.
    """
    name, labels = type(estimator).__name__, labels_of(estimator)
    share = estimator.estimator_weights_ / estimator.estimator_weights_.sum()
    trees = []
    for one, weight in zip(estimator.estimators_, share, strict=False):
        if not hasattr(one, "tree_"):
            refuse(name, "boost trees", type(one).__name__, "use DecisionTreeClassifier(max_depth=1)")
        chosen = one.classes_[one.tree_.value[:, 0, :].argmax(axis=1)]
        votes = np.where(chosen[:, None] == labels, 1.0, -1.0 / (len(labels) - 1))
        # The link takes the scores of several classes divided by their number less 1.
        values = weight * (2.0 * votes[:, 1:] if len(labels) == 2 else votes / (len(labels) - 1))
        trees.append(tree_of(one.tree_, values))
    outputs = 1 if len(labels) == 2 else len(labels)
    head = classifier_head(1, labels) if outputs == 1 else Head("predict_proba", "softmax", labels)
    return map_of_trees(trees, np.zeros(outputs), estimator.n_features_in_, head, step=name.lower())


def _exact(estimator: Any, head: Head) -> LinearMap:
    """Gradient boosting of regression trees, which compare float32(x) <= threshold."""
    name, init = type(estimator).__name__, estimator.init_
    plain = isinstance(init, DummyRegressor) or (isinstance(init, DummyClassifier) and init.strategy != "stratified")
    if not (plain or (isinstance(init, str) and init == "zero")):
        refuse(name, "start from a constant", f"init={init!r}", "leave init out")
    inputs = estimator.n_features_in_
    start = estimator._raw_predict_init(np.zeros((1, inputs), dtype=np.float32))[0]
    trees = [
        tree_of(one.tree_, estimator.learning_rate * one.tree_.value[:, 0, :], output)
        for row in estimator.estimators_
        for output, one in enumerate(row)
    ]
    return map_of_trees(trees, np.asarray(start, dtype=np.float64), inputs, head, step=name.lower())
