"""Affine maps as public blocks, in the shortest form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError, ParameterError
from ..features import Affine, Block, Chain, Columns, FeatureMap, Identity, Scale
from ..quantize import Reals


def affine_block(weights: Any, bias: Reals) -> Block | None:
    """The map x -> weights (k, d) · x + bias as a block; None is the identity. ``weights`` may be a SciPy sparse array.

    Raises
    ------
    CompileError
        If it has too many numbers for a signature.
    """
    k, d = weights.shape
    single = _single_columns(weights)
    if single is None:
        try:
            return Affine(weights.toarray() if hasattr(weights, "toarray") else weights, bias)
        except ParameterError as error:
            raise CompileError(f"a step before one that is not linear becomes public: {error}") from error
    columns, factor = single
    same, plain = np.array_equal(columns, np.arange(d)), (factor == 1).all() and not bias.any()
    if plain:
        return None if same else Columns(Identity(k), columns, d)
    scale = Scale(k, factor=factor, shift=bias)
    return scale if same else Columns(scale, columns, d)


def joined(first: Sequence[Block], features: FeatureMap) -> Sequence[Block]:
    """Blocks side by side that apply ``first`` to inputs, one after the other, and then a feature map.

    Columns that are chosen alone are chosen for each block of the map: what it takes stays visible in it.
    """
    if not first:
        return features.blocks
    (chosen,) = first[:1]
    if len(first) == 1 and isinstance(chosen, Columns) and isinstance(chosen.block, Identity):
        columns = chosen.columns
        return [_of_columns(one, columns, chosen.inputs) for one in features.blocks]
    return [Chain(*first, features.block)]


def _of_columns(block: Block, columns: Sequence[int], inputs: int) -> Block:
    if isinstance(block, Columns):
        return Columns(block.block, [columns[i] for i in block.columns], inputs)
    return Columns(block, columns, inputs)


def _single_columns(weights: Any) -> tuple[npt.NDArray[np.intp], Reals] | None:
    """The column and the value of every row (k,), if each has one that is not zero."""
    rows, columns = weights.nonzero()
    if not np.array_equal(np.sort(rows), np.arange(weights.shape[0])):
        return None
    order = np.argsort(rows)
    found = columns[order]
    values = weights[np.arange(len(found)), found]
    return np.asarray(found), np.asarray(values, dtype=np.float64).reshape(-1)
