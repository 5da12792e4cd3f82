"""What a convolution reads of an image: its geometry, which is public."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Integers
from ...errors import ParameterError

Pair = tuple[int, int]
"""Of rows and of columns."""


@dataclass(frozen=True)
class Window:
    """A window that moves over an image of channels x rows x columns, whose values are in this order.

    Attributes
    ----------
    image
        Channels, rows and columns.
    kernel, stride, padding
        Rows and columns of the window, of its steps, and of the zeros around the image.
    """

    image: tuple[int, int, int]
    kernel: Pair
    stride: Pair
    padding: Pair

    def __post_init__(self) -> None:
        _, *sides = self.image
        fits = all(k <= side + 2 * p for side, k, p in zip(sides, self.kernel, self.padding, strict=True))
        if min(*self.image, *self.kernel, *self.stride) < 1 or min(self.padding) < 0 or not fits:
            raise ParameterError(
                f"a window must fit into its image and move on. Got one of {self.kernel}, steps of {self.stride} and "
                f"{self.padding} of padding for {self.image} instead."
            )

    @property
    def inputs(self) -> int:
        """The values of an image."""
        channels, rows, columns = self.image
        return channels * rows * columns

    @property
    def places(self) -> Pair:
        """The rows and columns of places of the window."""
        _, *sides = self.image
        rows, columns = (
            (side + 2 * p - k) // s + 1
            for side, k, s, p in zip(sides, self.kernel, self.stride, self.padding, strict=True)
        )
        return rows, columns

    @property
    def positions(self) -> int:
        """How many places there are."""
        rows, columns = self.places
        return rows * columns

    @property
    def taps(self) -> int:
        """How many values the window reads at a place, zeros around the image among them."""
        rows, columns = self.kernel
        return self.image[0] * rows * columns

    @cached_property
    def reads(self) -> Integers:
        """The value of the image that each place reads for each tap (positions, taps), -1 for a zero around it."""
        channels, height, width = self.image
        rows = _offsets(self.places[0], self.kernel[0], self.stride[0], self.padding[0])
        columns = _offsets(self.places[1], self.kernel[1], self.stride[1], self.padding[1])
        row, column = rows[:, None, None, :, None], columns[None, :, None, None, :]
        place = (np.arange(channels)[:, None, None] * height + row) * width + column
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return np.where(inside, place, -1).reshape(self.positions, self.taps)


def _offsets(places: int, kernel: int, stride: int, padding: int) -> Integers:
    """The row, or column, of each place and tap (places, kernel)."""
    return np.arange(places)[:, None] * stride - padding + np.arange(kernel)
