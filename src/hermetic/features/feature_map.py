"""Several kinds of features of the same inputs, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError, ParameterError
from .block import Block, Flags, Reals
from .kinds import read_block
from .structure import MAX_BLOCKS, Beside, Chain, Columns


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """The public map from inputs (n, inputs) to features (n, outputs).

    Parameters
    ----------
    blocks
        Kinds of features, each of all inputs; their outputs stand side by side.

    Raises
    ------
    ParameterError
        If there is none, or they do not take the same number of inputs.

    Notes
    -----
    It is part of the model's signature: whoever asks for that sees every parameter of it.
    """

    blocks: tuple[Block, ...]

    def __init__(self, *blocks: Block) -> None:
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "_joined", Beside(*blocks))

    _joined: Beside

    @property
    def inputs(self) -> int:
        """Values of one sample."""
        return self._joined.inputs

    @property
    def outputs(self) -> int:
        """Features of one sample: d."""
        return self._joined.outputs

    @property
    def whole(self) -> bool:
        """Whether every feature is a whole number."""
        return self._joined.whole

    @property
    def used(self) -> Flags:
        """Which inputs any feature depends on (inputs,)."""
        return self._joined.used

    @property
    def missing(self) -> Flags:
        """Which inputs may be NaN (inputs,)."""
        return self._joined.missing

    def steps(self, steps: Reals) -> Reals:
        """The exact step of every feature (d,), 0 for reals, where inputs are multiples of ``steps`` (inputs,)."""
        return self._joined.steps(steps)

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        """Smallest and largest value of every feature (d,), for every input with lower <= x <= upper (inputs,), which
        may be infinite; up to float64 rounding.
        """
        return self._joined.limits(lower, upper)

    def after(self, first: Block) -> FeatureMap:
        """The map of x that applies ``first`` to x and then this one."""
        return FeatureMap(Chain(first, self.block))

    def of_columns(self, columns: list[int], inputs: int) -> FeatureMap:
        """The same of some columns of more inputs."""
        return FeatureMap(*(Columns(one, columns, inputs) for one in self.blocks))

    @property
    def block(self) -> Block:
        """The whole map as one block."""
        return self.blocks[0] if len(self.blocks) == 1 else self._joined

    def apply(self, X: npt.ArrayLike) -> Reals:
        """Inputs (n, inputs) -> features (n, outputs). Raises as :meth:`read`."""
        return self._joined.apply(self.read(X).astype(np.float64))

    def read(self, X: Any) -> npt.NDArray[Any]:
        """Inputs (n, inputs) as numbers: an array, a DataFrame or a sparse matrix.

        Raises
        ------
        InputError
            For another shape, values that are not real numbers, or NaN or infinity where they have no meaning.
        """
        dense = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
        if dense.ndim != 2 or dense.shape[1] != self.inputs:
            raise InputError(f"inputs must have shape (n, {self.inputs}). Got {dense.shape} instead.")
        try:
            values = dense.astype(np.float64) if dense.dtype.kind == "O" else dense
        except (TypeError, ValueError) as error:
            raise InputError(f"inputs must be real numbers. Got {type(X).__name__} that is not: {error}.") from error
        if values.dtype.kind not in "biuf":
            raise InputError(f"inputs must be real numbers. Got dtype {values.dtype} instead.")
        self._check(values)
        return values

    def _check(self, values: npt.NDArray[Any]) -> None:
        wrong = ~np.isfinite(values) & self.used & ~(np.isnan(values) & self.missing)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InputError(
                f"inputs must be finite. Got {values[row, column]} (sample {row}, feature {column}) instead."
            )

    def __str__(self) -> str:
        return " and ".join(f"{one.outputs} {one.kind.replace('_', ' ')}" for one in self.blocks)

    def document(self) -> list[dict[str, Any]]:
        """The blocks, as JSON."""
        return [one.document() for one in self.blocks]

    @staticmethod
    def from_document(document: Any) -> FeatureMap:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        if not isinstance(document, list) or len(document) > MAX_BLOCKS:
            raise ParameterError(f"a feature map must be a list of at most {MAX_BLOCKS} JSON objects.")
        return FeatureMap(*map(read_block, document))
