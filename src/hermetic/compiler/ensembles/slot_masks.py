"""The slots of the inputs that trees split on, and what a split is on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...arrays import Reals
from ...circuits.trees.slots import Slots
from .step_functions import StepFunction
from .trees import LEFT

Mask = npt.NDArray[np.bool_]
"""Some slots of one input (width,)."""


@dataclass(frozen=True, eq=False)
class Axes:
    """The edges of inputs.

    Attributes
    ----------
    columns
        The numbers of the inputs (i,), increasing.
    edges
        The edges of each.
    missing
        Which of them may be NaN.
    """

    columns: Sequence[int]
    edges: Sequence[Reals]
    missing: Sequence[bool]

    @classmethod
    def of(cls, splits: Iterable[StepFunction]) -> Axes:
        """All inputs with all edges of splits."""
        edges: dict[int, set[float]] = {}
        missing: dict[int, bool] = {}
        for one in splits:
            edges.setdefault(one.column, set()).update(one.edges.tolist())
            missing[one.column] = missing.get(one.column, False) or one.missing is not None
        columns = sorted(edges)
        return cls(columns, [np.array(sorted(edges[i])) for i in columns], [missing[i] for i in columns])

    @property
    def slots(self) -> Slots:
        """How many slots each has."""
        return Slots(
            np.array([len(edges) for edges in self.edges], dtype=np.int64), np.array(self.missing, dtype=np.bool_)
        )

    def kept(self, changes: Sequence[Mask]) -> tuple[Axes, dict[int, Mask]]:
        """The same without what no word depends on, and for every column the slots (width,) that stay.

        ``changes`` say for every input which slots differ from the one before, or for NaN from the first: (width - 1,).
        """
        used = [i for i, one in enumerate(changes) if one.any()]
        axes = Axes(
            [self.columns[i] for i in used],
            [self.edges[i][changes[i][: len(self.edges[i])]] for i in used],
            [self.missing[i] for i in used],
        )
        stay = {}
        for i in used:
            stay[self.columns[i]] = np.append(True, changes[i])
            stay[self.columns[i]][len(self.edges[i]) + 1 :] = True
        return axes, stay


class SplitMasks:
    """Which slots of its input each split sends to the left, for axes that have all edges of it."""

    def __init__(self, axes: Axes) -> None:
        self._edges = dict(zip(axes.columns, axes.edges, strict=True))
        self._missing = dict(zip(axes.columns, axes.missing, strict=True))
        self._starts = {column: np.append(-np.inf, edges) for column, edges in self._edges.items()}

    def width(self, column: int) -> int:
        """The slots of an input."""
        return len(self._starts[column]) + self._missing[column]

    def changes(self, column: int, values: npt.NDArray[np.generic]) -> Mask:
        """Which of values (width, ...) differ from the one before, or that of NaN from the first: (width - 1,)."""
        edges = len(self._edges[column])
        apart = np.concatenate([values[1 : edges + 1] != values[:edges], values[edges + 1 :] != values[0]])
        return np.asarray(apart.reshape(len(apart), -1).any(axis=1))

    def goes_left(self, split: StepFunction) -> Mask:
        """The slots that a split sends to the left."""
        found = np.asarray(split.at(self._starts[split.column])[:, 0] == LEFT[0])
        if not self._missing[split.column]:
            return found
        return np.append(found, split.missing is not None and split.missing[0] == LEFT[0])

    def filled(self, column: int, values: Reals, allowed: Mask) -> Reals:
        """Values (width, c) with those of slots that are not allowed as those of a neighbour that is."""
        edges = len(self._edges[column])
        places = np.where(allowed[: edges + 1], np.arange(edges + 1), -1)
        last = np.maximum.accumulate(places)
        first = int(np.argmax(allowed))
        source = np.where(last < 0, first, last)
        if self._missing[column]:
            source = np.append(source, edges + 1 if allowed[-1] else source[0])
        return values[source]
