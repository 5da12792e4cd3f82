"""scikit-learn takes the client for what it says it is: a fitted estimator."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.validation import check_is_fitted

import hermetic
from fitted import digits, petals, sepals, tumours
from hermetic import InputError, RemoteModel, SettingsError
from in_process import URL, InProcess, running
from served import diabetes

Connect = Callable[..., RemoteModel]
TOKEN = "hermetic_a-token-nobody-should-see"


def test_what_fitting_leaves_behind(connect: Connect) -> None:
    one, two = connect("petals"), connect("diabetes")
    check_is_fitted(one)
    np.testing.assert_array_equal(one.classes_, petals().estimator.classes_)
    assert one.n_features_in_ == 2
    assert not hasattr(one, "feature_names_in_")
    np.testing.assert_array_equal(two.feature_names_in_, diabetes().estimator.feature_names_in_)
    assert not hasattr(two, "classes_")


def test_tags_say_what_kind_it_is(connect: Connect) -> None:
    multiclass, binary, regression, several = map(connect, ("digits", "tumours", "diabetes", "sepals"))
    assert is_classifier(multiclass) and is_classifier(binary)
    assert is_regressor(regression) and is_regressor(several)
    assert get_tags(multiclass).classifier_tags.multi_class and not get_tags(binary).classifier_tags.multi_class
    assert get_tags(several).target_tags.multi_output and not get_tags(regression).target_tags.multi_output


def test_clones_share_keys_and_connection(connect: Connect, service: InProcess) -> None:
    remote = connect()
    remote.predict(digits().X[:1])
    service.balancer.seen.clear()
    other = clone(remote)
    assert other is not remote
    assert other.get_params() == remote.get_params()
    np.testing.assert_array_equal(other.predict(digits().X[:5]), digits().estimator.predict(digits().X[:5]))
    assert [one.method for one in service.balancer.seen] == ["POST"]
    assert other.public_key.id == remote.public_key.id


def test_a_clone_changes_alone(connect: Connect) -> None:
    remote = connect()
    other = clone(remote).set_params(clip=True)
    X = digits().X[:2] + 100
    other.predict(X)
    with pytest.raises(InputError):
        remote.predict(X)


def test_the_last_step_of_a_fitted_pipeline(tmp_path: Path) -> None:
    """The scaler runs here, in the clear; what it gives goes encrypted."""
    X, y = tumours().X, tumours().y
    scaler = StandardScaler().fit(X)
    inner = LogisticRegression().fit(scaler.transform(X), y)
    model = hermetic.compile(inner, scaler.transform(X), name="inner")
    with running(tmp_path, {"inner": model}) as service:
        remote = hermetic.connect(URL, model="inner", transport=service.transport)
        pipeline = Pipeline([("scale", scaler), ("model", remote)])
        np.testing.assert_array_equal(pipeline.predict(X), inner.predict(scaler.transform(X)))
        expected = inner.decision_function(scaler.transform(X))
        np.testing.assert_allclose(pipeline.decision_function(X), expected, rtol=0, atol=model.signature.error)
        np.testing.assert_array_equal(pipeline.classes_, inner.classes_)
        assert pipeline.score(X, y) == inner.score(scaler.transform(X), y)
        assert pipeline.fit(X, y).score(X, y) == inner.score(scaler.transform(X), y)
        check_is_fitted(pipeline)


def test_cross_validation_scores_the_one_model_on_every_fold(connect: Connect, service: InProcess) -> None:
    X, y = digits().X[:200], digits().y[:200]
    scores = cross_val_score(connect(), X, y, cv=KFold(4))
    expected = [digits().estimator.score(X[test], y[test]) for _, test in KFold(4).split(X)]
    np.testing.assert_allclose(scores, expected)
    assert len(service.balancer.calls("PUT", "")) == 1
    np.testing.assert_array_equal(cross_val_predict(connect(), X, y, cv=4), digits().estimator.predict(X))


def test_cross_validation_of_a_regression(connect: Connect) -> None:
    X, y = diabetes().X[:100], diabetes().y[:100]
    scores = cross_val_score(connect("diabetes"), X, y, cv=KFold(4))
    expected = [diabetes().estimator.score(X.iloc[test], y[test]) for _, test in KFold(4).split(X)]
    np.testing.assert_allclose(scores, expected, atol=1e-4)


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc", "neg_log_loss", "average_precision", "neg_brier_score"])
def test_scorers_find_the_right_method(scoring: str, connect: Connect) -> None:
    X, y = tumours().X[:100], tumours().y[:100]
    scorer = get_scorer(scoring)
    assert scorer(connect("tumours"), X, y) == pytest.approx(scorer(tumours().estimator, X, y), abs=1e-3)


def test_a_search_over_options_and_over_steps_before(connect: Connect) -> None:
    X, y = digits().X[:60], digits().y[:60]
    pipeline = make_pipeline(MinMaxScaler((0, 16)), connect("digits", clip=True, round_inputs=True))
    search = GridSearchCV(pipeline, {"minmaxscaler__feature_range": [(0, 1), (0, 16)]}, cv=2).fit(X, y)
    assert search.best_params_ == {"minmaxscaler__feature_range": (0, 16)}
    search = GridSearchCV(connect(), {"clip": [False, True]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.9


def test_threads_but_not_processes(connect: Connect) -> None:
    X, y = digits().X[:60], digits().y[:60]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert cross_val_score(connect(), X, y, cv=3).mean() > 0.9
    with pytest.raises(pickle.PicklingError) as refused:
        cross_val_score(connect(), X, y, cv=3, n_jobs=2)
    assert "holds a secret key" in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_is_not_copied_by_accident(duplicate: Callable[[object], object], connect: Connect) -> None:
    with pytest.raises(TypeError, match="holds a secret key"):
        duplicate(connect())


def test_inspection(connect: Connect) -> None:
    X, y = petals().X[:30], petals().y[:30]
    importance = permutation_importance(connect("petals"), X, y, n_repeats=2, random_state=0)
    expected = permutation_importance(petals().estimator, X, y, n_repeats=2, random_state=0)
    np.testing.assert_allclose(importance.importances, expected.importances)
    remote = connect("tumours")
    share, _ = calibration_curve(tumours().y[:50], remote.predict_proba(tumours().X[:50])[:, 1], n_bins=3)
    assert len(share) > 1


def test_fit_trains_nothing_and_asks_nothing(connect: Connect, service: InProcess) -> None:
    remote = connect()
    service.balancer.seen.clear()
    assert remote.fit(digits().X[:50], digits().y[:50]) is remote
    assert remote.fit(digits().X[:50]) is remote
    assert not service.balancer.seen


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.full((3, 64), np.nan), [0, 1, 2], "finite"),
        (np.zeros((3, 8)), [0, 1, 2], "shape"),
        (np.zeros((3, 64)), [0, 1], "3 values"),
        (np.zeros((3, 64)), [0, 1, 10], "labels of the model"),
        (np.zeros((3, 64)), ["0", "1", "2"], "labels of the model"),
    ],
)
def test_fit_checks_its_arguments(X: object, y: object, message: str, connect: Connect) -> None:
    with pytest.raises(InputError, match=message):
        connect().fit(X, y)


def test_parameters_hold_no_secret(connect: Connect) -> None:
    remote = connect(token=TOKEN)
    shown = [repr(remote), str(remote.get_params()), repr(make_pipeline(MinMaxScaler(), remote)), str(vars(remote))]
    shown += [estimator_html_repr(make_pipeline(MinMaxScaler(), remote)), repr(remote.settings)]
    assert all(TOKEN not in one for one in shown)
    assert "<hidden>" in repr(remote)
    assert not {"token", "secret_key"} & set(remote.get_params())


def test_set_params(connect: Connect, service: InProcess) -> None:
    remote = connect()
    remote.predict(digits().X[:1])
    service.balancer.seen.clear()
    assert remote.set_params(batch_size=7, in_flight=2) is remote
    remote.predict(digits().X[:21])
    assert [one.method for one in service.balancer.seen] == ["POST"] * 3
    remote.set_params(model="petals")
    np.testing.assert_array_equal(remote.classes_, petals().estimator.classes_)
    assert remote.set_params() is remote
    with pytest.raises(SettingsError, match="Got nonsense as well"):
        remote.set_params(nonsense=1)
    with pytest.raises(SettingsError, match="in_flight"):
        remote.set_params(in_flight=0)
    with pytest.raises(SettingsError):
        remote.set_params(token="another")


def test_a_regression_scores_like_scikit_learn(connect: Connect) -> None:
    weights = np.arange(1, 31)
    expected = sepals().estimator.score(sepals().X[:30], sepals().y[:30], weights)
    assert connect("sepals").score(sepals().X[:30], sepals().y[:30], weights) == pytest.approx(expected, abs=1e-3)
    expected = petals().estimator.score(petals().X[:30], petals().y[:30], weights)
    assert connect("petals").score(petals().X[:30], petals().y[:30], weights) == pytest.approx(expected)
