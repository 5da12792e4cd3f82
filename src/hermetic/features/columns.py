"""The inputs themselves, and blocks of some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import Block, BlockDefaults, Flags, Numbers, whole_number

MAX_WIDTH = 1 << 20
"""Most inputs or outputs of any block."""

Read = Callable[[Any], Block]
"""How an inner block is read from JSON."""


@dataclass(frozen=True)
class Identity(BlockDefaults):
    """The inputs themselves. Public: how many."""

    inputs: int
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "identity"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(self.inputs, 1, MAX_WIDTH, "inputs")

    @property
    def outputs(self) -> int:
        return self.inputs

    def missing_before(self, missing: Flags) -> Flags:
        return missing

    def steps(self, steps: Reals) -> Reals:
        return steps

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return lower, upper

    def apply(self, values: Reals) -> Reals:
        return values

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": self.inputs}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Identity:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(document["inputs"])


@dataclass(frozen=True, eq=False)
class Columns:
    """A block of some of the inputs, by their numbers; an input may stand several times.

    Raises
    ------
    ParameterError
        For columns that are not those of an input, or not as many as the block takes.
    """

    block: Block
    columns: tuple[int, ...]
    inputs: int
    kind: ClassVar[str] = "columns"
    elementwise: ClassVar[bool] = False

    def __init__(self, block: Block, columns: Sequence[int] | npt.NDArray[Any], inputs: int) -> None:
        whole_number(inputs, 1, MAX_WIDTH, "inputs")
        numbers = columns.tolist() if isinstance(columns, np.ndarray) else columns
        if len(numbers) != block.inputs:
            raise ParameterError(f"columns must be {block.inputs}, as their block takes. Got {len(numbers)} instead.")
        found = tuple(whole_number(number, 0, inputs - 1, "a column") for number in numbers)
        for name, value in (("block", block), ("columns", found), ("inputs", inputs)):
            object.__setattr__(self, name, value)

    @property
    def outputs(self) -> int:
        return self.block.outputs

    @property
    def whole(self) -> bool:
        return self.block.whole

    @property
    def used(self) -> Flags:
        return self._spread(self.block.used, np.zeros(self.inputs, dtype=np.bool_), np.logical_or)

    @property
    def missing(self) -> Flags:
        return self._spread(self.block.missing, np.ones(self.inputs, dtype=np.bool_), np.logical_and)

    def missing_before(self, missing: Flags) -> Flags:
        flags = self.block.missing_before(missing)
        return self._spread(flags, np.ones(self.inputs, dtype=np.bool_), np.logical_and)

    def _spread(self, flags: Flags, rest: Flags, joined: np.ufunc) -> Flags:
        joined.at(rest, list(self.columns), flags)
        return rest

    def steps(self, steps: Reals) -> Reals:
        return self.block.steps(steps[list(self.columns)])

    @property
    def groups(self) -> Numbers:
        return self.block.groups

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return self.block.limits(lower[list(self.columns)], upper[list(self.columns)])

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        return self.block.rounding(lower[list(self.columns)], upper[list(self.columns)])

    def apply(self, values: Reals) -> Reals:
        return self.block.apply(values[:, list(self.columns)])

    def document(self) -> dict[str, Any]:
        columns = list(self.columns)
        return {"kind": self.kind, "block": self.block.document(), "columns": columns, "inputs": self.inputs}

    @classmethod
    def from_document(cls, document: dict[str, Any], read: Read) -> Columns:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        columns = document["columns"]
        if not isinstance(columns, list) or len(columns) > MAX_WIDTH:
            raise ParameterError(f"columns must be a list of at most {MAX_WIDTH} whole numbers.")
        return cls(read(document["block"]), columns, document["inputs"])
