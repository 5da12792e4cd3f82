"""Real MNIST, and small pieces of it as IDX files."""

from __future__ import annotations

import gzip
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hermetic.demo.mnist import FILES, Mnist, load_mnist


@cache
def packaged() -> Mnist:
    """All of MNIST, from the installed package."""
    return load_mnist()


def small(train: int, test: int) -> Mnist:
    """The first images of each part."""
    full = packaged()
    return Mnist(
        "small MNIST",
        full.train_images[:train],
        full.train_labels[:train],
        full.test_images[:test],
        full.test_labels[:test],
    )


def idx(array: npt.NDArray[Any]) -> bytes:
    """An IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write(directory: Path, data: Mnist) -> Path:
    """The four gzipped files of the data."""
    for name, file in FILES.items():
        (directory / file).write_bytes(gzip.compress(idx(getattr(data, name)), compresslevel=1))
    return directory
