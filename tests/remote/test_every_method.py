"""Models beyond classifiers and plain regressions at a service: each has its estimator's methods and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import hermetic
from hermetic import InputError
from in_process import URL, InProcess, running

METHODS = ("predict", "decision_function", "predict_proba", "predict_joint_log_proba", "transform")

ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "rates": (make_pipeline(StandardScaler(), PoissonRegressor()), load_diabetes),
    "components": (PCA(2), load_iris),
    "pairs": (SVC(kernel="linear"), load_iris),
    "counts": (MultinomialNB(), load_digits),
    "calibrated": (CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2), load_iris),
}
FITTED = {name: (one.fit(*load(return_X_y=True)), *load(return_X_y=True)) for name, (one, load) in ESTIMATORS.items()}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    models = {name: hermetic.compile(estimator, X, name=name) for name, (estimator, X, _) in FITTED.items()}
    with running(tmp_path_factory.mktemp("others"), models) as service:
        yield service


@pytest.mark.parametrize("name", FITTED)
def test_a_remote_model_has_the_methods_of_its_estimator(name: str, others: InProcess) -> None:
    estimator, X, _ = FITTED[name]
    remote = hermetic.connect(URL, model=name, transport=others.transport)
    for method in METHODS:
        assert hasattr(remote, method) == hasattr(estimator, method), method
        if hasattr(estimator, method):
            own = getattr(estimator, method)(X[:20])
            np.testing.assert_allclose(getattr(remote, method)(X[:20]), own, rtol=1e-3, atol=1e-2)


def test_raw_scores_are_those_before_the_link(others: InProcess) -> None:
    estimator, X, _ = FITTED["rates"]
    remote = hermetic.connect(URL, model="rates", transport=others.transport)
    assert np.abs(remote.raw_scores(X[:20]) - np.log(estimator.predict(X[:20]))).max() <= remote.signature.error


def test_scores_are_the_estimators(others: InProcess) -> None:
    for name, (estimator, X, y) in FITTED.items():
        remote = hermetic.connect(URL, model=name, transport=others.transport)
        if name == "components":
            with pytest.raises(InputError, match="must come from a model that predicts"):
                remote.score(X, y)
        elif name != "rates":
            assert remote.score(X[:40], y[:40]) == pytest.approx(estimator.score(X[:40], y[:40]), abs=1e-3)


def test_a_transformer_is_a_step_of_a_pipeline(others: InProcess) -> None:
    _, X, y = FITTED["components"]
    remote = hermetic.connect(URL, model="components", transport=others.transport)
    with pytest.raises(AttributeError, match=r"has no predict\. Use transform"):
        remote.predict(X)
    own = make_pipeline(PCA(2), LogisticRegression()).fit(X, y)
    assert (make_pipeline(remote, own[-1]).predict(X[:30]) == own.predict(X[:30])).all()
