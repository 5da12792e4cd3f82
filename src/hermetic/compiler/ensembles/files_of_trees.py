"""Trees of scikit-learn in files of skops: their arrays are checked before scikit-learn has them.

scikit-learn follows the numbers of children and of inputs without looking whether they are in range, so a made-up file
could make it read any memory. skops trusts neither class for that reason; within :func:`checked` both are safe to load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting import predictor
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.tree import _tree

from ...arrays import Integers
from ...circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from .tree_files import MAX_NODES

TYPES = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.tree._tree.Tree")
"""What they are called."""


class CheckedTree(_tree.Tree):  # type: ignore[misc]
    """A tree of scikit-learn that raises ValueError for arrays that it could not have written."""

    def __new__(cls, n_features: Any, n_classes: Any, n_outputs: Any) -> CheckedTree:
        counts = np.asarray(n_classes)
        whole = all(isinstance(one, int) for one in (n_features, n_outputs)) and counts.dtype.kind in "iu"
        if not whole or counts.ndim != 1 or len(counts) != n_outputs or not 1 <= n_features <= MAX_FEATURES:
            raise ValueError("a tree must have inputs, and a number of classes for each of its outputs")
        if not 1 <= n_outputs <= MAX_OUTPUTS or counts.min() < 1 or counts.max() > MAX_OUTPUTS:
            raise ValueError(f"a tree must have 1 to {MAX_OUTPUTS} outputs, and classes")
        found: CheckedTree = super().__new__(cls, n_features, n_classes, n_outputs)
        return found

    def __setstate__(self, state: Any) -> None:
        nodes, count = state.get("nodes"), state.get("node_count")
        if not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or count != len(nodes):
            raise ValueError("node_count must be the number of nodes")
        leaves = nodes["left_child"] == _tree.TREE_LEAF
        if (leaves != (nodes["right_child"] == _tree.TREE_LEAF)).any():
            raise ValueError("a node must have two children, or none")
        _check(leaves, nodes["left_child"], nodes["right_child"], nodes["feature"], self.n_features)
        super().__setstate__(state)


class CheckedPredictor(predictor.TreePredictor):  # type: ignore[misc]
    """A tree of histogram gradient boosting that raises ValueError for arrays that it could not have written."""

    def __setstate__(self, state: Any) -> None:
        nodes = state.get("nodes")
        if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1:
            raise ValueError("nodes must be the records of a tree")
        leaves = nodes["is_leaf"] != 0
        _check(leaves, nodes["left"], nodes["right"], nodes["feature_idx"], MAX_FEATURES)
        if (nodes["is_categorical"][~leaves] != 0).any():
            raise ValueError("splits by categories are not read from such a file: keep the estimator as a pickle")
        self.__dict__.update(state)


def _check(leaves: Any, left: Integers, right: Integers, features: Integers, inputs: int) -> None:
    """That children come after their parent, each of one alone, and that inputs are in range."""
    count = len(leaves)
    if not 1 <= count <= MAX_NODES:
        raise ValueError(f"a tree must have 1 to {MAX_NODES} nodes, not {count}")
    parents = np.flatnonzero(~leaves)
    children = np.concatenate([left[parents], right[parents]]).astype(np.int64)
    if (children <= np.tile(parents, 2)).any() or (children >= count).any() or len(set(children)) != len(children):
        raise ValueError("every node of a tree but the root must have one parent, which stands before it")
    used = features[parents].astype(np.int64)
    if ((used < 0) | (used >= inputs)).any():
        raise ValueError(f"a tree must split on inputs from 0 to {inputs - 1}")


@contextmanager
def checked() -> Iterator[None]:
    """Within it, what skops makes of :data:`TYPES` are the classes here. Not for threads that fit trees meanwhile."""
    own = _tree.Tree, predictor.TreePredictor
    _tree.Tree, predictor.TreePredictor = CheckedTree, CheckedPredictor
    try:
        yield
    finally:
        _tree.Tree, predictor.TreePredictor = own
