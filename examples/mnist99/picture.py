"""The picture: every image that was read wrong, with what it was read as and what it is."""

from __future__ import annotations

from pathlib import Path

import matplotlib.figure
import numpy as np
import numpy.typing as npt

from hermetic.demo.mnist import Bytes

_COLUMNS = 13
_MOST = 8 * _COLUMNS
_TILE, _HEAD = 0.8, 1.0


def draw(path: Path, images: Bytes, true: Bytes, read: npt.NDArray[np.generic]) -> None:
    """Write the PNG: images (n, 28, 28), their labels (n,) and those decrypted (n,)."""
    wrong = np.flatnonzero(read != true)
    rows = max(1, -(-min(len(wrong), _MOST) // _COLUMNS))
    width, height = _COLUMNS * _TILE, _HEAD + rows * 1.25 * _TILE
    figure = matplotlib.figure.Figure(figsize=(width, height), facecolor="white")
    share = f"{len(images) - len(wrong):,} of {len(images):,} encrypted images read right: {(read == true).mean():.2%}"
    figure.text(0.012, 1 - 0.42 / height, share, fontsize=17, weight="bold", color="#14213d")
    rest = f"the first {_MOST} of the others" if len(wrong) > _MOST else f"the other {len(wrong)}"
    figure.text(0.012, 1 - 0.75 / height, f"What it is, and as what it was read: {rest}", fontsize=11, color="#5c677d")
    for place, i in enumerate(wrong[:_MOST]):
        left, top = place % _COLUMNS * _TILE, _HEAD + place // _COLUMNS * 1.25 * _TILE
        box = (left / width + 0.006, 1 - (top + _TILE) / height, 0.9 * _TILE / width, 0.9 * _TILE / height)
        axes = figure.add_axes(box)
        axes.imshow(images[i], cmap="gray_r", interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{true[i]} as {read[i]}", fontsize=9, pad=1, color="#c1121f")
    figure.savefig(path, dpi=120, format="png")
