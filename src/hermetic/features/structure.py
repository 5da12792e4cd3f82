"""How kinds of features are put together: side by side, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..arrays import Reals
from ..errors import ParameterError
from .block import Block, Flags, Numbers, whole_number
from .columns import MAX_WIDTH, Read

MAX_BLOCKS = 1 << 12


@dataclass(frozen=True, eq=False)
class Beside:
    """The features of several blocks of the same inputs, side by side.

    Raises
    ------
    ParameterError
        If there is none, or they do not take the same number of inputs.
    """

    blocks: tuple[Block, ...]
    kind: ClassVar[str] = "beside"
    elementwise: ClassVar[bool] = False

    def __init__(self, *blocks: Block) -> None:
        if not 1 <= len(blocks) <= MAX_BLOCKS:
            raise ParameterError(f"a feature map must have 1 to {MAX_BLOCKS} blocks. Got {len(blocks)} instead.")
        if len({block.inputs for block in blocks}) > 1:
            raise ParameterError(
                f"the blocks of a feature map must take the same inputs. Got {[one.inputs for one in blocks]} instead."
            )
        object.__setattr__(self, "blocks", blocks)
        whole_number(self.outputs, 1, MAX_WIDTH, "the number of features")

    @property
    def inputs(self) -> int:
        return self.blocks[0].inputs

    @property
    def outputs(self) -> int:
        return sum(block.outputs for block in self.blocks)

    @property
    def whole(self) -> bool:
        return all(block.whole for block in self.blocks)

    @property
    def used(self) -> Flags:
        return np.asarray(np.logical_or.reduce([block.used for block in self.blocks]))

    @property
    def missing(self) -> Flags:
        return np.asarray(np.logical_and.reduce([block.missing for block in self.blocks]))

    def missing_before(self, missing: Flags) -> Flags:
        ends = np.cumsum([block.outputs for block in self.blocks])[:-1]
        flags = zip(self.blocks, np.split(missing, ends), strict=True)
        return np.asarray(np.logical_and.reduce([one.missing_before(flag) for one, flag in flags]))

    def steps(self, steps: Reals) -> Reals:
        return np.concatenate([block.steps(steps) for block in self.blocks])

    @property
    def groups(self) -> Numbers:
        found = [block.groups for block in self.blocks]
        counts = np.cumsum([0, *(one[-1] + 1 for one in found[:-1])])
        return np.concatenate([one + count for one, count in zip(found, counts, strict=True)])

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        low, high = zip(*(block.limits(lower, upper) for block in self.blocks), strict=True)
        return np.concatenate(low), np.concatenate(high)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        return np.concatenate([block.rounding(lower, upper) for block in self.blocks])

    def apply(self, values: Reals) -> Reals:
        return np.concatenate([block.apply(values) for block in self.blocks], axis=1)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "blocks": [block.document() for block in self.blocks]}

    @classmethod
    def from_document(cls, document: dict[str, Any], read: Read) -> Beside:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(*_inner(document, read))


@dataclass(frozen=True, eq=False)
class Chain:
    """Blocks one after the other: each takes the features of the one before.

    Raises
    ------
    ParameterError
        If there is none, or one does not take as many values as the one before gives.
    """

    blocks: tuple[Block, ...]
    kind: ClassVar[str] = "chain"

    def __init__(self, *blocks: Block) -> None:
        if not 1 <= len(blocks) <= MAX_BLOCKS:
            raise ParameterError(f"a chain must have 1 to {MAX_BLOCKS} blocks. Got {len(blocks)} instead.")
        for first, second in pairwise(blocks):
            if first.outputs != second.inputs:
                raise ParameterError(
                    f"a block of a chain must take the {first.outputs} features of the one before. Got one that takes "
                    f"{second.inputs} instead."
                )
        object.__setattr__(self, "blocks", blocks)

    @property
    def inputs(self) -> int:
        return self.blocks[0].inputs

    @property
    def outputs(self) -> int:
        return self.blocks[-1].outputs

    @property
    def whole(self) -> bool:
        return self.blocks[-1].whole

    @property
    def elementwise(self) -> bool:
        return all(block.elementwise for block in self.blocks)

    @property
    def used(self) -> Flags:
        """Those of the first block that does not take each value by itself."""
        return next((block for block in self.blocks if not block.elementwise), self.blocks[-1]).used

    @property
    def missing(self) -> Flags:
        return self.missing_before(np.zeros(self.outputs, dtype=np.bool_))

    def missing_before(self, missing: Flags) -> Flags:
        return reduce(lambda found, one: one.missing_before(found), reversed(self.blocks), missing)

    def steps(self, steps: Reals) -> Reals:
        return reduce(lambda found, one: one.steps(found), self.blocks, steps)

    @property
    def groups(self) -> Numbers:
        return self.blocks[-1].groups

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        for block in self.blocks:
            lower, upper = block.limits(lower, upper)
        return lower, upper

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """Of the last block: it is large where its inputs are, and they are not computed in several ways before."""
        for block in self.blocks[:-1]:
            lower, upper = block.limits(lower, upper)
        return self.blocks[-1].rounding(lower, upper)

    def apply(self, values: Reals) -> Reals:
        return reduce(lambda found, one: one.apply(found), self.blocks, values)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "blocks": [block.document() for block in self.blocks]}

    @classmethod
    def from_document(cls, document: dict[str, Any], read: Read) -> Chain:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(*_inner(document, read))


def _inner(document: dict[str, Any], read: Read) -> list[Block]:
    documents = document["blocks"]
    if not isinstance(documents, list) or len(documents) > MAX_BLOCKS:
        raise ParameterError(f"blocks must be a list of at most {MAX_BLOCKS} blocks.")
    return [read(one) for one in documents]
