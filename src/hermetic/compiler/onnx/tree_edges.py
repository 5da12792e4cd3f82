"""Where the comparisons of trees change, as edges of the model's inputs.

What stands between an input and a tree, such as a scaler, is monotone in that input, in the model's own arithmetic: it
is rounded once and again, but never turned around. So the first input at which a comparison changes is found by
bisection of all float64 numbers, and nothing of what stands between becomes public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from ...errors import UnsupportedModelError
from ..ensembles.step_functions import LARGEST, StepFunction
from ..ensembles.trees import LEFT, RIGHT, Tree
from .graph import Array
from .tree_nodes import LEAF, OnnxTree, TreeNode, refuse

Compute = Callable[[Array], Array]
"""compute(X): what a tree takes (n, m) of inputs X (n, d)."""

_STEPS = 65
"""Halvings of all float64 numbers until one is left."""

_BLOCK = 1 << 20
_MAX_CELLS = 1 << 27
"""Numbers that a step of the bisection may take: a minute in all."""


@dataclass(frozen=True, eq=False)
class Taken:
    """What a node takes: each of its m values is a monotone function of one input.

    Attributes
    ----------
    compute
        All of them, of all inputs.
    columns, signs
        Which input each depends on (m,), and whether it rises (1), falls (-1) or is no function of any (0).
    inputs
        How many inputs there are.
    limits
        The least and the largest number of each input's type (d,).
    reals
        Which inputs (d,) may be NaN at all.
    """

    compute: Compute
    columns: Integers
    signs: Integers
    inputs: int
    limits: tuple[Reals, Reals]
    reals: npt.NDArray[np.bool_]

    def of_rows(self, rows: Array) -> Array:
        """The values (n, m) where the input of each has the value of ``rows`` (n, m), one column after the other."""
        found = np.empty(rows.shape, dtype=self.compute(np.zeros((1, self.inputs))).dtype)
        # Columns of one input are asked about apart.
        order = np.argsort(self.columns, kind="stable")
        for round_ in _rounds(self.columns[order]):
            those = order[round_]
            X = np.zeros((len(rows), self.inputs))
            X[:, self.columns[those]] = rows[:, those]
            found[:, those] = self.compute(X)[:, those]
        return found


def _rounds(columns: Integers) -> list[Integers]:
    """Places of sorted columns such that no column is twice in one round."""
    places = np.arange(len(columns))
    first = np.searchsorted(columns, columns)
    turn = places - first
    return [places[turn == one] for one in range(int(turn.max(initial=0)) + 1)]


def trees_of(one: TreeNode, taken: Taken, *, missing: npt.NDArray[np.bool_]) -> list[Tree]:
    """The trees as functions of the model's inputs; ``missing`` (d,) says which may be NaN."""
    positions = _Positions(one.trees, taken)
    if not taken.signs[list(positions.values)].all():
        raise refuse(one.node, "compares what no input changes, such as products with 0", "leave that column out")
    nan = taken.of_rows(np.full((1, len(taken.columns)), np.nan))[0].astype(one.dtype)
    return [
        Tree(
            [
                None if mode == LEAF else _split(tree, node, positions, nan, missing)
                for node, mode in enumerate(tree.modes.tolist())
            ],
            tree.true.tolist(),
            tree.false.tolist(),
            tree.values,
            tree.output,
        )
        for tree in one.trees
    ]


def takes_missing(one: TreeNode, taken: Taken) -> npt.NDArray[np.bool_]:
    """Which inputs (d,) may be NaN: all if some comparison says where it leads, and those that are imputed."""
    found = np.full(taken.inputs, any(tree.tracks[tree.modes != LEAF].any() for tree in one.trees))
    nan = taken.of_rows(np.full((1, len(taken.columns)), np.nan))[0]
    imputed = (taken.signs != 0) & ~np.isnan(nan.astype(np.float64))
    found[taken.columns[imputed]] = True
    return np.asarray(found & taken.reals)


def _split(
    tree: OnnxTree, node: int, positions: _Positions, nan: Array, missing: npt.NDArray[np.bool_]
) -> StepFunction:
    """One comparison: LEFT where it is true."""
    value = int(tree.features[node])
    edges = tree.edges(node)
    starts = np.append(np.array(-np.inf, edges.dtype), edges)
    sides = np.where(tree.is_true(node, starts)[:, None], LEFT, RIGHT)
    column = int(positions.taken.columns[value])
    where = LEFT if tree.is_true(node, nan[value : value + 1])[0] else RIGHT
    return _moved(column, positions.of(value, edges), sides, positions.falls(value), where if missing[column] else None)


def _moved(column: int, places: Reals, sides: Reals, falls: bool, missing: Reals | None) -> StepFunction:
    """``sides`` (e + 1, 1) between edges that are at ``places`` (e,) of the input, which may be infinite."""
    if falls:
        places, sides = places[::-1], sides[::-1]
    edges = np.unique(places[np.abs(places) <= LARGEST])
    passed = np.searchsorted(places, np.append(-LARGEST, edges), side="right")
    return StepFunction(column, edges, sides[passed], missing)


class _Positions:
    """The input from which each edge of each value of a node is passed: the least one, or, where the value falls, the
    least at which it is no more.
    """

    def __init__(self, trees: Sequence[OnnxTree], taken: Taken) -> None:
        self.taken = taken
        edges: dict[int, list[Array]] = {}
        for tree in trees:
            for node in np.flatnonzero(tree.modes != LEAF).tolist():
                edges.setdefault(int(tree.features[node]), []).append(tree.edges(node))
        self._edges = {value: np.unique(np.concatenate(own)) for value, own in edges.items()}
        self._places = _bisected(self._edges, taken)

    @property
    def values(self) -> Iterable[int]:
        """The numbers of the values that are compared."""
        return self._edges.keys()

    def of(self, value: int, edges: Array) -> Reals:
        """Where they are (e,), rising, or falling where the value falls."""
        return np.asarray(self._places[value][np.searchsorted(self._edges[value], edges)])

    def falls(self, value: int) -> bool:
        return bool(self.taken.signs[value] < 0)


def _bisected(edges: dict[int, Array], taken: Taken) -> dict[int, Reals]:
    """The places of the edges of every value, some edges of all values at a time."""
    m, rows = len(taken.columns), max((len(cuts) for cuts in edges.values()), default=0)
    if rows * max(m, taken.inputs) > _MAX_CELLS:
        raise UnsupportedModelError(
            f"trees must have at most {_MAX_CELLS // max(m, taken.inputs):,} thresholds of one of {taken.inputs:,} "
            f"inputs. Got {rows:,} instead: fit them on fewer bins or inputs, or compile the estimator itself."
        )
    wanted = np.full((rows, m), np.inf)
    for value, one in edges.items():
        wanted[: len(one), value] = one
    step = max(1, _BLOCK // m)
    places = np.concatenate([_places(wanted[i : i + step], taken) for i in range(0, max(rows, 1), step)])
    return {value: places[: len(one), value] for value, one in edges.items()}


def _places(wanted: Reals, taken: Taken) -> Reals:
    """Where each of m values passes ``wanted`` (rows, m)."""
    falls = taken.signs < 0

    def passed(x: Reals) -> npt.NDArray[np.bool_]:
        return np.asarray((taken.of_rows(x).astype(np.float64) >= wanted) != falls)

    low, high = (np.broadcast_to(_order(limit[taken.columns]), wanted.shape) for limit in taken.limits)
    first, last = passed(_number(low)), passed(_number(high))
    for _ in range(_STEPS):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        beyond = passed(_number(middle))
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return np.where(first, -np.inf, np.where(last, _number(high), np.inf))


def _order(numbers: Reals) -> Integers:
    """Whole numbers in the order of float64 numbers, without a gap."""
    bits = np.asarray(numbers, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _number(order: Integers) -> Reals:
    """The numbers of :func:`_order`."""
    return np.where(order < 0, np.iinfo(np.int64).min - order, order).astype(np.int64).view(np.float64)
