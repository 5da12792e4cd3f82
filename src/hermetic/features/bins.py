"""Which interval each input is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..errors import ParameterError
from .block import BlockDefaults, Reals, real_number, whole_number

MAX_INPUTS = 1 << 16
MAX_EDGES = 1 << 20
_LARGEST = 1.7976931348623157e308


@dataclass(frozen=True, eq=False)
class Bins(BlockDefaults):
    """One-hot intervals: a linear map of them is any sum of step functions of single inputs.

    Input i with edges e_1 < … < e_m gives m + 1 features, of which one is 1 and the rest 0: feature j is 1 where
    e_j <= x < e_(j+1). Public: every edge.

    Parameters
    ----------
    edges
        The edges of each input, increasing; an input without edges gives one feature that is always 1.

    Raises
    ------
    ParameterError
        For edges that are not finite and increasing, or more than 2^20 of them.
    """

    edges: tuple[Reals, ...]
    kind: ClassVar[str] = "bins"
    whole: ClassVar[bool] = True

    def __init__(self, edges: Iterable[Sequence[float] | Reals]) -> None:
        read = tuple(np.array(one, dtype=np.float64).reshape(-1) for one in edges)
        whole_number(len(read), 1, MAX_INPUTS, "the number of inputs with bins")
        whole_number(sum(map(len, read)), 0, MAX_EDGES, "the number of edges")
        for i, one in enumerate(read):
            if not np.isfinite(one).all() or (np.diff(one) <= 0).any():
                raise ParameterError(f"the edges of bins must be finite and increasing. Those of input {i} are not.")
        object.__setattr__(self, "edges", read)

    @property
    def inputs(self) -> int:
        return len(self.edges)

    @cached_property
    def outputs(self) -> int:
        return sum(len(one) + 1 for one in self.edges)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.zeros(self.outputs), np.ones(self.outputs)

    def apply(self, values: Reals) -> Reals:
        features = np.zeros((len(values), self.outputs))
        rows, start = np.arange(len(values)), 0
        for column, edges in zip(values.T, self.edges, strict=True):
            features[rows, start + np.searchsorted(edges, column, side="right")] = 1.0
            start += len(edges) + 1
        return features

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "edges": [one.tolist() for one in self.edges]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Bins:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        edges = document["edges"]
        lists = isinstance(edges, list) and all(isinstance(one, list) for one in edges)
        if not lists or len(edges) > MAX_INPUTS or sum(map(len, edges)) > MAX_EDGES:
            raise ParameterError(f"edges must be a list of at most {MAX_INPUTS} lists, {MAX_EDGES} numbers in all.")
        return cls([[real_number(one, -_LARGEST, _LARGEST, "an edge") for one in row] for row in edges])
