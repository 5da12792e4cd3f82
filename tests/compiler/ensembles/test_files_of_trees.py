"""Trees of scikit-learn in made-up files of skops: scikit-learn itself would read memory that is not theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import _tree

import hermetic
from hermetic.cli.estimators import load_estimator
from hermetic.compiler.ensembles.files_of_trees import CheckedTree, checked

X, y = load_breast_cancer(return_X_y=True)
PARENT, FEATURE = "must have one parent", "split on inputs from 0 to"

FOREST = [
    ("left_child", 0, 10**6, PARENT),
    ("left_child", 0, 0, PARENT),
    ("right_child", 1, 0, PARENT),
    ("left_child", 0, -5, PARENT),
    ("left_child", 0, -1, "two children, or none"),
    ("feature", 0, 30, FEATURE),
    ("feature", 0, -3, FEATURE),
]
BOOSTED = [
    ("left", 0, 10**6, PARENT),
    ("right", 0, 0, PARENT),
    ("feature_idx", 0, -1, FEATURE),
    ("feature_idx", 0, 1 << 25, FEATURE),
    ("is_categorical", 0, 1, "splits by categories"),
]


def refuses(estimator: Any, message: str, folder: Path) -> None:
    path = folder / "model.skops"
    skops.io.dump(estimator, path)
    own = _tree.Tree
    with pytest.raises(hermetic.CompileError, match=message):
        load_estimator(path, trust_pickle=False)
    assert _tree.Tree is own


@pytest.mark.parametrize(("name", "node", "value", "message"), FOREST)
def test_a_forest_that_was_changed_is_refused(name: str, node: int, value: int, message: str, tmp_path: Path) -> None:
    forest = RandomForestClassifier(2, max_depth=3, random_state=0).fit(X, y)
    tree = forest.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][name][node] = value
    tree.__setstate__(state)
    refuses(forest, message, tmp_path)


@pytest.mark.parametrize(("name", "node", "value", "message"), BOOSTED)
def test_boosted_trees_that_were_changed_are_refused(
    name: str, node: int, value: int, message: str, tmp_path: Path
) -> None:
    boosted = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(X, y)
    boosted._predictors[0][0].nodes[name][node] = value
    refuses(boosted, message, tmp_path)
    boosted._predictors[0][0].nodes = np.zeros(3)
    refuses(boosted, "records of a tree", tmp_path)


def test_a_model_of_fewer_inputs_than_its_trees_have_is_refused(tmp_path: Path) -> None:
    for model in (RandomForestClassifier(2, random_state=0), HistGradientBoostingClassifier(max_iter=2)):
        model.fit(X, y).n_features_in_ = 5
        skops.io.dump(model, tmp_path / "model.skops")
        read = load_estimator(tmp_path / "model.skops", trust_pickle=False)
        with pytest.raises(hermetic.CompileError, match="0 to 4"):
            hermetic.compile(read, X[:, :5], public=[type(model).__name__])


@pytest.mark.parametrize(
    "arguments", [(3, np.array([2]), 2), (0, np.array([2]), 1), (3, np.array([0]), 1), (3, np.array([1 << 40]), 1)]
)
def test_trees_are_made_of_what_they_say(arguments: Any) -> None:
    with checked(), pytest.raises(ValueError, match="a tree must have"):
        CheckedTree(*arguments)
