"""Samples of the same size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Reals
from ..errors import ParameterError
from .block import EPSILON, BlockDefaults, real_number, whole_number
from .columns import MAX_WIDTH

NORMS: dict[str, Callable[[Reals], Reals]] = {
    "l1": lambda values: np.abs(values).sum(axis=1),
    "l2": lambda values: np.sqrt(np.einsum("ij,ij->i", values, values)),
    "max": lambda values: np.abs(values).max(axis=1),
}


@dataclass(frozen=True)
class Normalise(BlockDefaults):
    """The inputs of a sample, divided by their norm. Public: which norm.

    Parameters
    ----------
    inputs
        How many.
    norm
        A name in :data:`NORMS`.
    least
        A sample of a smaller norm, and one of zeros, stays as it is.

    Raises
    ------
    ParameterError
        For another norm, or ``least`` below 0 or above 1.
    """

    inputs: int
    norm: str
    least: float = 0.0
    kind: ClassVar[str] = "normalise"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, MAX_WIDTH, "inputs")
        real_number(self.least, 0.0, 1.0, "least")
        if self.norm not in NORMS:
            raise ParameterError(f"norm must be one of {', '.join(NORMS)}. Got {self.norm!r} instead.")

    @property
    def outputs(self) -> int:
        return self.inputs

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.where(lower < 0, -1.0, 0.0), np.where(upper > 0, 1.0, 0.0)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """A norm is a sum of all inputs, whose order may be any."""
        return np.full(self.inputs, (self.inputs + 4) * EPSILON)

    def apply(self, values: Reals) -> Reals:
        norms = NORMS[self.norm](values)[:, None]
        return values / np.where((norms < self.least) | (norms == 0), 1.0, norms)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs, "norm": self.norm, "least": self.least}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Normalise:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"], document["norm"], document["least"])
