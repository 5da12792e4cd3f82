"""Decision trees as every library's are read: splits of single inputs, and leaves with values.

A split gives one part of its input's values to the left child, the others to the right one. So where all splits of a
tree are on one input, the tree is a step function of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...errors import UnsupportedModelError
from .step_functions import StepFunction

LEFT, RIGHT = np.array([1.0]), np.array([0.0])
"""What a split is, as a step function: where values go left, and where right."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree of n nodes, the first of which is the root.

    Attributes
    ----------
    splits
        Where values go, LEFT or RIGHT, for every node (n,); None for a leaf.
    left, right
        The children of every node (n,); those of leaves mean nothing.
    values
        The values of leaves (n, c); those of other nodes mean nothing.
    output
        The score that the tree is added to where c is 1; with several values, these are all scores.
    """

    splits: Sequence[StepFunction | None]
    left: Sequence[int]
    right: Sequence[int]
    values: Reals
    output: int = 0

    @property
    def reachable(self) -> list[int]:
        """The nodes that are reached from the root, each before its children."""
        found, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            found.append(node)
            if self.splits[node] is not None:
                waiting += [self.right[node], self.left[node]]
        return found

    @property
    def columns(self) -> set[int]:
        """The inputs that it splits on."""
        return {split.column for node in self.reachable if (split := self.splits[node]) is not None}

    def on_columns(self, columns: npt.NDArray[np.intp]) -> Tree:
        """The same of more inputs, of which it takes those with these numbers.

        Raises
        ------
        UnsupportedModelError
            If it splits on an input without a number.
        """
        if max(self.columns, default=-1) >= len(columns):
            raise UnsupportedModelError(
                f"trees must split on the inputs that they were fitted on, 0 to {len(columns) - 1}. Got "
                f"{max(self.columns)} instead: the file was changed. Fit it again."
            )
        splits = [None if one is None else replace(one, column=int(columns[one.column])) for one in self.splits]
        return replace(self, splits=splits)

    def reach(self, outputs: int) -> Reals:
        """The largest absolute value of each score (outputs,)."""
        leaves = [node for node in self.reachable if self.splits[node] is None]
        return self.placed(np.asarray(np.abs(self.values[leaves]).max(axis=0)), outputs)

    def placed(self, values: Reals, outputs: int) -> Reals:
        """Values (..., c) as those of all scores (..., outputs)."""
        if values.shape[-1] > 1:
            return values
        found: Reals = values * np.eye(outputs)[self.output]
        return found

    def as_function(self, outputs: int) -> StepFunction:
        """The tree as a function of the one input that it splits on."""
        found: dict[int, StepFunction] = {}
        for node in reversed(self.reachable):
            split = self.splits[node]
            if split is None:
                found[node] = leaf(self.placed(self.values[node], outputs))
            else:
                found[node] = branch(split, found.pop(self.left[node]), found.pop(self.right[node]))
        return found[0]


def leaf(value: Reals) -> StepFunction:
    """A constant (k,)."""
    return StepFunction(0, np.zeros(0), value[None])


def branch(split: StepFunction, left: StepFunction, right: StepFunction) -> StepFunction:
    """The function that is ``left`` where ``split`` is LEFT, and ``right`` where it is RIGHT; both are functions of its
    input, or constants.
    """
    edges = np.unique(np.concatenate([one.edges for one in (split, left, right)]))
    starts = np.append(-np.inf, edges)
    values = np.where(split.at(starts) == LEFT, left.at(starts), right.at(starts))
    if split.missing is None:
        return StepFunction(split.column, edges, values)
    taken = left if np.array_equal(split.missing, LEFT) else right
    return StepFunction(split.column, edges, values, taken.values[0] if taken.missing is None else taken.missing)
