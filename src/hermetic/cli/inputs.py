"""Samples for a model: a table in a file, or images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..inputs.grid import Grid
from ..signature import Signature
from .samples import Samples, read_samples

_IMAGES = (".png",)
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
_BYTE = 255


def read_inputs(sources: Sequence[str], signature: Signature, *, header: bool | None = None) -> Samples:
    """Read the samples that a command names.

    Parameters
    ----------
    sources
        One ``.npy``, ``.csv`` or ``.tsv`` file or ``-`` for CSV on standard input, or any number of ``.png`` images.
    signature
        The model that the samples are for: its column names, or how many pixels it takes and on which scale.
    header
        Whether the first line of CSV names the columns; by default it is looked at.

    Raises
    ------
    InputError
        If they cannot be read, or do not fit the model.
    """
    images = [source for source in sources if Path(source).suffix.lower() in _IMAGES]
    if not images:
        if len(sources) > 1:
            raise InputError(f"samples must come from one file, or from images. Got {len(sources)} files.")
        names, features = signature.feature_names, signature.feature_map
        return read_samples(sources[0], names, features, columns=signature.inputs, header=header)
    if len(images) < len(sources):
        raise InputError("samples must come from one file, or from images alone. Got both.")
    largest = _largest_pixel(signature.grid)
    return np.stack([_read_image(image, signature.inputs) * (largest / _BYTE) for image in images])


def _largest_pixel(grid: Grid) -> float:
    """What the value 255 of a pixel is to the model: 255 or 1."""
    for largest in (255.0, 1.0):
        if np.allclose(grid.lower, 0) and np.allclose(grid.upper, largest):
            return largest
    raise InputError(
        f"a model for images must take pixels from 0 to 255, or from 0 to 1. This one takes {grid.lower.min():g} to "
        f"{grid.upper.max():g}: pass rows of numbers instead."
    )


def _read_image(source: str, features: int) -> npt.NDArray[np.float64]:
    """The pixels of an image (d,), row by row; grey, or red, green and blue by turns if the model takes three times as
    many numbers. Transparency is dropped.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise InputError("images need Pillow. Install it with: pip install pillow") from None
    try:
        with Image.open(source, formats=["PNG"]) as image:
            mode = _mode(source, image, features)
            return np.asarray(image.convert(mode), dtype=np.float64).reshape(features)
    except UnidentifiedImageError:
        raise InputError(f"{source} must be a PNG image. It is not.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{source} cannot be read: {error}.") from None


def _mode(source: str, image: Any, features: int) -> str:
    """Checked before the image is decoded: what it has room for is known from its header."""
    width, height = image.size
    if image.mode not in _MODES:
        raise InputError(f"{source} must have 8 bits a colour or fewer. Got Pillow's mode {image.mode!r} instead.")
    if features not in (width * height, 3 * width * height):
        raise InputError(
            f"{source} must have {features} pixels, as the model takes {features} numbers. It has {width} x {height} = "
            f"{width * height}: resize it first."
        )
    return "L" if features == width * height else "RGB"
