"""Trees as scikit-learn keeps them: inputs are cast to float32, and compared x <= threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import get_tags

from ...arrays import Reals
from .step_functions import StepFunction, rounding_to, step
from .trees import LEFT, RIGHT, Tree


def tree_of(one: Any, values: Reals, output: int = 0, *, missing: bool = False) -> Tree:
    """The ``tree_`` of an estimator with the values (nodes, c) of its nodes; ``missing`` says whether NaN may be."""
    thresholds = np.asarray(one.threshold, dtype=np.float64)
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
        above = np.where(nearest > thresholds, nearest, np.nextafter(nearest, np.float32(np.inf)))

    def split(node: int) -> StepFunction:
        nan = (LEFT if one.missing_go_to_left[node] else RIGHT) if missing else None
        return step(int(one.feature[node]), rounding_to(above[node]), LEFT, RIGHT, nan)

    left, right = one.children_left.tolist(), one.children_right.tolist()
    splits = [None if left[node] == right[node] else split(node) for node in range(one.node_count)]
    return Tree(splits, left, right, values, output)


def takes_missing(estimator: Any) -> bool:
    """Whether an estimator takes NaN, whether it saw any or not."""
    return bool(get_tags(estimator).input_tags.allow_nan)
