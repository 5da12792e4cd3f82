"""What is private about trees: *words*, the pieces that an answer is made of.

A word is a subtree that tests one input only: a leaf, a pair of leaves, a whole tree of one input. It is *active* for
an input iff every condition on the path to it holds. A condition says which slots of one input lead on; all of one
path on the same input are one condition. Both are linear in the input's bits, see :mod:`.slots`:

    wrong (0 or 1)  =  constant + sum of sign·bit            of every condition
    value (c,)      =  base     + sum of jump·bit            of every word

Of every tree exactly one word is active, and the score of an output is the sum of the values of the active words.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Integers

Numbers = npt.NDArray[Any]
"""float64 as the owner's library has them, or int64 at the circuit's scale."""

_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class Words:
    """The words of all trees, as sparse arrays.

    Trees are of one *output* each, and values have one *column*; or there is one output, and values have several
    columns. Scores are (outputs·columns,): output by output.

    Attributes
    ----------
    outputs
        The output of every tree (t,), not falling.
    trees
        The tree of every word (w,), not falling.
    base
        The value of every word where all bits are 0 (w, c).
    bias
        What is added to the sum of values (outputs·c,).
    condition_words
        The word of every condition (q,), not falling.
    condition_constants
        Its constant (q,), 0 or 1.
    term_conditions, term_bits, term_signs
        The condition, the bit and the sign, 1 or -1, of every term (e,).
    jump_words, jump_bits, jumps
        The word and the bit of every term of a value (j,), and its coefficients (j, c).
    """

    outputs: Integers
    trees: Integers
    base: Numbers
    bias: Numbers
    condition_words: Integers
    condition_constants: Integers
    term_conditions: Integers
    term_bits: Integers
    term_signs: Integers
    jump_words: Integers
    jump_bits: Integers
    jumps: Numbers

    @property
    def count(self) -> int:
        """w: the number of words."""
        return len(self.trees)

    @property
    def columns(self) -> int:
        """c: the values of a word."""
        return int(self.base.shape[1])

    @property
    def word_outputs(self) -> Integers:
        """The output of every word (w,)."""
        return self.outputs[self.trees]

    @property
    def words_of_output(self) -> Integers:
        """How many words each output has."""
        return np.bincount(self.word_outputs)

    @property
    def trees_of_output(self) -> Integers:
        """How many trees each output has."""
        return np.bincount(self.outputs)

    def apply(self, bits: Integers) -> Numbers:
        """The scores (n, outputs·columns) of bits (n, D): the plain reference, in the type of the values."""
        step = max(1, _BLOCK // max(1, len(self.term_bits) + len(self.jump_bits) + self.count))
        return np.concatenate([self._apply(bits[i : i + step]) for i in range(0, max(1, len(bits)), step)])

    def _apply(self, bits: Integers) -> Numbers:
        wrong = np.zeros((len(self.condition_words), len(bits)), dtype=np.int64)
        np.add.at(wrong, self.term_conditions, (bits[:, self.term_bits] * self.term_signs).T)
        wrong += self.condition_constants[:, None]
        failed = np.zeros((self.count, len(bits)), dtype=np.int64)
        np.add.at(failed, self.condition_words, np.abs(wrong))
        values = np.repeat(self.base[:, None], len(bits), axis=1)
        np.add.at(values, self.jump_words, bits[:, self.jump_bits].T[..., None] * self.jumps[:, None])
        values[failed != 0] = 0
        scores = np.zeros((len(self.trees_of_output), len(bits), self.columns), dtype=self.base.dtype)
        np.add.at(scores, self.word_outputs, values)
        return np.asarray(scores.transpose(1, 0, 2).reshape(len(bits), -1) + self.bias)

    def arrays(self) -> dict[str, Numbers]:
        """All arrays by their names, as a model file holds them."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}
