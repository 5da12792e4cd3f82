"""Operators that are ensembles of trees, and what they compute, in their own arithmetic.

Comparisons are those of ONNX Runtime: a missing value goes where ``nodes_missing_value_tracks_true`` says, or where
the comparison itself, with NaN, would send it. Sets are those of the standard: equal to one of its members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from ...arrays import Integers, Reals
from ...errors import UnsupportedModelError
from .graph import Array

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
LEAF = len(MODES)
MEMBER = LEAF - 1

_Comparison = Callable[[Array, Array], Array]
_COMPARE: Sequence[_Comparison] = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)


@dataclass(frozen=True, eq=False)
class OnnxTree:
    """A tree of m nodes, the first of which is the root.

    Attributes
    ----------
    modes, features, numbers, tracks
        For every node (m,): the place of its comparison in :data:`MODES`, or :data:`LEAF`; which value it compares, and
        with what; whether a missing one is true.
    true, false
        Where the comparison leads (m,).
    members
        The set that a node of the mode BRANCH_MEMBER compares with.
    values, output
        See :class:`~hermetic.compiler.ensembles.trees.Tree`.
    """

    modes: Integers
    features: Integers
    numbers: Array
    tracks: npt.NDArray[np.bool_]
    true: Integers
    false: Integers
    members: Mapping[int, Array]
    values: Reals
    output: int

    def is_true(self, node: int, x: Array) -> Array:
        """Where the comparison of one node holds for values of its input."""
        return self._compared(np.full(len(x), node), x)

    def edges(self, node: int) -> Array:
        """The values at and from which the comparison of one node may be another."""
        numbers = self.members[node] if node in self.members else self.numbers[node : node + 1]
        with np.errstate(over="ignore"):
            following = np.nextafter(numbers, np.array(np.inf, numbers.dtype))
        found = {"BRANCH_LEQ": following, "BRANCH_GT": following, "BRANCH_LT": numbers, "BRANCH_GTE": numbers}
        both = np.concatenate([numbers, following])
        return np.unique(found.get(MODES[self.modes[node]], both))

    def leaves_of(self, X: Array) -> Integers:
        """The leaf of every row."""
        nodes = np.zeros(len(X), dtype=np.int64)
        inner = np.arange(len(X)) if self.modes[0] != LEAF else np.arange(0)
        while len(inner):
            at = nodes[inner]
            holds = self._compared(at, X[inner, self.features[at]])
            nodes[inner] = np.where(holds, self.true[at], self.false[at])
            inner = inner[self.modes[nodes[inner]] != LEAF]
        return nodes

    def _compared(self, nodes: Integers, x: Array) -> Array:
        found = np.zeros(len(x), dtype=np.bool_)
        modes = self.modes[nodes]
        for mode, holds in enumerate(_COMPARE):
            those = modes == mode
            found[those] = holds(x[those], self.numbers[nodes[those]])
        for node in np.unique(nodes[modes == MEMBER]).tolist():
            those = nodes == node
            found[those] = np.isin(x[those], self.members[node])
        return np.asarray(found | (np.isnan(x) & self.tracks[nodes]))


@dataclass(frozen=True, eq=False)
class TreeNode:
    """A node that is an ensemble of trees.

    Attributes
    ----------
    node
        As it is in the graph.
    trees
        Their values are those that are added, the share of the mean included.
    base
        What they are added to (k,).
    dtype
        What it compares and adds in.
    transform
        What it makes of the sums, one of NONE, SOFTMAX and LOGISTIC.
    labels
        The classes of a classifier.
    """

    node: NodeProto
    trees: Sequence[OnnxTree]
    base: Reals
    dtype: np.dtype[Any]
    transform: str
    labels: Sequence[int | str] | None = None

    def scores(self, X: Array) -> Reals:
        """The sums (n, k) for what the node takes."""
        rows = X.astype(self.dtype)
        total = np.broadcast_to(self.base, (len(rows), len(self.base))).copy()
        for tree in self.trees:
            found = tree.values[tree.leaves_of(rows)]
            if found.shape[1] == len(self.base):
                total += found
            else:
                total[:, tree.output] += found[:, 0]
        return total

    @property
    def weights_are_positive(self) -> bool:
        """Whether no value of a leaf is negative."""
        return all((tree.values[tree.modes == LEAF] >= 0).all() for tree in self.trees)


def refuse(node: NodeProto, does: str, instead: str) -> UnsupportedModelError:
    """The error about a node that does what is not read."""
    return UnsupportedModelError(f"node {node.name!r} ({node.op_type}) {does}, which is not read: {instead}.")
