"""Which interval each input is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import BlockDefaults, Flags, Numbers, real_numbers, whole_number

MAX_INPUTS = 1 << 16
MAX_EDGES = 1 << 20


@dataclass(frozen=True, eq=False)
class Bins(BlockDefaults):
    """One-hot intervals: a linear map of them is any sum of step functions of single inputs.

    Input i with edges e_1 < … < e_m gives m + 1 features, of which one is 1 and the rest 0: feature j is 1 where
    e_j <= x < e_(j+1). An input that may be missing gives one more, which is 1 where x is NaN. Public: every edge.

    Parameters
    ----------
    edges
        The edges of each input, increasing; an input without edges gives one feature that is always 1.
    missing
        Which inputs may be NaN, (inputs,); none by default.

    Raises
    ------
    ParameterError
        For edges that are not finite and increasing, or more than 2^20 of them, or as many flags as there are not
        inputs.
    """

    edges: tuple[Reals, ...]
    may_miss: Flags
    kind: ClassVar[str] = "bins"
    whole: ClassVar[bool] = True

    def __init__(self, edges: Iterable[Sequence[float] | Reals], missing: Sequence[bool] | Flags | None = None) -> None:
        read = tuple(np.array(row, dtype=np.float64).reshape(-1) for row in edges)
        whole_number(len(read), 1, MAX_INPUTS, "the number of inputs with bins")
        whole_number(sum(map(len, read)), 0, MAX_EDGES, "the number of edges")
        for i, one in enumerate(read):
            check_edges(one, f"input {i}")
        flags = np.zeros(len(read), dtype=np.bool_) if missing is None else np.array(missing, dtype=np.bool_)
        if flags.shape != (len(read),):
            raise ParameterError(
                f"missing must be a flag of each of the {len(read)} inputs. Got {flags.shape} instead."
            )
        object.__setattr__(self, "edges", read)
        object.__setattr__(self, "may_miss", flags)

    @property
    def inputs(self) -> int:
        return len(self.edges)

    @cached_property
    def outputs(self) -> int:
        return sum(self._widths)

    @property
    def _widths(self) -> list[int]:
        return [len(one) + 1 + may for one, may in zip(self.edges, self.may_miss.tolist(), strict=True)]

    @property
    def missing(self) -> Flags:
        return self.may_miss

    @property
    def groups(self) -> Numbers:
        return np.repeat(np.arange(self.inputs), self._widths)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.zeros(self.outputs), np.ones(self.outputs)

    def apply(self, values: Reals) -> Reals:
        features = np.zeros((len(values), self.outputs))
        rows, start = np.arange(len(values)), 0
        for column, edges, width in zip(values.T, self.edges, self._widths, strict=True):
            features[rows, start + interval(edges, column)] = 1.0
            start += width
        return features

    def document(self) -> dict[str, Any]:
        flags = {"missing": self.may_miss.tolist()} if self.may_miss.any() else {}
        return {"kind": self.kind, "edges": [row.tolist() for row in self.edges], **flags}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Bins:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        edges = document["edges"]
        lists = isinstance(edges, list) and all(isinstance(row, list) for row in edges)
        if not lists or len(edges) > MAX_INPUTS or sum(map(len, edges)) > MAX_EDGES:
            raise ParameterError(f"edges must be a list of at most {MAX_INPUTS} lists, {MAX_EDGES} numbers in all.")
        flags = read_flags(document.get("missing", [False] * len(edges)), len(edges))
        return cls([real_numbers(row, MAX_EDGES, "edges") for row in edges], flags)


def interval(edges: Reals, values: Reals) -> npt.NDArray[np.intp]:
    """The number of the interval that each value is in, from 0 to len(edges); one more where it is NaN."""
    return np.asarray(np.searchsorted(edges, values, side="right") + np.isnan(values))


def check_edges(edges: Reals, name: str) -> None:
    """Raise :class:`ParameterError` unless edges are finite and increasing."""
    if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ParameterError(f"the edges of bins must be finite and increasing. Those of {name} are not.")


def read_flags(value: Any, count: int) -> list[bool]:
    """A list of ``count`` booleans. Raises :class:`ParameterError`."""
    if not isinstance(value, list) or len(value) != count or not all(isinstance(one, bool) for one in value):
        raise ParameterError(f"missing must be a list of {count} booleans.")
    return value
