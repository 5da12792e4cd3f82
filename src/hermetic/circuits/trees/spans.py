"""What strict answers test: *spans*, a few neighbouring bits of one input, which must be bits of some slot.

The bits of a slot are ones, then zeros; or all zero but that of NaN. So b thermometer bits of one span have b + 1
*patterns*, and the first span of an input that may be NaN has one pattern more:

    bits      t1  t2  t3  t4  t5  t6  t7        patterns of the first span of 4      1 1 1 1
    span 0    [------------]                                                         1 1 1 0
    span 1                [------------]                                             …
                                                                                     0 0 0 0

Neighbouring spans share one bit. So bits that have a pattern in every span are 0 or 1 and never rise: they are the bits
of a slot. Tests of one pattern take as many weights as the span has bits, and there is about one pattern a slot: work
grows with the number of slots, not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...arrays import Integers
from .slots import Slots

MAX_BITS = 16
"""The most thermometer bits of a span."""


@dataclass(frozen=True, eq=False)
class Spans:
    """The spans of all inputs, in the order of inputs.

    Attributes
    ----------
    inputs
        The input of every span (s,).
    first, length
        Its first bit (s,) and how many there are, among the thermometer bits of its input.
    of_nan
        Which spans (s,) hold their input's bit of NaN.
    """

    inputs: Integers
    first: Integers
    length: Integers
    of_nan: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, slots: Slots) -> Spans:
        """The spans of these slots, each of :data:`MAX_BITS` bits or fewer."""
        steps = np.maximum(slots.edges - 1, 0)
        counts = np.where(slots.widths > 1, np.maximum(-(-steps // (MAX_BITS - 1)), 1), 0)
        inputs, number = _ranges(counts)
        first = number * steps[inputs] // counts[inputs]
        last = (number + 1) * steps[inputs] // counts[inputs]
        length = np.where(slots.edges[inputs] > 0, last - first + 1, 0)
        return cls(inputs, first, length, slots.missing[inputs] & (number == 0))

    @property
    def count(self) -> int:
        """s: the number of spans."""
        return len(self.inputs)

    @property
    def patterns(self) -> Integers:
        """How many patterns each span (s,) has."""
        return np.asarray(self.length + 1 + self.of_nan)

    @property
    def starts(self) -> Integers:
        """The first pattern of every span, and their number at the end (s + 1,)."""
        return np.concatenate([[0], np.cumsum(self.patterns)]).astype(np.int64)

    def bits(self, slots: Slots) -> tuple[Integers, Integers, Integers]:
        """Every bit of every span: the span, the bit (b,), and the number among patterns that a 1 of it adds."""
        spans, places = _ranges(self.length + self.of_nan)
        nan, owners = places == self.length[spans], self.inputs[spans]
        bits = slots.first_bits[owners] + np.where(nan, slots.edges[owners], self.first[spans] + places)
        return spans, bits, np.where(nan, self.length[spans] + 1, 1)

    def tests(self, slots: Slots) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
        """Every test of every pattern, pattern by pattern: the pattern, the bit (e,), and whether it must be 1."""
        spans, bits, _ = self.bits(slots)
        counts = self.length + self.of_nan
        owners, numbers = _ranges(self.patterns)
        patterns, place = _ranges(counts[owners])
        tested = (np.cumsum(counts) - counts)[owners[patterns]] + place
        length, number = self.length[spans[tested]], numbers[patterns]
        expected = np.where(place == length, number > length, (place < number) & (number <= length))
        return patterns, bits[tested], expected


def _ranges(counts: Integers) -> tuple[Integers, Integers]:
    """For each of some counts the numbers 0 … count - 1, with the place of the count."""
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
