"""Where inputs are among the slots of a query.

C ciphertexts share d inputs, m = ceil(d/C) each; every input is repeated in R slots in a row (with m = 3, R = 2):

    slot      0   1   2   3   4   5   6 ...
    input     x0  x0  x1  x1  x2  x2  .          first ciphertext
              x3  x3  x4  x4  .   .   .          second

More repetition makes a request larger and its evaluation shorter: a rotation by R slots brings the next input to every
slot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Integers, Reals
from ...errors import ParameterError
from ..packing import Layout


@dataclass(frozen=True)
class Arrangement:
    """How d inputs lie in C ciphertexts of n slots, each R times in a row."""

    slots: int
    inputs: int
    ciphertexts: int
    repeat: int

    def __post_init__(self) -> None:
        c, r = self.ciphertexts, self.repeat
        if not 1 <= c <= self.inputs or r < 1 or self.each * r > self.slots or (c - 1) * self.each >= self.inputs:
            raise ParameterError(
                f"{self.inputs} inputs in {c} ciphertexts must fit {r} times each into {self.slots} slots. They do not."
            )

    @property
    def each(self) -> int:
        """m: the inputs of one ciphertext."""
        return -(-self.inputs // self.ciphertexts)

    @property
    def layout(self) -> Layout:
        """The same as queries say it: one sample a ciphertext."""
        return Layout(2 * self.slots, 1, self.each, 1)

    @property
    def source(self) -> Integers:
        """The input of each slot (C, n), -1 for none."""
        cell = np.arange(self.slots) // self.repeat
        place = np.arange(self.ciphertexts)[:, None] * self.each + cell
        return np.where((cell < self.each) & (place < self.inputs), place, -1)

    def spread(self, inputs: Reals) -> Reals:
        """Inputs (d,) as slots (C, n)."""
        return np.append(inputs, 0.0)[self.source]
