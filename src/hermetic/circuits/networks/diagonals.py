"""A matrix as products of rotated slots with plaintexts, by diagonals (Halevi and Shoup, CRYPTO 2014), with baby steps,
giant steps and folds.

For ciphertexts x_c, an output slot s gets

    y[s] = sum over giant steps g, baby steps b, ciphertexts c of  D[g, c, b][s + g·U] · x_c[s + g·U + b]

and then folds add up the slots that are a multiple of J apart. Rotations by g·U are done by Horner's rule with one key:
y = T_0 + rot_U(T_1 + rot_U(T_2 + ...)). Each weight of the matrix has a place on one diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from .embedding import Slots

Weights = npt.NDArray[np.complex128] | Reals


@dataclass(frozen=True)
class Steps:
    """The rotations of one matrix: baby steps 0 … babies-1 of ``baby`` slots (which need one key each), ``giants``
    giant steps of ``giant`` slots, and then folds of ``period``, 2·period, … slots where ``folded``. Outputs repeat
    every ``period`` slots.
    """

    babies: int
    giant: int
    giants: int
    period: int
    folded: bool
    baby: int = 1

    def rotations(self, slots: int) -> tuple[int, ...]:
        """The slots of every rotation."""
        giant = [self.giant] if self.giants > 1 else []
        return tuple(dict.fromkeys([*self.baby_steps[1:], *giant, *self.folds(slots)]))

    @property
    def baby_steps(self) -> tuple[int, ...]:
        """The slots of every baby step."""
        return tuple(step * self.baby for step in range(self.babies))

    def folds(self, slots: int) -> tuple[int, ...]:
        """The slots of the rotations that fold."""
        return tuple(self.period << t for t in range((slots // self.period).bit_length() - 1)) if self.folded else ()


def diagonals(weights: Weights, source: Integers, steps: Steps) -> Slots:
    """The plaintexts (giants, C, babies, n) of weights (J, inputs), J <= period, for slots that hold the inputs
    ``source`` (C, n) says, -1 for none.

    Raises
    ------
    ValueError
        If the steps do not bring every input to every output.
    """
    count, slots = source.shape
    outputs, inputs = weights.shape
    padded = np.zeros((steps.period, inputs + 1), dtype=np.complex128)
    padded[:outputs, :inputs] = weights
    slot = np.arange(slots)
    groups = steps.period if steps.folded else slots
    placed = np.zeros((groups, inputs), dtype=np.bool_)
    out = np.zeros((steps.giants, count, steps.babies, slots), dtype=np.complex128)
    group = slot % groups
    for g, b, c in _paths(steps, count):
        reads = source[c][(slot + g * steps.giant + b * steps.baby) % slots]
        fresh = _first_of_each(placed, group, reads)
        put = (slot + g * steps.giant) % slots
        out[g, c, b, put[fresh]] = padded[slot[fresh] % steps.period, reads[fresh]]
    if not placed.all():
        raise ValueError("the steps must bring every input to every output")
    return out


def _paths(steps: Steps, count: int) -> Iterator[tuple[int, int, int]]:
    for g in range(steps.giants):
        for b in range(steps.babies):
            for c in range(count):
                yield g, b, c


def _first_of_each(placed: npt.NDArray[np.bool_], group: Integers, reads: Integers) -> npt.NDArray[np.intp]:
    """The slots that bring an input to a group of outputs which lacks it; they are marked in ``placed``."""
    candidates = np.flatnonzero((reads >= 0) & ~placed[group, reads])
    keys = group[candidates] * placed.shape[1] + reads[candidates]
    fresh = candidates[np.unique(keys, return_index=True)[1]]
    placed[group[fresh], reads[fresh]] = True
    return fresh


def steps_for_query(outputs: int, repeat: int, slots: int) -> Steps:
    """The steps of a matrix on a query whose columns are repeated in so many slots, for so many outputs."""
    period = max(1, 1 << (outputs - 1).bit_length())
    return Steps(1, repeat, -(-period // repeat), period, folded=period < slots)


def steps_for_layer(outputs: int, period: int) -> Steps:
    """The steps of a matrix for so many outputs on values that repeat every ``period`` slots, both powers of two."""
    babies = 1 << (outputs.bit_length() - 1) // 2
    return Steps(babies, babies, outputs // babies, outputs, folded=outputs < period)


def steps_for_words(words: int, period: int, slots: int) -> Steps:
    """The steps that bring all hidden values, which repeat every ``period`` slots, to the slots of a share of them that
    repeats at least ``words`` times: as many words fit on coefficients, see :mod:`.weights`.
    """
    share = min(period, 1 << ((slots // words).bit_length() - 1))
    turns = period // share
    babies = 1 << (turns.bit_length() // 2)
    return Steps(babies, babies * share, turns // babies, share, folded=False, baby=share)
