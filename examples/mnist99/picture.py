"""The picture: the images that were read wrong, with what they are and as what they were read."""

from __future__ import annotations

from pathlib import Path

import matplotlib.figure
import numpy as np
import numpy.typing as npt

from hermetic.demo.mnist import Bytes

_COLUMNS = 13
_MOST = 8 * _COLUMNS
_TILE, _ROW, _HEAD = 0.8, 1.0, 1.0
_INK, _GREY, _WRONG = "#14213d", "#5c677d", "#c1121f"


def draw(path: Path, images: Bytes, true: Bytes, read: npt.NDArray[np.generic]) -> None:
    """Write the PNG: images (n, 28, 28), their labels (n,) and those decrypted (n,)."""
    wrong = np.flatnonzero(read != true)
    shown = wrong[:_MOST]
    height = _HEAD + max(1, -(-len(shown) // _COLUMNS)) * _ROW
    figure = matplotlib.figure.Figure(figsize=(_COLUMNS * _TILE, height), facecolor="white")
    share = f"{len(images) - len(wrong):,} of {len(images):,} encrypted images read right: {(read == true).mean():.2%}"
    others = f"The other {len(wrong)}" if len(wrong) == len(shown) else f"{len(shown)} of the other {len(wrong)}"
    rest = f"{others}: what they are, and as what they were read"
    figure.text(0.012, 1 - 0.42 / height, share, fontsize=17, weight="bold", color=_INK)
    figure.text(0.012, 1 - 0.75 / height, rest, fontsize=11, color=_GREY)
    for place, i in enumerate(shown):
        _draw_tile(figure, place, images[i], f"{true[i]} as {read[i]}")
    figure.savefig(path, dpi=120, format="png")


def _draw_tile(figure: matplotlib.figure.Figure, place: int, image: Bytes, title: str) -> None:
    width, height = figure.get_size_inches()
    left, bottom = place % _COLUMNS * _TILE + 0.06, height - _HEAD - place // _COLUMNS * _ROW - _TILE
    side = 0.9 * _TILE
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.imshow(image, cmap="gray_r", interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, pad=1, color=_WRONG)
