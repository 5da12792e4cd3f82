"""Values that clients compute to the last digit as the estimator does: only these may be followed by jumps.

Sums and transcendental functions differ in the last digit from one library to the next. That is little, but bins, signs
and norms of 0 make a whole step of it where a value lies next to an edge, and then no error could be guaranteed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Reals
from ..errors import CompileError
from ..features import Beside, Block, Chain, Columns, Elementwise, FeatureMap, Monomials, Normalise
from ..features.block import Flags
from ..features.precision import Rounded, is_stepwise, jumps
from ..features.words import name_of

_STEEP = ("cbrt", "sqrt")
"""Functions whose slope at 0 is infinite."""


def check_jumps(features: FeatureMap, exact: Flags, steps: Sequence[str]) -> None:
    """Refuse features that jump where their inputs are not ``exact`` (inputs,); ``steps`` come before, by name.

    Raises
    ------
    CompileError
        If there are such.
    """
    wrong = [one for one in features.blocks if (_jumping(one) & ~exact).any()]
    if wrong:
        before = f"{', '.join(map(repr, dict.fromkeys(steps)))}: " if steps else ""
        raise CompileError(
            f"{name_of(wrong[0])} must follow values that clients compute to the last digit as the estimator does, "
            f"since at an edge the last digit decides. Before them are {before}sums or functions that every library "
            "rounds in its own way: apply these before hermetic, on both sides, and compile what follows."
        )


def exact_features(block: Block, exact: Flags) -> Flags:
    """Which features (outputs,) are computed to the last digit, where these inputs (inputs,) are."""
    if isinstance(block, Columns):
        return exact_features(block.block, exact[list(block.columns)])
    if isinstance(block, Beside):
        return np.concatenate([exact_features(one, exact) for one in block.blocks])
    if isinstance(block, Chain):
        for one in block.blocks:
            exact = exact_features(one, exact)
        return exact
    if block.elementwise:
        return exact & _is_exact(block)
    return np.full(block.outputs, bool(exact[block.used].all()) and _is_exact(block))


def exact_sums(weights: Any, bias: Reals, exact: Flags, whole: Flags) -> Flags:
    """Which of weights (k, d) · x + bias (k,) are: choices of ``exact`` values (d,), and whole multiples of whole ones.

    ``weights`` may be a SciPy sparse array.
    """
    rows, columns = weights.nonzero()
    values = np.asarray(weights[rows, columns]).reshape(-1)

    def all_terms(hold: Any) -> Flags:
        return np.asarray(np.bincount(rows, ~hold, len(bias)) == 0)

    chosen = all_terms(values == 1) & (np.bincount(rows, minlength=len(bias)) == 1) & (bias == 0)
    counted = all_terms(whole[columns] & (values == np.rint(values))) & (bias == np.rint(bias))
    return np.asarray(all_terms(exact[columns]) & (chosen | counted))


def _jumping(block: Block) -> Flags:
    """Which inputs (inputs,) some feature jumps with, or is steep in."""
    if isinstance(block, Rounded):
        return _jumping(block.block)
    if isinstance(block, Columns):
        found = np.zeros(block.inputs, dtype=np.bool_)
        np.logical_or.at(found, list(block.columns), _jumping(block.block))
        return found
    if isinstance(block, Beside):
        return np.asarray(np.logical_or.reduce([_jumping(one) for one in block.blocks]))
    if isinstance(block, Chain):
        return _before(block.blocks)
    steep = isinstance(block, Normalise) or (isinstance(block, Elementwise) and block.function in _STEEP)
    return np.full(block.inputs, steep or jumps(block))


def _before(blocks: tuple[Block, ...]) -> Flags:
    *earlier, last = blocks
    found = _jumping(last)
    for one in reversed(earlier):
        found = (found if one.elementwise else one.used & found.any()) | _jumping(one)
    return found


def _is_exact(block: Block) -> bool:
    """Whether a block's operations are rounded the same everywhere."""
    if isinstance(block, Monomials):
        return not block.centre.any() and max(map(len, block.factors)) <= 2
    return is_stepwise(block)
