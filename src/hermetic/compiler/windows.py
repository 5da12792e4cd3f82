"""Convolutions and averages over windows, as matrices, and what one after the other reads of the first one's image."""

from __future__ import annotations

from math import prod

import numpy as np

from ..arrays import Reals
from ..circuits.networks.window import Pair, Window


def window_over(image: tuple[int, int, int], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Window:
    """The window of a kernel whose taps are ``dilation`` apart. Raises :class:`ParameterError` if it does not fit."""
    rows, columns = ((step * (size - 1) + 1) for step, size in zip(dilation, kernel, strict=True))
    return Window(image, (rows, columns), stride, padding)


def whole(image: tuple[int, int, int]) -> Window:
    """The window that reads one place of every channel."""
    return Window(image, (1, 1), (1, 1), (0, 0))


def composed(first: Window, then: Window) -> Window:
    """What a window reads of the image of one before it."""
    kernel, stride, padding = zip(*(_along(first, then, axis) for axis in (0, 1)), strict=True)
    return Window(first.image, kernel, stride, padding)


def _along(first: Window, then: Window, axis: int) -> tuple[int, int, int]:
    """Kernel, stride and padding along rows (0) or columns (1)."""
    step = first.stride[axis]
    return (
        (then.kernel[axis] - 1) * step + first.kernel[axis],
        then.stride[axis] * step,
        then.padding[axis] * step + first.padding[axis],
    )


def convolution(weights: Reals, window: Window, dilation: Pair, groups: int) -> Reals:
    """The matrix (maps·places, inputs) of a convolution with weights (maps, channels of a group, rows, columns)."""
    maps, each = weights.shape[:2]
    kernel = np.zeros((maps, 1, window.image[0], *window.kernel))
    group = np.arange(maps) // (maps // groups)
    rows, columns = dilation
    for channel in range(each):
        kernel[np.arange(maps), 0, group * each + channel, ::rows, ::columns] = weights[:, channel]
    return _matrix(kernel, window)


def average(window: Window, *, count_padding: bool) -> Reals:
    """The matrix (channels·places, inputs) of averages, each of one channel.

    ``count_padding`` says whether zeros around the image count.
    """
    channels = window.image[0]
    share = np.full(1, 1.0 / prod(window.kernel))
    if not count_padding:
        share = 1.0 / np.maximum((window.reads >= 0).sum(axis=1) // channels, 1)
    own = np.eye(channels)[:, None, :, None, None]
    return _matrix(own * share[None, :, None, None, None] * np.ones(window.kernel), window)


def _matrix(kernel: Reals, window: Window) -> Reals:
    """Weights (maps, places or 1, channels, rows, columns) as a matrix."""
    maps = len(kernel)
    out = np.zeros((maps, window.positions, window.inputs + 1))
    values = np.broadcast_to(kernel.reshape(maps, -1, window.taps), (maps, window.positions, window.taps))
    np.put_along_axis(out, np.broadcast_to(window.reads, values.shape), values, axis=2)
    return out.reshape(maps * window.positions, -1)[:, :-1]
