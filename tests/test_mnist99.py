"""The example that reads MNIST on public features: the quick form from end to end, and how its head is fitted."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples.mnist99.head import FULL, QUICK, Recipe, computed, fit, training_set
from examples.mnist99.kept import kept_head

from hermetic.demo.mnist import Mnist, features, load_mnist
from hermetic.features import FeatureMap

ROOT = Path(__file__).parent.parent
LONGEST = 480


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.mnist99", "--folder", str(folder), "--picture", str(folder / "a.png")]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=LONGEST, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist()


@pytest.fixture(scope="module")
def small(mnist: Mnist) -> Recipe:
    return dataclasses.replace(QUICK, images=500)


def nothing(done: int, total: int) -> None:
    """Told how far the work is."""


def test_the_quick_form_runs_from_training_to_the_picture(tmp_path: Path) -> None:
    done = run(tmp_path, "--quick", "--images", "600")
    assert done.returncode == 0, done.stderr
    assert "fitted in" in done.stderr
    right = re.search(r"^right: (\d+) of 600 = \S+%; in the clear: (\d+) of 600", done.stdout, re.MULTILINE)
    assert right and right[1] == right[2] and int(right[1]) > 0.95 * 600
    assert "labels equal: 600 of 600 = 100.00%" in done.stdout
    assert "integers equal to the reference: 6,000 of 6,000 = 100.00%" in done.stdout
    error = re.search(r"largest error of a score: (\S+); guaranteed <= (\S+)", done.stdout)
    assert error and float(error[1]) <= float(error[2])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    again = run(tmp_path, "--quick", "--images", "1")
    assert again.returncode == 0 and "fitted in" not in again.stderr, again.stderr


def test_no_images_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--images", "0")
    assert done.returncode == 2 and "--images must be at least 1. Got 0" in done.stderr


def test_each_image_is_there_again_moved_by_a_pixel(mnist: Mnist, small: Recipe) -> None:
    images, labels = training_set(small, mnist)
    np.testing.assert_array_equal(images[:500], mnist.train_images[:500])
    np.testing.assert_array_equal(labels[:500], labels[500:])
    moves = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    for image, moved in zip(images[:500], images[500:], strict=True):
        rolled = [np.roll(image, move, axis=(0, 1)) for move in moves]  # which wraps around where digits are cut
        assert any(np.array_equal(one[1:-1, 1:-1], moved[1:-1, 1:-1]) for one in rolled)


def test_a_head_takes_features_as_they_are(mnist: Mnist, small: Recipe) -> None:
    images, labels = training_set(small, mnist)
    X = computed(small, images, nothing)
    assert (fit(small, X.copy(), labels).predict(X) == labels).mean() > 0.97


def test_a_head_is_kept_as_numbers(mnist: Mnist, small: Recipe, tmp_path: Path) -> None:
    heads = [kept_head(small, mnist, tmp_path) for _ in range(2)]
    np.testing.assert_array_equal(heads[0].coef_, heads[1].coef_)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    kept_head(dataclasses.replace(small, images=400), mnist, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_features_learn_nothing_from_data_and_fit_a_signature() -> None:
    """Everything of the map is a number that was chosen: there is nothing else in it."""
    (document,) = FULL.features.document()
    assert all(isinstance(value, int | float) for name, value in document.items() if name != "kind")
    assert FeatureMap.from_document([document]).outputs == FULL.features.outputs == 4096


def test_the_ceiling_is_seldom_reached(mnist: Mnist) -> None:
    values = FULL.features.apply(features(mnist.test_images[:200]))
    assert (values == values.max()).mean() < 1e-4
