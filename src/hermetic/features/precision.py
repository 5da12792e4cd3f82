"""Features computed in narrower floats: an estimator that was fitted on float32 scales and compares in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Reals
from ..errors import InputError, ParameterError
from .affine import Scale
from .bins import Bins
from .block import EPSILON, Block, BlockDefaults, Flags, Numbers, whole_number
from .columns import MAX_WIDTH, Columns, Identity, Read
from .elementwise import Clip, Elementwise
from .impute import Impute, Missing
from .pair_bins import PairBins
from .structure import Beside, Chain

NARROW = ("float16", "float32")
"""Types that a client computes in, besides float64."""

_ULPS = 8
"""Units of the last place that functions of single values may be off, in whichever library."""

_STEPWISE = (Bins, Clip, Identity, Impute, Missing, PairBins, Scale)
"""Kinds whose every operation IEEE 754 rounds the same everywhere."""


@dataclass(frozen=True, eq=False)
class Cast(BlockDefaults):
    """The inputs, each rounded to a type of float.

    Parameters
    ----------
    dtypes
        "float16", "float32" or "float64" of every input. Public.

    Raises
    ------
    ParameterError
        For another type.
    """

    dtypes: tuple[str, ...]
    elementwise: ClassVar[bool] = True
    kind: ClassVar[str] = "cast"
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        whole_number(len(self.dtypes), 1, MAX_WIDTH, "the number of inputs")
        for one in self.dtypes:
            if one not in (*NARROW, "float64"):
                raise ParameterError(f"an input must be cast to one of {', '.join(NARROW)} or float64. Got {one!r}.")

    @property
    def inputs(self) -> int:
        return len(self.dtypes)

    @property
    def outputs(self) -> int:
        return len(self.dtypes)

    def missing_before(self, missing: Flags) -> Flags:
        return missing

    def steps(self, steps: Reals) -> Reals:
        return steps

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return self._cast(lower), self._cast(upper)

    def apply(self, values: Reals) -> Reals:
        """See :class:`hermetic.features.block.Block`. Raises :class:`InputError` for a value beyond the type."""
        found = self._cast(values)
        beyond = np.isinf(found) & np.isfinite(values)
        if beyond.any():
            row, column = np.argwhere(beyond)[0]
            raise InputError(
                f"inputs must be numbers that {self.dtypes[column]} holds, in which the model was fitted. Got "
                f"{values[row, column]:g} (sample {row}, feature {column}) instead."
            )
        return found

    def _cast(self, values: Reals) -> Reals:
        found = np.array(values, dtype=np.float64)
        for dtype in set(self.dtypes) - {"float64"}:
            columns = [i for i, one in enumerate(self.dtypes) if one == dtype]
            found[..., columns] = rounded(found[..., columns], dtype)
        return found

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "dtypes": list(self.dtypes)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Cast:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        dtypes = document["dtypes"]
        if not isinstance(dtypes, list) or not all(isinstance(one, str) for one in dtypes):
            raise ParameterError("dtypes must be a list of texts.")
        return cls(tuple(dtypes))


@dataclass(frozen=True, eq=False)
class Rounded:
    """A block whose inputs, and results of every operation, are rounded to float16 or float32.

    Where every operation of the block is one that IEEE 754 rounds the same everywhere, features equal those of who
    computes it in that type. Others are computed in float64; :meth:`rounding` bounds what lies between.

    Raises
    ------
    ParameterError
        For another type.
    """

    block: Block
    dtype: str
    kind: ClassVar[str] = "rounded"

    def __post_init__(self) -> None:
        if self.dtype not in NARROW:
            raise ParameterError(f"features must be rounded to one of {', '.join(NARROW)}. Got {self.dtype!r}.")

    @property
    def inputs(self) -> int:
        return self.block.inputs

    @property
    def outputs(self) -> int:
        return self.block.outputs

    @property
    def elementwise(self) -> bool:
        return self.block.elementwise

    @property
    def whole(self) -> bool:
        return self.block.whole

    @property
    def missing(self) -> Flags:
        return self.block.missing

    @property
    def used(self) -> Flags:
        return self.block.used

    @property
    def groups(self) -> Numbers:
        return self.block.groups

    def missing_before(self, missing: Flags) -> Flags:
        return self.block.missing_before(missing)

    def steps(self, steps: Reals) -> Reals:
        return self.block.steps(steps)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        low, high = self.block.limits(self._taken(lower), self._taken(upper))
        return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)

    def rounding(self, lower: Reals, upper: Reals) -> Reals:
        """What the block's own rounding is in the type, and some units of the last place of every feature."""
        if is_stepwise(self.block):
            return np.zeros(self.outputs)
        largest = np.maximum(*np.abs(self.limits(lower, upper)))
        inner = self.block.rounding(rounded(lower, self.dtype), rounded(upper, self.dtype))
        epsilon = float(np.finfo(self.dtype).eps)
        return np.asarray(epsilon / EPSILON * inner + _ULPS * epsilon * largest)

    def apply(self, values: Reals) -> Reals:
        return np.asarray(self.block.apply(self._taken(values)), dtype=np.float64)

    def _taken(self, values: Reals) -> Any:
        """Inputs in the type; where the block computes in float64, as float64 again."""
        return values.astype(self.dtype) if is_stepwise(self.block) else rounded(values, self.dtype)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "dtype": self.dtype, "block": self.block.document()}

    @classmethod
    def from_document(cls, document: dict[str, Any], read: Read) -> Rounded:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        return cls(read(document["block"]), document["dtype"])


def rounded(values: Reals, dtype: str) -> Reals:
    """The nearest numbers of a type of float, as float64."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(values, dtype=np.float64).astype(dtype).astype(np.float64)


def is_stepwise(block: Block) -> bool:
    """Whether every operation of a block is one that IEEE 754 rounds the same everywhere."""
    if isinstance(block, Columns | Rounded):
        return is_stepwise(block.block)
    if isinstance(block, Beside | Chain):
        return all(map(is_stepwise, block.blocks))
    return isinstance(block, (*_STEPWISE, Cast)) or (
        isinstance(block, Elementwise) and block.function in ("absolute", "sign", "sqrt", "square")
    )


def jumps(block: Block) -> bool:
    """Whether features may change by a step where inputs change ever so little."""
    if isinstance(block, Columns | Rounded):
        return jumps(block.block)
    if isinstance(block, Beside | Chain):
        return any(map(jumps, block.blocks))
    markers = isinstance(block, Impute | Missing) and not np.isnan(block.marker)
    return markers or isinstance(block, Bins | PairBins) or (isinstance(block, Elementwise) and block.whole)


def cast_first(block: Block, dtypes: Sequence[str]) -> Block:
    """The block of inputs that are rounded first: edges of bins move to where the rounded values cross them."""
    cast = Cast(tuple(dtypes))
    if not any(one in NARROW for one in dtypes):
        return block
    if isinstance(block, Columns):
        return Columns(cast_first(block.block, [dtypes[i] for i in block.columns]), block.columns, block.inputs)
    moved = _moved_bins(block, dtypes) if isinstance(block, Bins) else None
    if moved is not None:
        return moved
    return Chain(cast, *(block.blocks if isinstance(block, Chain) else (block,)))


def _moved_bins(bins: Bins, dtypes: Sequence[str]) -> Bins | None:
    """None where two edges would become one: there is no number between them."""
    edges = [
        np.array([edge_of(edge, dtype) for edge in one]) if dtype in NARROW else one
        for one, dtype in zip(bins.edges, dtypes, strict=True)
    ]
    increasing = all(np.isfinite(one).all() and (np.diff(one) > 0).all() for one in edges)
    return Bins(edges, bins.may_miss) if increasing else None


def edge_of(edge: float, dtype: str) -> float:
    """The smallest float64 that is rounded to ``edge`` or more in a narrower type of float."""
    kind = np.dtype(dtype).type
    with np.errstate(over="ignore"):
        least = kind(edge)
        if float(least) < edge:
            least = np.nextafter(least, kind(np.inf))
        below = np.nextafter(least, kind(-np.inf))
        middle = (float(below) + float(least)) / 2
        return middle if kind(middle) >= least else float(np.nextafter(middle, np.inf))
