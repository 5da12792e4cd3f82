"""Affine maps as public blocks, in the shortest form."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import CompileError, ParameterError
from ..features import Affine, Beside, Block, Chain, Columns, FeatureMap, Identity, Scale
from .pass_through import Passes


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


def chosen_columns(weights: Any) -> Block | None:
    """A sparse matrix that chooses values as a block; None if it does not."""
    if (weights.data != 1).any() or (np.diff(weights.tocsr().indptr) != 1).any():
        return None
    k, d = weights.shape
    return Columns(Identity(k), weights.tocsr().indices, d)


def joined(first: Sequence[Block], features: FeatureMap, passes: Passes) -> Sequence[Block]:
    """Blocks side by side that apply ``first`` to inputs, one after the other, and then a feature map.

    Blocks of categories take their numbers as they were read: ``passes`` tells from which inputs. Columns that are
    chosen alone are chosen for each block: what it takes stays visible in it.

    Raises
    ------
    CompileError
        If one block takes categories and numbers whose missing values were filled.
    """
    if not first:
        return features.blocks
    chosen = first[0]
    if len(first) == 1 and isinstance(chosen, Columns) and isinstance(chosen.block, Identity):
        return [_of_columns(one, chosen.columns, chosen.inputs) for one in features.blocks]
    found: list[Block] = []
    for coded, group in groupby(features.blocks, key=lambda one: _is_coded(one, features, passes)):
        blocks = list(group)
        if coded:
            columns = [passes[i].column if i in passes else 0 for i in range(features.inputs)]
            found += [_of_columns(one, columns, first[0].inputs) for one in blocks]
        else:
            found.append(Chain(*first, blocks[0] if len(blocks) == 1 else Beside(*blocks)))
    return found


def _is_coded(block: Block, features: FeatureMap, passes: Passes) -> bool:
    """Whether a block takes categories alone."""
    used = np.flatnonzero(block.used).tolist()
    coded = [i for i in used if i in features.categories]
    if len(coded) < len(used) and any(passes[i].fills for i in coded):
        raise CompileError(
            "categories whose missing values were filled must be encoded by a step of their own. A later step takes "
            "them together with numbers: encode them before."
        )
    return bool(coded) and len(coded) == len(used)


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
