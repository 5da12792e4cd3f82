"""The benchmark of public features, on the example's quick form: its rows and its sentence say what was measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from benchmarks.public_features import feature_rows, fitted, whole_test_set
from benchmarks.roles import Medians
from examples.mnist99.head import QUICK

from hermetic.demo.mnist import load_mnist


def test_it_measures_one_image_a_batch_and_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    recipe, mnist = dataclasses.replace(QUICK, images=500), load_mnist()
    data = dataclasses.replace(mnist, test_images=mnist.test_images[:300], test_labels=mnist.test_labels[:300])
    head = fitted(data, recipe)
    assert len(list(tmp_path.glob("hermetic/*.npz"))) == 1
    one, batch = (row.measured for row in feature_rows(head, data, 1, recipe))
    assert isinstance(one, Medians) and isinstance(batch, Medians)
    assert (one.samples, batch.samples) == (1, 250)
    assert one.exact and batch.exact
    sentence = whole_test_set(head, data, recipe)
    assert "labels equal on 300, integers equal to the reference on 300;" in sentence
    right = re.search(r"right: (\S+)%, in the clear (\S+)%", sentence)
    assert right and right[1] == right[2] and float(right[1]) > 90
