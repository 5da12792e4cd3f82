"""Which cell of a grid two inputs are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Reals
from ..errors import ParameterError
from .bins import check_edges, interval, read_flags
from .block import BlockDefaults, Flags, Numbers, real_numbers, whole_number

MAX_CELLS = 1 << 16


@dataclass(frozen=True, eq=False)
class PairBins(BlockDefaults):
    """One-hot cells of two inputs: a linear map of them is any function of both that is constant on the cells.

    An input with m edges has m + 1 intervals, e_j <= x < e_(j+1), and one more for NaN where it may be missing. With w
    intervals of the second input, feature i·w + j is 1 where the first is in its interval i and the second in its
    interval j; all others are 0. Public: every edge.

    Parameters
    ----------
    edges
        The edges of the first and of the second input, increasing.
    missing
        Whether the first and the second may be NaN.

    Raises
    ------
    ParameterError
        For edges that are not finite and increasing, or more than 65,536 cells.
    """

    edges: tuple[Reals, Reals]
    may_miss: tuple[bool, bool]
    kind: ClassVar[str] = "pair_bins"
    whole: ClassVar[bool] = True
    inputs: ClassVar[int] = 2

    def __init__(self, edges: Sequence[Sequence[float] | Reals], missing: Sequence[bool] = (False, False)) -> None:
        if len(edges) != 2 or len(missing) != 2:
            raise ParameterError("bins of a pair must have the edges of two inputs, and a flag of each.")
        first, second = (np.array(row, dtype=np.float64).reshape(-1) for row in edges)
        for one, name in ((first, "the first input"), (second, "the second input")):
            check_edges(one, name)
        object.__setattr__(self, "edges", (first, second))
        object.__setattr__(self, "may_miss", (bool(missing[0]), bool(missing[1])))
        whole_number(self.outputs, 1, MAX_CELLS, "the number of cells of a pair")

    @property
    def shape(self) -> tuple[int, int]:
        """Intervals of the first and of the second input."""
        (first, second), (one, other) = self.edges, self.may_miss
        return len(first) + 1 + one, len(second) + 1 + other

    @property
    def outputs(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def missing(self) -> Flags:
        return np.array(self.may_miss)

    @property
    def groups(self) -> Numbers:
        return np.zeros(self.outputs, dtype=np.intp)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.zeros(self.outputs), np.ones(self.outputs)

    def apply(self, values: Reals) -> Reals:
        features = np.zeros((len(values), self.outputs))
        first, second = (interval(edges, column) for edges, column in zip(self.edges, values.T, strict=True))
        features[np.arange(len(values)), first * self.shape[1] + second] = 1.0
        return features

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "edges": [row.tolist() for row in self.edges], "missing": list(self.may_miss)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> PairBins:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        edges = document["edges"]
        if not isinstance(edges, list) or len(edges) != 2:
            raise ParameterError("edges must be two lists.")
        return cls([real_numbers(row, MAX_CELLS, "edges") for row in edges], read_flags(document["missing"], 2))
