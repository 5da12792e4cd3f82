"""Trees whose splits are all on one input, as step functions of it.

A split gives one part of the input's values to its left child, the others to its right one. So where both are step
functions of this input, or constants, the tree is one.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Reals
from ..sklearn.registry import refuse
from .step_functions import StepFunction

LEFT, RIGHT = np.array([1.0]), np.array([0.0])
"""What a split is, as a step function: where values go left, and where right."""


def leaf(value: Reals) -> StepFunction:
    """A constant (k,)."""
    return StepFunction(0, np.zeros(0), value[None])


def tree(name: str, split: StepFunction, left: StepFunction, right: StepFunction) -> StepFunction:
    """The function that is ``left`` where ``split`` is LEFT, and ``right`` where it is RIGHT.

    Parameters
    ----------
    name
        Whose tree it is, in messages.

    Raises
    ------
    UnsupportedModelError
        If one of them splits on another input.
    """
    for child in (left, right):
        if not _is_leaf(child) and child.column != split.column:
            refuse(
                name,
                "have trees that split on one input each, so that its score is a sum of functions of single inputs",
                f"a tree that splits on inputs {split.column} and {child.column}",
                "fit it with max_depth=1 and more trees, or with interaction constraints that keep all inputs apart, "
                "or fit an ExplainableBoostingClassifier or -Regressor, which has pairs of inputs too",
            )
    edges = np.unique(np.concatenate([one.edges for one in (split, left, right)]))
    starts = np.append(-np.inf, edges)
    values = np.where(split.at(starts) == LEFT, left.at(starts), right.at(starts))
    if split.missing is None:
        return StepFunction(split.column, edges, values)
    taken = left if np.array_equal(split.missing, LEFT) else right
    return StepFunction(split.column, edges, values, taken.values[0] if taken.missing is None else taken.missing)


def _is_leaf(one: StepFunction) -> bool:
    return not len(one.edges) and one.missing is None
