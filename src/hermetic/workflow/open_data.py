"""MNIST under the names that the guide loads it by."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..demo.mnist import FILES, Bytes, load_mnist, read_idx
from ..errors import SettingsError


class MNIST:
    """The handwritten digits as the four classic files."""

    @classmethod
    def get_file_dataset(cls) -> MNIST:
        """The data set; nothing is loaded yet."""
        return cls()

    def download(self, target_path: Path | str, overwrite: bool = False) -> list[str]:
        """Write the four gzipped IDX files into a directory, from the installed package; gives their paths."""
        folder, data = Path(target_path), load_mnist()
        folder.mkdir(parents=True, exist_ok=True)
        paths = {name: folder / file for name, file in FILES.items()}
        taken = [str(path) for path in paths.values() if path.exists()]
        if taken and not overwrite:
            raise SettingsError(f"{', '.join(taken)} must not exist yet: download with overwrite=True.")
        for name, path in paths.items():
            path.write_bytes(_idx(getattr(data, name)))
        return [str(path) for path in paths.values()]


def load_data(filename: Path | str, label: bool = False) -> npt.NDArray[Any]:
    """A gzipped IDX file: images as (n, 784) pixels, or labels as (n, 1), uint8. Raises InputError if damaged."""
    array = read_idx(Path(filename))
    return array.reshape(len(array), 1 if label else -1)


def _idx(array: Bytes) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + np.ascontiguousarray(array).tobytes(), compresslevel=1, mtime=0)
