"""The demo's picture: every digit as the client has it, beside the bytes that the server gets for it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure
import numpy as np

from ..errors import InputError
from .mnist import Bytes

MOST_DIGITS = 10
"""The picture shows at most this many."""

NOISE_SIDE = 56
"""Each tile of ciphertext shows this many bytes squared: a byte for every quarter of a pixel of the digit."""

_COLUMNS = 5
_TILE, _GAP, _MARGIN, _LABEL, _HEAD, _FOOT = 1.25, 0.42, 0.55, 0.62, 1.62, 1.15
_PAIR = 2 * _TILE + 0.06
_INK, _GREY, _RIGHT, _WRONG, _PAPER = "#14213d", "#5c677d", "#1b7f5c", "#c1121f", "#ffffff"


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One image (28, 28), its true and decrypted label, and at least NOISE_SIDE² bytes of its ciphertext."""

    image: Bytes
    true: int
    predicted: int
    ciphertext: bytes


@dataclass(frozen=True)
class Figure:
    """A number of the foot of the picture, and what it counts."""

    value: str
    meaning: str


def draw(path: Path, exhibits: Sequence[Exhibit], figures: Sequence[Figure]) -> None:
    """Write the PNG.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    shown = exhibits[:MOST_DIGITS]
    rows = -(-len(shown) // _COLUMNS)
    width = 2 * _MARGIN + _COLUMNS * _PAIR + (_COLUMNS - 1) * _GAP
    height = _HEAD + rows * (_TILE + _LABEL) + _FOOT
    page = _Page(matplotlib.figure.Figure(figsize=(width, height), facecolor=_PAPER), width, height)
    page.text(_MARGIN, 0.62, "A service that reads digits it never sees", size=23, weight="bold")
    page.text(
        _MARGIN,
        1.02,
        "Left, an MNIST test image: it stays with the client.  Right, the start of its ciphertext: what the server "
        "gets, and computes on.",
        size=12.5,
        color=_GREY,
    )
    for i, exhibit in enumerate(shown):
        x = _MARGIN + i % _COLUMNS * (_PAIR + _GAP)
        _draw_exhibit(page, x, _HEAD + i // _COLUMNS * (_TILE + _LABEL), exhibit)
        if i < _COLUMNS:
            page.text(x, _HEAD - 0.09, "client", size=10, color=_GREY)
            page.text(x + _PAIR - _TILE, _HEAD - 0.09, "server", size=10, color=_GREY)
    _draw_figures(page, height - _FOOT + 0.45, width - 2 * _MARGIN, figures)
    try:
        page.figure.savefig(path, dpi=150, format="png")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


@dataclass(frozen=True, eq=False)
class _Page:
    """A figure measured in inches from its upper left corner."""

    figure: matplotlib.figure.Figure
    width: float
    height: float

    def text(self, x: float, y: float, words: str, *, size: float, color: str = _INK, weight: str = "normal") -> None:
        at = (x / self.width, 1 - y / self.height)
        self.figure.text(*at, words, fontsize=size, color=color, fontweight=weight, va="baseline")

    def tile(self, x: float, y: float, pixels: Bytes, colours: str) -> None:
        box = (x / self.width, 1 - (y + _TILE) / self.height, _TILE / self.width, _TILE / self.height)
        axes = self.figure.add_axes(box)
        axes.imshow(pixels, cmap=colours, vmin=0, vmax=255, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(color="#d0d5dd", linewidth=0.8)


def _draw_exhibit(page: _Page, x: float, y: float, exhibit: Exhibit) -> None:
    noise = np.frombuffer(exhibit.ciphertext[: NOISE_SIDE**2], dtype=np.uint8).reshape(NOISE_SIDE, NOISE_SIDE)
    page.tile(x, y, exhibit.image, "gray_r")
    page.tile(x + _PAIR - _TILE, y, noise, "gray_r")
    right = exhibit.predicted == exhibit.true
    verdict = "✓ correct" if right else f"✗ it is a {exhibit.true}"
    line = y + _TILE + 0.28
    page.text(x, line, "decrypted", size=11, color=_GREY)
    page.text(x + 0.85, line, str(exhibit.predicted), size=15, weight="bold")
    page.text(x + _PAIR - _TILE, line, verdict, size=12, color=_RIGHT if right else _WRONG)


def _draw_figures(page: _Page, y: float, room: float, figures: Sequence[Figure]) -> None:
    for i, one in enumerate(figures):
        x = _MARGIN + i * room / len(figures)
        page.text(x, y, one.value, size=15, weight="bold")
        for line, words in enumerate(textwrap.wrap(one.meaning, 36)):
            page.text(x, y + 0.24 + 0.19 * line, words, size=10.5, color=_GREY)
