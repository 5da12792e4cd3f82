"""The pictures, in the file and in the terminal, show what they say: read back, they give the bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from mnist_files import packaged
from rich.console import Console
from rich.text import Text

from hermetic.cli.digits import halved, hexadecimal, picture
from hermetic.demo import picture as page
from hermetic.demo.picture import NOISE_SIDE, Exhibit, Figure, draw
from hermetic.errors import InputError

DOTS = 150
IMAGES = packaged().test_images[:12]


def exhibits(count: int) -> list[Exhibit]:
    return [Exhibit(image, 7, 7, os.urandom(NOISE_SIDE**2)) for image in IMAGES[:count]]


def tile(pixels: np.ndarray, x: float, y: float, side: int) -> np.ndarray:
    """The bytes (side, side) of a tile whose upper left corner is x, y inches: its pixels' centres, black is 255."""
    centres = (np.arange(side) + 0.5) / side * page._TILE
    rows, columns = (((start + centres) * DOTS).astype(int) for start in (y, x))
    return 255 - np.rint(pixels[np.ix_(rows, columns)][:, :, 0] * 255).astype(int)


@pytest.mark.parametrize("count", [1, 5, 10])
def test_every_tile_shows_its_image_and_its_ciphertext(tmp_path: Path, count: int) -> None:
    shown = exhibits(count)
    draw(tmp_path / "page.png", shown, [Figure("1 of 1", "labels equal")])
    pixels = matplotlib.image.imread(tmp_path / "page.png")
    for i, one in enumerate(shown):
        x = page._MARGIN + i % 5 * (page._PAIR + page._GAP)
        y = page._HEAD + i // 5 * (page._TILE + page._LABEL)
        np.testing.assert_allclose(tile(pixels, x, y, 28), one.image, atol=1)
        noise = np.frombuffer(one.ciphertext, np.uint8).reshape(NOISE_SIDE, NOISE_SIDE)
        np.testing.assert_allclose(tile(pixels, x + page._PAIR - page._TILE, y, NOISE_SIDE), noise, atol=1)


def test_it_shows_ten_at_most(tmp_path: Path) -> None:
    draw(tmp_path / "ten.png", exhibits(10), [])
    draw(tmp_path / "twelve.png", exhibits(12), [])
    ten, twelve = (matplotlib.image.imread(tmp_path / f"{name}.png") for name in ("ten", "twelve"))
    assert ten.shape == twelve.shape


def test_a_wrong_label_is_red(tmp_path: Path) -> None:
    """There is red ink on the page if, and only if, a label is wrong."""
    right, wrong = exhibits(1)[0], Exhibit(IMAGES[0], 7, 1, os.urandom(NOISE_SIDE**2))
    reds = []
    for one in (right, wrong):
        draw(tmp_path / "page.png", [one], [])
        red, green, blue = np.moveaxis(matplotlib.image.imread(tmp_path / "page.png")[:, :, :3], 2, 0)
        reds.append(bool(((red > 0.6) & (green < 0.2) & (blue < 0.3)).any()))
    assert reds == [False, True]


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written: No such file"):
        draw(tmp_path / "no" / "page.png", exhibits(1), [])


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), width=80, **options)  # type: ignore[arg-type]


def greys(lines: list[Text]) -> np.ndarray:
    """The pixels of half blocks: foreground above, background below."""
    cells = [[span.style for span in line.spans] for line in lines]
    above = [[style.color.triplet.red for style in row] for row in cells]
    below = [[style.bgcolor.triplet.red for style in row] for row in cells]
    return np.stack([above, below], axis=1).reshape(-1, len(cells[0]))


@pytest.mark.parametrize("image", IMAGES[:3])
def test_half_blocks_hold_every_pixel(image: np.ndarray) -> None:
    lines = picture(image, console(force_terminal=True, color_system="truecolor"))
    assert [line.plain for line in lines] == ["▀" * 28] * 14
    np.testing.assert_array_equal(greys(lines), 24 + image.astype(int) * 231 // 255)


def test_without_colours_shades_are_characters() -> None:
    image = np.repeat(np.array([[0, 60, 110, 160, 255]], np.uint8), 2, axis=0)
    assert [line.plain for line in picture(image, console(color_system=None))] == [" ░▒▓█"]


def test_without_unicode_shades_are_ascii() -> None:
    image = np.repeat(np.array([[0, 60, 110, 160, 255]], np.uint8), 2, axis=0)
    ascii_file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert [line.plain for line in picture(image, Console(file=ascii_file))] == [" .+#@"]


def test_halving_averages() -> None:
    np.testing.assert_array_equal(halved(np.array([[0, 100, 8, 8], [100, 200, 8, 8]], np.uint8)), [[100, 8]])


def test_hexadecimal_is_the_first_bytes() -> None:
    data = os.urandom(1000)
    lines = hexadecimal(data, 14, 16)
    assert b"".join(bytes.fromhex(line.plain) for line in lines) == data[: 14 * 16]
    assert len(lines) == 14
