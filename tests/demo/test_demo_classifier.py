"""The classifier and its cache."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from mnist_files import packaged, small

from hermetic.demo import classifier
from hermetic.demo.classifier import cache_directory, load_or_train, train
from hermetic.demo.mnist import Mnist, features


@pytest.fixture(scope="module")
def data() -> Mnist:
    return small(500, 50)


@pytest.fixture
def cache_file(data: Mnist, tmp_path: Path) -> Path:
    """The file that training leaves in a fresh cache."""
    assert load_or_train(data, tmp_path).seconds is not None
    (found,) = tmp_path.iterdir()
    return found


def test_a_twentieth_of_the_training_images_makes_a_fair_classifier() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained = train(small(3000, 1))
    test = packaged()
    assert trained.estimator.score(features(test.test_images), test.test_labels) > 0.86
    assert trained.seconds is not None
    assert 0 < trained.iterations <= classifier.SETTINGS["max_iter"]


def test_the_second_time_it_comes_from_the_cache(data: Mnist, cache_file: Path) -> None:
    fresh, cached = train(data), load_or_train(data, cache_file.parent)
    assert cached.seconds is None
    assert cached.iterations == fresh.iterations
    for name in ("coef_", "intercept_", "classes_"):
        np.testing.assert_array_equal(getattr(cached.estimator, name), getattr(fresh.estimator, name))
    X = features(data.test_images)
    np.testing.assert_array_equal(cached.estimator.predict_proba(X), fresh.estimator.predict_proba(X))


def test_without_a_cache_nothing_is_kept(data: Mnist, cache_file: Path) -> None:
    assert load_or_train(data, None).seconds is not None


def test_the_cache_is_no_pickle(cache_file: Path) -> None:
    content = cache_file.read_bytes()
    assert cache_file.suffix == ".safetensors"
    assert b"sklearn" not in content
    assert int.from_bytes(content[:8], "little") < 2000, "a safetensors header comes first"


def test_other_data_settings_or_versions_do_not_use_it(
    data: Mnist, cache_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_or_train(small(499, 50), cache_file.parent).seconds is not None
    monkeypatch.setitem(classifier.SETTINGS, "C", 0.06)
    assert load_or_train(data, cache_file.parent).seconds is not None
    monkeypatch.undo()
    monkeypatch.setattr("sklearn.__version__", "9.9.9")
    assert load_or_train(data, cache_file.parent).seconds is not None
    monkeypatch.undo()
    assert load_or_train(data, cache_file.parent).seconds is None


def test_a_file_of_another_key_is_not_used(data: Mnist, cache_file: Path) -> None:
    other = small(499, 50)
    load_or_train(other, cache_file.parent)
    (fresh,) = set(cache_file.parent.iterdir()) - {cache_file}
    fresh.replace(cache_file)
    assert load_or_train(data, cache_file.parent).seconds is not None


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "directory"])
def test_a_damaged_file_is_replaced(data: Mnist, cache_file: Path, damage: str) -> None:
    content = cache_file.read_bytes()
    cache_file.unlink()
    if damage == "directory":
        cache_file.mkdir()
    else:
        cache_file.write_bytes({"empty": b"", "truncated": content[:-1], "garbage": os.urandom(5000)}[damage])
    assert load_or_train(data, cache_file.parent).seconds is not None
    if damage != "directory":
        assert load_or_train(data, cache_file.parent).seconds is None


def test_no_flipped_bit_is_believed(data: Mnist, cache_file: Path) -> None:
    """Every byte of the header, and some of the numbers."""
    content, key = cache_file.read_bytes(), classifier._key(data)
    kept = classifier._load(cache_file, key)
    assert kept is not None
    header = 8 + int.from_bytes(content[:8], "little")
    positions = [*range(header), *range(header, len(content), 997)]
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        cache_file.write_bytes(damaged)
        found = classifier._load(cache_file, key)
        if found is not None:  # white space between header and numbers may differ
            np.testing.assert_array_equal(found.coef_, kept.coef_)
            np.testing.assert_array_equal(found.intercept_, kept.intercept_)


def test_a_cache_that_cannot_be_written_is_no_error(data: Mnist, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert load_or_train(data, blocked / "cache").seconds is not None


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "hermetic"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_directory() == Path.home() / ".cache" / "hermetic"
