"""What cannot be compiled: each message says what must be, what came instead and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import AdaBoostRegressor, VotingRegressor
from sklearn.impute import KNNImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC

import hermetic
from hermetic import CompileError, UnsupportedModelError
from known_weights import compiled, regression

# Few iterations suffice here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
ONE = LogisticRegression(max_iter=1000).fit(X, Y)


def fitted(estimator: Any) -> Any:
    return estimator.fit(X, Y)


# Estimators that are not supported


@pytest.mark.parametrize(
    ("estimator", "nearest"),
    [
        (AdaBoostRegressor(n_estimators=2), "GradientBoostingRegressor"),
        (KernelRidge(), "Ridge"),
        (KNeighborsClassifier(), "NearestCentroid"),
        (KernelPCA(), "PCA"),
        (KNNImputer(), "SimpleImputer"),
    ],
)
def test_an_estimator_names_the_nearest_that_is_supported(estimator: Any, nearest: str) -> None:
    supported = "such as .*, RandomForestClassifier or a Pipeline of affine steps and one of them"
    got = f"Got {type(estimator).__name__} instead: the nearest that is supported is {nearest}"
    with pytest.raises(UnsupportedModelError, match=rf"{supported}\. {got}\. docs/supported-models.md lists all\.$"):
        hermetic.compile(fitted(estimator), X)


@pytest.mark.parametrize("thing", [DBSCAN(), None, ONE.coef_])
def test_what_is_near_nothing_names_what_is_supported(thing: Any) -> None:
    with pytest.raises(UnsupportedModelError, match=rf"Got {type(thing).__name__} instead\. docs/supported-models.md"):
        hermetic.compile(thing, X)


def test_a_text_names_a_file() -> None:
    with pytest.raises(CompileError, match=r"or the name of an \.onnx file\. Got 'a text': load a \.skops file with"):
        hermetic.compile("a text", X)


def test_a_class_is_not_an_estimator() -> None:
    with pytest.raises(UnsupportedModelError, match="Got the class LogisticRegression instead: make one and fit it"):
        hermetic.compile(LogisticRegression, X)


TWO, TABLE, ONE_COLUMN = Y > 0, np.stack([Y == 0, 2 * (Y == 1)], axis=1), (Y > 0)[:, None]


@pytest.mark.parametrize(
    ("estimator", "target", "message"),
    [
        (make_pipeline(KNNImputer(), Ridge()), Y, r"must be affine, .* Step 'knnimputer' is a KNNImputer instead"),
        (make_pipeline(KernelPCA(2), Ridge()), Y, "Step 'kernelpca' is a KernelPCA instead.* PCA. Take one"),
        (make_pipeline(StandardScaler(), AdaBoostRegressor(n_estimators=2)), Y, "Got AdaBoostRegressor instead"),
        (Pipeline([("scaler", StandardScaler()), ("nothing", "passthrough")]), Y, "Got 'passthrough' as step"),
        (make_pipeline(FunctionTransformer(np.sin), Ridge()), Y, "func=None or one of NumPy's .* Got func=sin instead"),
        (FeatureUnion([("a", PCA(1)), ("b", KernelPCA(1))]), Y, "Step 'b' is a KernelPCA"),
        (FunctionTransformer(), Y, "there is nothing to hide"),
        (SVC(), Y, "SVC must have kernel='linear'. Got kernel='rbf' instead: fit it again with kernel='linear'"),
        (SVR(kernel="poly"), Y, "SVR must have kernel='linear'. Got kernel='poly'"),
        (SVC(kernel="linear", probability=True), TWO, "must have probability=False"),
        (NearestCentroid(metric="manhattan"), Y, "must have metric='euclidean'. Got metric='manhattan'"),
        (MultiOutputClassifier(LinearSVC()), TABLE, "have two outputs or more, of the same two labels each. Got"),
        (MultiOutputClassifier(LinearSVC()), ONE_COLUMN, "two outputs or more"),
        (OneVsRestClassifier(GaussianNB()), Y, "have parts with a decision_function. Got GaussianNB instead"),
        (OneVsRestClassifier(MultinomialNB()), Y, "have parts with a decision_function. Got MultinomialNB instead"),
        (OneVsRestClassifier(SGDClassifier(loss="modified_huber")), Y, "parts with logistic probabilities, or none"),
        (OneVsOneClassifier(LinearSVC()), TWO, "must have 3 classes or more. Got 2 instead"),
        (CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2), Y, "method='sigmoid' or 'temperature'. "),
        (CalibratedClassifierCV(MultinomialNB(), cv=2), Y, "must have estimators with linear scores of all classes"),
        (VotingRegressor([("a", PoissonRegressor())]), Y, "have parts whose predict is linear. Got PoissonRegressor"),
        (TransformedTargetRegressor(Ridge(), transformer=PowerTransformer()), Y + 1, "scales each target.*Got PowerT"),
        (LinearDiscriminantAnalysis(solver="lsqr"), None, "solver='svd' or 'eigen' to transform. Got 'lsqr'"),
    ],
)  # fmt: skip
def test_an_option_that_is_not_supported(estimator: Any, target: Any, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        if target is None:
            estimator = Pipeline([("first", estimator.fit(X, Y)), ("last", LinearRegression().fit(X, Y))])
        else:
            estimator.fit(X, target)
    with pytest.raises(UnsupportedModelError, match=message):
        hermetic.compile(estimator, X)


def test_an_estimator_whose_own_method_fails_is_of_another_version() -> None:
    estimator = LogisticRegression(max_iter=1000).fit(X, Y)
    del estimator.solver
    with pytest.raises(CompileError, match=r"(must work\. It fails on every input|have the attributes) .* version"):
        hermetic.compile(estimator, X)
    scaler = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
    del scaler[0].copy
    with pytest.raises(
        CompileError, match=r"own predict must work.* fails on every input \('StandardScaler' object has no .*copy"
    ):
        hermetic.compile(scaler, X)


def test_weights_that_are_not_finite() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = MultinomialNB(alpha=0).fit(np.eye(3), [0, 1, 2])
    with pytest.raises(
        CompileError, match=r"finite log probabilities\. Got 6 that are infinite or NaN .* with alpha=1"
    ):
        hermetic.compile(counts, input_range=(0, 1))


def test_an_estimator_without_the_attributes_of_its_class_is_of_another_version() -> None:
    estimator = make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(X, Y)
    del estimator[-1].dual_coef_
    with pytest.raises(
        CompileError, match=r"must have the attributes .* another version wrote it, or it was changed\. Fit"
    ):
        hermetic.compile(estimator, X)


@pytest.mark.parametrize("estimator", [LogisticRegression(), make_pipeline(StandardScaler(), Ridge()), LinearSVC()])
def test_an_estimator_must_be_fitted(estimator: Any) -> None:
    with pytest.raises(CompileError, match=f"the {type(estimator).__name__} must be fitted. It is not: call fit first"):
        hermetic.compile(estimator, X)


@pytest.mark.parametrize(
    ("labels", "got"),
    [(np.array([b"a", b"b", b"c"]), "dtype |S1"), (np.array(range(3), dtype="M8[D]"), "dtype datetime64")],
)
def test_labels_that_a_signature_cannot_carry(labels: np.ndarray, got: str) -> None:
    estimator = LogisticRegression(max_iter=20).fit(X, Y)
    estimator.classes_ = labels
    with pytest.raises(
        UnsupportedModelError, match="class labels must be numbers, booleans, strings or None"
    ) as refusal:
        hermetic.compile(estimator, X)
    assert f"Got {got}" in str(refusal.value)


# Estimators that do not compute what their coefficients say


class Doubled(LogisticRegression):
    def decision_function(self, X: Any) -> Any:
        return 2 * super().decision_function(X)


class Capped(LinearRegression):
    def predict(self, X: Any) -> Any:
        return np.minimum(super().predict(X), 1)


class Certain(SGDClassifier):
    def predict_proba(self, X: Any) -> Any:
        return np.eye(3)[super().predict(X)]


class Shifted(StandardScaler):
    def transform(self, X: Any, copy: Any = None) -> Any:
        return super().transform(X, copy) + 1


class Reversed(Pipeline):
    def predict(self, X: Any) -> Any:
        return super().predict(X)[::-1]


@pytest.mark.parametrize(
    ("estimator", "method", "kind"),
    [
        (Doubled(), "decision_function", "LogisticRegression"),
        (Capped(), "predict", "LinearRegression"),
        (Certain(loss="log_loss"), "predict_proba", "SGDClassifier"),
        (make_pipeline(Shifted(), Ridge()), "transform", "StandardScaler"),
        (Reversed([("model", Ridge())]), "predict", "Pipeline"),
    ],
)
@pytest.mark.parametrize("known", [{"X_sample": X}, {"input_range": (0, 8)}], ids=["sample", "no sample"])
def test_a_subclass_that_overrides_a_method_is_refused(estimator: Any, method: str, kind: str, known: Any) -> None:
    with pytest.raises(UnsupportedModelError, match=rf"a subclass of {kind} must keep its {method}\. .* overrides it"):
        hermetic.compile(fitted(estimator), **known)


def test_a_method_of_one_object_counts_as_overridden() -> None:
    estimator = LogisticRegression(max_iter=20).fit(X, Y)
    estimator.predict = lambda X: np.zeros(len(X), dtype=int)
    with pytest.raises(UnsupportedModelError, match="must keep its predict"):
        hermetic.compile(estimator, X)


def test_a_subclass_that_overrides_nothing_of_these_is_itself() -> None:
    class Named(LogisticRegression):
        def describe(self) -> str:
            return "mine"

    model = hermetic.compile(Named(max_iter=20).fit(X, Y), X)
    assert model.signature.name == "named"


class SecretlyDoubled(LinearRegression):
    def _decision_function(self, X: Any) -> Any:
        return 2 * super()._decision_function(X)


class SecretlyCertain(SGDClassifier):
    def _predict_proba_lr(self, X: Any) -> Any:
        return np.eye(3)[self.predict(X)]


def changed(change: Callable[[Any], None]) -> Any:
    estimator = LogisticRegression(max_iter=1000).fit(X, Y)
    change(estimator)
    return estimator


@pytest.mark.parametrize("known", [{"X_sample": X}, {"input_range": (0, 8)}], ids=["sample", "no sample"])
@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (fitted(SecretlyDoubled()), "must equal predict within .* It differs by"),
        (fitted(SecretlyCertain(loss="log_loss")), "predict_proba must be the logistic function of the scores"),
        (
            changed(lambda one: setattr(one, "intercept_", one.intercept_[:2])),
            "must have an intercept for each of its 3 outputs",
        ),
    ],
)
def test_an_estimator_that_computes_otherwise_is_found_out(estimator: Any, message: str, known: Any) -> None:
    """Its coefficients are read, its methods are asked: about the sample, and about corners and random points."""
    with pytest.raises(CompileError, match=message):
        hermetic.compile(estimator, **known)


def test_an_estimator_that_differs_on_a_few_samples_only_is_found_out_by_them() -> None:
    class Exception7(LinearRegression):
        def _decision_function(self, X: Any) -> Any:
            return super()._decision_function(X) + 0.5 * (np.abs(X[:, 0] - 7.7) < 1e-9)

    estimator = Exception7().fit(X, Y)
    hermetic.compile(estimator, X[X[:, 0] < 7.7], input_range=(0, 8))
    with pytest.raises(CompileError, match=r"It differs by (0\.5|0\.49999)"):
        hermetic.compile(estimator, X)


def test_labels_that_do_not_follow_the_scores_are_found_out() -> None:
    class Argmin(LogisticRegression):
        """scikit-learn's predict looks classes up by score; ours must look them up in the same order."""

        def __getattribute__(self, name: str) -> Any:
            if name == "predict":
                return lambda X: self.classes_[self.decision_function(X).argmin(axis=1)]
            return super().__getattribute__(name)

    with pytest.raises(CompileError, match="predict must choose labels by the scores"):
        hermetic.compile(Argmin(max_iter=20).fit(X, Y), X)


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "slow"}, r"profile must be one of fast, precise, network, deep, deeper\. Got 'slow'"),
        ({"tolerance": 0}, r"tolerance must be a positive number\. Got 0"),
        ({"tolerance": -1.5}, r"tolerance must be a positive number\. Got -1\.5"),
        ({"tolerance": np.nan}, r"tolerance must be a positive number\. Got nan"),
        ({"tolerance": "1e-3"}, r"tolerance must be a positive number\. Got '1e-3'"),
        ({"flooding": np.inf}, r"flooding must be a positive number\. Got inf"),
        ({"flooding": -1}, r"flooding must be a positive number\. Got -1"),
        ({"name": ""}, "name must not be empty"),
        ({"name": "x" * 1001}, "must have a signature that clients can read: .* 1000 characters"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        hermetic.compile(ONE, X, **options)


def test_options_may_be_numpy_numbers() -> None:
    one = hermetic.compile(ONE, X, tolerance=np.float32(0.5), flooding=np.int64(30)).signature
    assert one.error <= 0.5
    assert one.lambda_bits >= 30


def test_the_inputs_range_must_be_known() -> None:
    with pytest.raises(CompileError, match=r"Pass X_sample or input_range=\(smallest, largest\)"):
        hermetic.compile(ONE)


def test_a_sample_must_have_the_features_of_the_model() -> None:
    with pytest.raises(CompileError, match=r"X_sample must have shape \(n, 4\)\. Got \(150, 3\)"):
        hermetic.compile(ONE, X[:, :3])


def test_compiling_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    frame = load_iris(as_frame=True).data
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, Y)
    hermetic.compile(estimator, frame)
    hermetic.compile(estimator, input_range=(0, 8))
    hermetic.compile(regression(np.full((2, 3), 1e-310), np.zeros(2)), input_range=(-1, 1))
    assert not [str(one.message) for one in recwarn]


def test_a_model_does_not_depend_on_the_sample_beyond_its_range() -> None:
    """Rows change the range or nothing: the weights and the signature are a function of estimator and range."""
    data, target = load_breast_cancer(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, target)
    extremes = np.concatenate([data.min(axis=0)[None], data.max(axis=0)[None]])
    one, other = hermetic.compile(estimator, data), hermetic.compile(estimator, extremes)
    assert one.signature == other.signature
    assert np.array_equal(one.integers.weights, other.integers.weights)


def test_every_stage_raises_only_what_it_documents() -> None:
    """All of these errors are CompileErrors, and so ValueErrors and HermeticErrors."""
    assert issubclass(CompileError, hermetic.HermeticError)
    assert issubclass(CompileError, ValueError)
    for refused in (lambda: compiled([[1e300]], [0], input_range=(0, 9)), lambda: compiled([[1]], [0], input_range=0)):
        with pytest.raises(ValueError, match="must"):
            refused()
