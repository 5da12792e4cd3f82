"""What is public about the inputs of trees: how many intervals each has. Every input is in exactly one *slot*.

An input with m edges has the slots 0 … m, its intervals in order, and one more where it may be NaN. Public features are
one bit a slot (:class:`hermetic.features.Bins`). What is encrypted are fewer bits: for each input the *thermometer*
[x >= e_1], …, [x >= e_m], and [x is NaN] where it may be. So every function of one input's slot is linear in its bits:

    slot      0   1   2   NaN            f(slot) = f(0) + sum of (f(j) - f(j-1))·t_j + (f(NaN) - f(0))·n
    t_1       0   1   1    0
    t_2       0   0   1    0
    n         0   0   0    1
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of all inputs that trees split on.

    Attributes
    ----------
    edges
        The number of edges of every input (i,).
    missing
        Which inputs may be NaN (i,).
    """

    edges: Integers
    missing: npt.NDArray[np.bool_]

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return len(self.edges)

    @cached_property
    def widths(self) -> Integers:
        """The slots of every input (i,)."""
        return np.asarray(self.edges + 1 + self.missing, dtype=np.int64)

    @cached_property
    def starts(self) -> Integers:
        """The first slot of every input, and their number at the end (i + 1,)."""
        return np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)

    @cached_property
    def first_bits(self) -> Integers:
        """The first bit of every input, and their number at the end (i + 1,)."""
        return np.concatenate([[0], np.cumsum(self.widths - 1)]).astype(np.int64)

    @property
    def slots(self) -> int:
        """d: the slots of all inputs, which are the public features."""
        return int(self.starts[-1])

    @property
    def bits(self) -> int:
        """D: the bits that are encrypted."""
        return int(self.first_bits[-1])

    @cached_property
    def slot_inputs(self) -> Integers:
        """The input of every slot (d,)."""
        return np.repeat(np.arange(self.inputs), self.widths)

    @cached_property
    def slot_numbers(self) -> Integers:
        """The number of every slot (d,) among those of its input."""
        return np.asarray(np.arange(self.slots) - self.starts[self.slot_inputs])

    @cached_property
    def of_nan(self) -> npt.NDArray[np.bool_]:
        """Which bits (D,) say that an input is NaN."""
        found = np.zeros(self.bits, dtype=np.bool_)
        found[self.first_bits[1:][self.missing] - 1] = True
        return found

    @cached_property
    def bit_inputs(self) -> Integers:
        """The input of every bit (D,)."""
        return np.repeat(np.arange(self.inputs), self.widths - 1)

    def to_bits(self, slots: Integers) -> Integers:
        """The bits (n, D) of samples whose slots are one-hot (n, d)."""
        numbers = np.add.reduceat(slots * self.slot_numbers, self.starts[:-1], axis=1)
        return self.bits_at(np.arange(self.bits), numbers[:, self.bit_inputs])

    def bits_at(self, bits: Integers, numbers: Integers) -> Integers:
        """The values (..., b) of some bits (b,) where the slots of their inputs have these numbers (..., b)."""
        owners = self.bit_inputs[bits]
        edges, place = self.edges[owners], bits - self.first_bits[owners]
        return np.where(place < edges, (numbers > place) & (numbers <= edges), numbers > edges).astype(np.int64)

    def linear(self, number: int, values: Reals) -> tuple[Reals, Reals]:
        """A function of the slot of one input, with values (width, ...), as a constant (...) and the coefficients of
        the input's bits (width - 1, ...).
        """
        edges = int(self.edges[number])
        jumps = np.diff(values[: edges + 1], axis=0)
        return values[0], np.concatenate([jumps, values[edges + 1 :] - values[0]])

    def values(
        self, number: int, constant: npt.ArrayLike, bits: Integers, coefficients: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """The values (width, ...) of a function of the slot of one input: a constant (...) and the coefficients
        (b, ...) of some of the input's bits (b,), as :meth:`linear` gives them of all.
        """
        edges, width = int(self.edges[number]), int(self.widths[number])
        steps = np.zeros((width, *coefficients.shape[1:]), dtype=coefficients.dtype)
        steps[bits - self.first_bits[number] + 1] = coefficients
        sums = np.cumsum(steps, axis=0)
        sums[edges + 1 :] = steps[edges + 1 :]
        return np.asarray(constant + sums)
