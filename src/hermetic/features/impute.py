"""Missing values: what stands for them, and where they were."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import LARGEST, BlockDefaults, Flags, real_number, real_numbers, whole_number
from .columns import MAX_WIDTH


@dataclass(frozen=True, eq=False)
class Impute(BlockDefaults):
    """The inputs, with a value of their own for each that is missing.

    Parameters
    ----------
    values
        What stands for a missing value of each input (inputs,). Public.
    marker
        The number that means missing; NaN by default.

    Raises
    ------
    ParameterError
        For values that are not finite, or none.
    """

    values: Reals
    marker: float
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "impute"
    whole: ClassVar[bool] = False

    def __init__(self, values: npt.ArrayLike, marker: float = math.nan) -> None:
        row = np.array(values, dtype=np.float64).reshape(-1)
        whole_number(len(row), 1, MAX_WIDTH, "the number of inputs")
        if not np.isfinite(row).all():
            raise ParameterError("what stands for missing values must be finite.")
        object.__setattr__(self, "values", row)
        object.__setattr__(self, "marker", _marker(marker))

    @property
    def inputs(self) -> int:
        return len(self.values)

    @property
    def outputs(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> Flags:
        return np.full(self.inputs, math.isnan(self.marker))

    def steps(self, steps: Reals) -> Reals:
        divides = np.divide(self.values, steps, out=np.full(self.inputs, 0.5), where=steps > 0) % 1 == 0
        return np.where(divides, steps, 0.0)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        values = self.values.astype(lower.dtype)
        return np.minimum(lower, values), np.maximum(upper, values)

    def apply(self, values: Reals) -> Reals:
        return np.where(_is(values, self.marker), self.values.astype(values.dtype), values)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "values": self.values.tolist(), "marker": _to_json(self.marker)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Impute:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(real_numbers(document["values"], MAX_WIDTH, "values"), _from_json(document["marker"]))


@dataclass(frozen=True, eq=False)
class Missing(BlockDefaults):
    """1 for each input that is missing, 0 for the others. Public: how many inputs, and the marker.

    Raises
    ------
    ParameterError
        For a marker that is infinite.
    """

    inputs: int
    marker: float = math.nan
    kind: ClassVar[str] = "missing"
    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, MAX_WIDTH, "inputs")
        object.__setattr__(self, "marker", _marker(self.marker))

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def missing(self) -> Flags:
        return np.full(self.inputs, math.isnan(self.marker))

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.zeros(self.inputs), np.ones(self.inputs)

    def apply(self, values: Reals) -> Reals:
        return _is(values, self.marker).astype(np.float64)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs, "marker": _to_json(self.marker)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Missing:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"], _from_json(document["marker"]))


def _is(values: Reals, marker: float) -> Flags:
    return np.asarray(np.isnan(values) if math.isnan(marker) else values == marker)


def _marker(value: Any) -> float:
    if isinstance(value, float) and math.isnan(value):
        return value
    return real_number(value, -LARGEST, LARGEST, "the marker of missing values")


def _to_json(marker: float) -> float | None:
    return None if math.isnan(marker) else marker


def _from_json(marker: Any) -> Any:
    return math.nan if marker is None else marker
