"""Functions of two inputs that are constant on the cells of a grid: what an explainable boosting machine adds to a sum
of functions of single inputs (Y. Lou, R. Caruana, J. Gehrke, G. Hooker: *Accurate intelligible models with pairwise
interactions*, KDD 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Reals
from ...features import Block, Columns, PairBins


@dataclass(frozen=True, eq=False)
class PairFunction:
    """``values[i, j]`` (k,) where the first input is in its interval i and the second in its interval j.

    Attributes
    ----------
    columns
        The numbers of the two inputs.
    edges
        Those of the first, (m,), and of the second, (n,).
    missing
        Whether NaN has a meaning; it is the last interval.
    values
        (m + 1, n + 1, k), one more where NaN has a meaning.
    """

    columns: tuple[int, int]
    edges: tuple[Reals, Reals]
    missing: tuple[bool, bool]
    values: Reals

    @property
    def cells(self) -> int:
        rows, columns, _ = self.values.shape
        return int(rows * columns)

    @property
    def rows(self) -> Reals:
        """The values of all cells, those of the first interval of the first input before others: (cells, k)."""
        return self.values.reshape(self.cells, -1)

    @property
    def reach(self) -> Reals:
        """Largest absolute value (k,)."""
        return np.asarray(np.abs(self.rows).max(axis=0))

    def block(self, inputs: int) -> Block:
        """The indicators of the cells, in the order of ``rows``."""
        return Columns(PairBins(self.edges, self.missing), self.columns, inputs)

    def simplified(self) -> PairFunction:
        """The same function without the edges that change nothing."""
        edges, values = list(self.edges), self.values
        for axis, one in enumerate(self.edges):
            last = len(one) + 1
            inner = np.diff(np.take(values, range(last), axis), axis=axis)
            acts = (inner != 0).any(axis=tuple({0, 1, 2} - {axis}))
            edges[axis] = one[acts]
            kept = np.concatenate([[True], acts, np.ones(values.shape[axis] - last, dtype=np.bool_)])
            values = np.compress(kept, values, axis)
        return PairFunction(self.columns, (edges[0], edges[1]), self.missing, values)
