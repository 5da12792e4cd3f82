"""Private trees through a real service: batches, missing values, the description, and what a listener may not do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

import hermetic
from hermetic import InputError, RefusedError
from live import COMMAND, Live, serving

X, y = load_breast_cancer(return_X_y=True)
X = X[:, :8].copy()
X[np.random.default_rng(0).random(X.shape) < 0.05] = np.nan
ESTIMATOR = HistGradientBoostingClassifier(max_iter=8, max_bins=16).fit(X, y)
MODEL = hermetic.compile(ESTIMATOR, X, name="tumours", public=["histgradientboostingclassifier"])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("trees"), {"tumours": MODEL}, "--rate", "200/day") as live:
        yield live


def test_a_batch_is_answered_as_the_estimator_does(service: Live) -> None:
    with hermetic.connect(service.url, model="tumours") as remote:
        assert np.array_equal(remote.predict(X[:40]), ESTIMATOR.predict(X[:40]))
        gap = np.abs(remote.decision_function(X[:5]) - ESTIMATOR.decision_function(X[:5]))
        assert gap.max() <= MODEL.signature.error
        assert np.allclose(remote.predict_proba(X[:5]), ESTIMATOR.predict_proba(X[:5]))


def test_a_batch_is_asked_in_parts_and_says_how_far_it_is(service: Live) -> None:
    told: list[tuple[int, int]] = []
    with hermetic.connect(service.url, model="tumours", progress=lambda *one: told.append(one)) as remote:
        remote.predict(X[:12])
    assert len(told) > 2
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (12, 12)


def test_wrong_inputs_are_refused_before_anything_is_sent(service: Live) -> None:
    with hermetic.connect(service.url, model="tumours") as remote:
        for wrong in (np.full((1, 8), np.inf), X[:1, :7], np.array([["a"] * 8])):
            with pytest.raises(InputError):
                remote.predict(wrong)


def test_quotas_count_samples(service: Live) -> None:
    with hermetic.connect(service.url, model="tumours") as remote, pytest.raises((RefusedError, hermetic.BusyError)):
        remote.predict(X[:300])


def test_pages_and_the_description_are_there(service: Live) -> None:
    for path in ("/v2/models/tumours", "/", "/metrics"):
        assert httpx.get(service.url + path, headers={"Accept": "*/*"}, follow_redirects=True).status_code == 200


def test_inspect_says_what_is_public_and_what_is_not(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "tumours.hermetic")
    for options in ((), ("--json",)):
        command = [COMMAND, "inspect", str(tmp_path / "tumours.hermetic"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "strict" in done.stdout
        assert "words" in done.stdout
        assert "encode the weights" not in done.stdout
