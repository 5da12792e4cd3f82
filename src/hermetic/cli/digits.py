"""Images and ciphertext in a terminal: two pixels a character cell, and a hex view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

Pixels = npt.NDArray[np.uint8]

_SHADES = " ░▒▓█"
_ASCII_SHADES = " .+#@"
_PAPER = 24
"""The grey that 0 is drawn as, so that an image's square is seen on a black terminal."""


def halved(image: Pixels) -> Pixels:
    """Every 2 x 2 pixels as one, (h, w) -> (h/2, w/2)."""
    h, w = image.shape
    return np.asarray(image.reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3)), dtype=np.uint8)


def picture(image: Pixels, console: Console) -> list[Text]:
    """An image (h, w), h even, 0 black to 255 white, as h/2 lines of w cells.

    Each cell is an upper half block in two greys; a character of about the right shade where there are no colours.
    """
    pairs = image.reshape(len(image) // 2, 2, -1).astype(int)
    if console.color_system in ("truecolor", "256") and not console.no_color and not console.options.ascii_only:
        return [_grey_line(top, bottom) for top, bottom in pairs]
    shades = _ASCII_SHADES if console.options.ascii_only else _SHADES
    levels = pairs.mean(axis=1) * len(shades) / 256
    return [Text("".join(shades[int(level)] for level in row)) for row in levels]


def _grey_line(top: npt.NDArray[np.int_], bottom: npt.NDArray[np.int_]) -> Text:
    line = Text()
    for upper, lower in zip(top, bottom, strict=True):
        line.append("▀", Style(color=_grey(upper), bgcolor=_grey(lower)))
    return line


def _grey(value: int) -> Color:
    level = _PAPER + int(value) * (255 - _PAPER) // 255
    return Color.from_rgb(level, level, level)


def hexadecimal(data: bytes, rows: int, columns: int) -> list[Text]:
    """The first bytes, ``columns`` a line."""
    lines = (data[start : start + columns] for start in range(0, rows * columns, columns))
    return [Text(line.hex(" "), style="red") for line in lines]


def beside(left: Sequence[Text], right: Sequence[Text], gap: str) -> list[Text]:
    """Two blocks of equally many lines, next to each other."""
    return [Text.assemble(line, gap, other) for line, other in zip(left, right, strict=True)]
