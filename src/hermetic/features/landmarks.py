"""How near inputs are to public samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from .block import EPSILON, BlockDefaults, real_number
from .matrices import matrix, matrix_from

_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Landmarks(BlockDefaults):
    """exp(-gamma·|x - row|²) for every row: **the rows are public**, and where they were taken from training data,
    everyone who may ask the model sees these samples.

    Parameters
    ----------
    rows
        (outputs, inputs), at most 2^20 numbers.
    gamma
        Positive.

    Raises
    ------
    ParameterError
        For other shapes, or values that are not finite.
    """

    rows: Reals
    gamma: float
    kind: ClassVar[str] = "landmarks"
    whole: ClassVar[bool] = False

    def __init__(self, rows: npt.ArrayLike, gamma: float) -> None:
        object.__setattr__(self, "rows", matrix(rows, "the rows of landmarks"))
        object.__setattr__(self, "gamma", real_number(gamma, 1e-300, 1e300, "gamma"))

    @property
    def inputs(self) -> int:
        return len(self.rows[0])

    @property
    def outputs(self) -> int:
        return len(self.rows)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """The farthest and the nearest point of the range, coordinate by coordinate."""
        farthest = np.maximum(np.abs(self.rows - lower), np.abs(self.rows - upper))
        nearest = np.maximum(np.maximum(lower - self.rows, self.rows - upper), 0.0)
        with np.errstate(over="ignore"):
            low, high = ((one**2).sum(axis=1) for one in (farthest, nearest))
        return np.exp(-self.gamma * low), np.exp(-self.gamma * high)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """That of the squared distance as a difference of squared lengths."""
        reach = (np.maximum(np.abs(lower), np.abs(upper)) ** 2).sum() + (self.rows**2).sum(axis=1)
        return np.asarray(2 * (self.inputs + 8) * EPSILON * (1.0 + self.gamma * reach))

    def apply(self, values: Reals) -> Reals:
        size = max(1, _CHUNK // self.rows.size)
        chunks = [self._near(values[i : i + size]) for i in range(0, len(values), size)]
        return np.concatenate(chunks) if chunks else np.zeros((0, self.outputs))

    def _near(self, values: Reals) -> Reals:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-self.gamma * ((values[:, None] - self.rows) ** 2).sum(axis=2)))

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "rows": self.rows.tolist(), "gamma": self.gamma}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Landmarks:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(matrix_from(document["rows"], "rows"), document["gamma"])
