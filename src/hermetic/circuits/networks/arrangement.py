"""Where inputs are among the slots of a query.

C ciphertexts share Q columns, m = ceil(Q/C) each; every column is repeated R times in a row. A column is one slot with
an input (with m = 3, R = 2):

    slot      0   1   2   3   4   5   6 ...
    input     x0  x0  x1  x1  x2  x2  .          first ciphertext
              x3  x3  x4  x4  .   .   .          second

Or, for a convolution, a column is one tap of the window: a slot for each of its places, what the window reads there.

Where there are many neurons, a slot of a query may hold two inputs, x + i·x', instead of a slot of hidden values two
neurons.

More repetition makes a request larger and its evaluation shorter: a rotation by R columns brings the next one to every
slot. Where all columns take less than half of the slots, they are written as often as they fit, copy after copy: then
sums over columns need not go round all slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Integers, Reals
from ...errors import ParameterError
from ..packing import Layout
from .embedding import Slots
from .window import Window

MAX_CIPHERTEXTS = 16
"""Of one sample, where this library chooses their number."""


@dataclass(frozen=True)
class Arrangement:
    """How d inputs lie in C ciphertexts of n slots, each R times in a row.

    Attributes
    ----------
    slots, inputs, ciphertexts, repeat
        n, d, C and R.
    paired
        Whether a slot holds two inputs.
    window
        What a convolution reads; None for a dense layer.
    copies
        How often all columns are written, a power of two.
    """

    slots: int
    inputs: int
    ciphertexts: int
    repeat: int
    paired: bool = False
    window: Window | None = None
    copies: int = 1

    def __post_init__(self) -> None:
        if self.window is not None and self.window.inputs != self.inputs:
            raise ParameterError(f"the image of a window must have {self.inputs} values. It has {self.window.inputs}.")
        q, c, r = self.columns, self.ciphertexts, self.repeat
        if not 1 <= c <= q or r < 1 or self.each * r * self.cell > self.span or (c - 1) * self.each >= q:
            raise ParameterError(
                f"{self.inputs} inputs in {c} ciphertexts must fit {r} times each into {self.span} slots. They do not."
            )

    @property
    def span(self) -> int:
        """The slots of one copy."""
        return self.slots // self.copies

    @property
    def positions(self) -> int:
        """How many places a window has: 1 for a dense layer."""
        return 1 if self.window is None else self.window.positions

    @property
    def cell(self) -> int:
        """The slots of a column, a power of two."""
        return 1 << (self.positions - 1).bit_length()

    @property
    def taps(self) -> int:
        """The inputs that a hidden value depends on."""
        return self.inputs if self.window is None else self.window.taps

    @property
    def columns(self) -> int:
        """Q."""
        return -(-self.taps // 2) if self.paired else self.taps

    @property
    def each(self) -> int:
        """m: the columns of one ciphertext."""
        return -(-self.columns // self.ciphertexts)

    @property
    def layout(self) -> Layout:
        """The same as queries say it: one sample a ciphertext."""
        return Layout(2 * self.slots, 1, self.each, 1)

    @property
    def source(self) -> Integers:
        """The column of each slot (C, n), -1 for none."""
        place = np.arange(self.slots) % self.span // (self.cell * self.repeat)
        column = np.arange(self.ciphertexts)[:, None] * self.each + place
        return np.where((place < self.each) & (column < self.columns), column, -1)

    @cached_property
    def reads(self) -> Integers:
        """The input of each slot of a cell for each tap (cell, taps), -1 for none."""
        if self.window is None:
            return np.arange(self.inputs)[None]
        found = np.full((self.cell, self.taps), -1)
        found[: self.positions] = self.window.reads
        return found

    def spread(self, inputs: Reals) -> Slots | Reals:
        """Inputs (d,) as slots (C, n)."""
        columns = self._in_columns(np.append(inputs, 0.0)[self.reads], 1j)
        padded = np.append(columns, np.zeros((self.cell, 1)), axis=1)
        found: Slots | Reals = padded[np.arange(self.slots) % self.cell, self.source]
        return found

    def neurons(self, hidden: int) -> Integers:
        """The slot of each of so many neurons, or maps by place."""
        number = np.arange(hidden)
        return number // self.positions * self.cell + number % self.positions

    def gathered(self, weights: Reals) -> Reals:
        """The weights (H, taps) of what each neuron depends on, of those of all inputs (H, d)."""
        if self.window is None:
            return weights
        padded = np.append(weights, np.zeros((len(weights), 1)), axis=1)
        return np.take_along_axis(padded, self._reads_of(len(weights)), axis=1)

    def scattered(self, gathered: Reals) -> Reals:
        """The weights (H, d) of all inputs, of those (H, taps) of what each neuron depends on."""
        if self.window is None:
            return gathered
        out = np.zeros((len(gathered), self.inputs + 1))
        np.put_along_axis(out, self._reads_of(len(gathered)), gathered, axis=1)
        return np.ascontiguousarray(out[:, :-1])

    def _reads_of(self, hidden: int) -> Integers:
        return self.reads[np.arange(hidden) % self.positions]

    def on_columns(self, weights: Reals) -> Slots | Reals:
        """Weights (H, d) by column (H, Q), so that the real part of a sum over columns is half the hidden value where
        slots hold two inputs, and all of it where they hold one.
        """
        found = self._in_columns(self.gathered(weights), -1j)
        halved: Slots | Reals = found * (0.5 if self.paired else 1.0)
        return halved

    def _in_columns(self, values: Reals, unit: complex) -> Slots | Reals:
        """Values of taps (…, taps) by column (…, Q)."""
        if not self.paired:
            return values
        second = np.zeros((len(values), self.columns))
        second[:, : self.taps - self.columns] = values[:, self.columns :]
        return np.asarray(values[:, : self.columns] + unit * second)
