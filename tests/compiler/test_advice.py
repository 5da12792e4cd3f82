"""Advice that is followed: every refusal here is asked for, then its advice is taken once, and the model compiles."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import NearestCentroid, NearestNeighbors
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, PowerTransformer, SplineTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.utils import all_estimators

import hermetic
from hermetic import CompileError, UnsupportedModelError
from hermetic.compiler.sklearn.registry import NEAREST

pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = load_iris(return_X_y=True)
TWO, ONE = (Y > 0).astype(int), np.zeros_like(Y)
WHOLE = np.rint(X).astype(int)
SEVERAL = np.stack([Y, TWO], axis=1)
CONSTANT_LABEL = np.stack([TWO, (Y > 1).astype(int), np.ones_like(Y)], axis=1)
NAN = np.full_like(X, np.nan)
KINDS = pd.DataFrame({"kind": pd.Categorical(np.array(list("abc"))[Y]), "size": X[:, 0]})
COLUMN = KINDS[["kind"]].astype(str)
STUMPS: dict[str, Any] = {"max_depth": 1, "n_estimators": 3}
QUIET = {**STUMPS, "verbose": -1}


@dataclass(frozen=True)
class Case:
    """A model that is refused, the advice in the refusal, and the model or options that follow it."""

    refused: Callable[[], Any]
    advice: str
    followed: Callable[[], Any]
    sample: Any = field(default_factory=lambda: X)
    after: Any = None
    """The sample of the model that follows the advice, where it is another."""
    options: Any = field(default_factory=dict)
    options_after: Any = None


def case(refused: Any, target: Any, advice: str, followed: Any, target_after: Any = None, **rest: Any) -> Any:
    sample = rest.get("sample", X)
    after = rest.get("after", sample)
    again = target if target_after is None else target_after
    made = Case(lambda: refused.fit(sample, target), advice, lambda: followed.fit(after, again), **rest)
    return pytest.param(made, id=f"{type(refused).__name__}: {advice[:40]}")


DEGENERATE = [
    *(
        case(kind, ONE, "two classes or more. Got the one class 0", kind, Y, sample=WHOLE)
        for kind in (MultinomialNB(), ComplementNB(), BernoulliNB(), GaussianNB(), CategoricalNB())
    ),
    case(LinearDiscriminantAnalysis(), ONE, "samples of another class too", LinearDiscriminantAnalysis(), Y),
    case(OneVsRestClassifier(LinearSVC()), ONE, "samples of another class too", OneVsRestClassifier(LinearSVC()), Y),
    case(HistGradientBoostingClassifier(max_depth=1, max_iter=2), ONE, "another class",
         HistGradientBoostingClassifier(max_depth=1, max_iter=2), Y),
    case(OneVsRestClassifier(LogisticRegression()), CONSTANT_LABEL, "fit it without that column",
         OneVsRestClassifier(LogisticRegression()), CONSTANT_LABEL[:, :2]),
    case(GridSearchCV(Ridge(), {"alpha": [1]}, refit=False), Y, "refit=True", GridSearchCV(Ridge(), {"alpha": [1]})),
    case(HistGradientBoostingRegressor(max_depth=1), ONE, "targets that vary",
         HistGradientBoostingRegressor(max_depth=1, max_iter=3), Y),
    case(GradientBoostingRegressor(**STUMPS), Y, "inputs and targets that vary", GradientBoostingRegressor(**STUMPS),
         sample=np.zeros_like(X), after=X),
    case(xgboost.XGBRegressor(gamma=1e9, **STUMPS), Y, "no gamma", xgboost.XGBRegressor(**STUMPS)),
    case(lightgbm.LGBMRegressor(min_child_samples=140, **QUIET), Y, "fewer samples in a leaf",
         lightgbm.LGBMRegressor(min_child_samples=5, **QUIET)),
    case(SVC(kernel="linear"), Y, "inputs that tell the classes apart", SVC(kernel="linear"),
         sample=np.zeros_like(X), after=X),
    case(SelectKBest(k=0), Y, "gives 0: leave it out, or fit it so that it keeps some", SelectKBest(k=1)),
    case(PCA(0), Y, "fit it so that it keeps some", PCA(1)),
    case(make_pipeline(FeatureUnion([("none", SelectKBest(k=0)), ("pca", PCA(1))]), Ridge()), Y, "leave it out",
         make_pipeline(FeatureUnion([("pca", PCA(1))]), Ridge())),
    case(make_pipeline(SplineTransformer(), Ridge()), Y, "leave out inputs that never vary",
         make_pipeline(SplineTransformer(), Ridge()), sample=np.column_stack([X, np.ones(len(X))]), after=X),
    case(make_pipeline(SimpleImputer(add_indicator=True), Ridge()), Y, "fit it on some that have values",
         make_pipeline(SimpleImputer(add_indicator=True), Ridge()), sample=NAN, after=X),
    case(MissingIndicator(), Y, "set features='all'", MissingIndicator(features="all")),
]  # fmt: skip

INFINITE = [
    *(
        case(kind(alpha=0), Y, "alpha=1", kind(alpha=1), sample=(X > 2).astype(int))
        for kind in (MultinomialNB, ComplementNB, CategoricalNB, BernoulliNB)
    ),
    *(
        case(kind(priors=[0, 0.5, 0.5]), Y, "priors above 0", kind(priors=[0.2, 0.4, 0.4]))
        for kind in (GaussianNB, LinearDiscriminantAnalysis, NearestCentroid)
    ),
    case(MultinomialNB(class_prior=[0, 0.5, 0.5]), Y, "priors above 0", MultinomialNB(class_prior=[0.2, 0.4, 0.4])),
    case(GaussianNB(var_smoothing=0), Y, "larger var_smoothing", GaussianNB(var_smoothing=1e-3),
         sample=np.column_stack([X, TWO])),
]  # fmt: skip

OPTIONS = [
    case(SVC(), Y, "kernel='linear'", SVC(kernel="linear")),
    case(SVR(), Y, "kernel='linear'", SVR(kernel="linear")),
    case(NearestCentroid(metric="manhattan"), Y, "metric='euclidean'", NearestCentroid(metric="euclidean")),
    case(NearestNeighbors(p=1), Y, "Got 'manhattan' instead: fit it again with metric='euclidean'",
         NearestNeighbors(metric="euclidean")),
    case(CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2), Y, "method='sigmoid'",
         CalibratedClassifierCV(LinearSVC(), method="sigmoid", cv=2)),
    case(OneVsRestClassifier(GaussianNB()), Y, "use LogisticRegression", OneVsRestClassifier(LogisticRegression())),
    case(OneVsRestClassifier(SGDClassifier(loss="modified_huber")), Y, "use LogisticRegression",
         OneVsRestClassifier(LogisticRegression())),
    case(OneVsRestClassifier(xgboost.XGBClassifier(**STUMPS)), Y, "use LogisticRegression",
         OneVsRestClassifier(LogisticRegression())),
    case(OneVsOneClassifier(LinearSVC()), TWO, "fit its inner estimator alone", LinearSVC()),
    case(xgboost.XGBClassifier(**STUMPS), CONSTANT_LABEL[:, :2], "fit one for each label",
         xgboost.XGBClassifier(**STUMPS), TWO),
    case(lightgbm.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **QUIET), Y,
         "boosting='gbdt'", lightgbm.LGBMClassifier(boosting_type="gbdt", **QUIET)),
    case(TransformedTargetRegressor(PoissonRegressor()), Y, "use Ridge", TransformedTargetRegressor(Ridge())),
    case(make_pipeline(Nystroem("poly"), Ridge()), Y, "kernel='rbf'", make_pipeline(Nystroem("rbf"), Ridge())),
]  # fmt: skip

CATEGORIES = [
    case(make_pipeline(OneHotEncoder(), xgboost.XGBRegressor(**STUMPS)), TWO, "fit it again with sparse_output=False",
         make_pipeline(OneHotEncoder(sparse_output=False), xgboost.XGBRegressor(**STUMPS)), sample=COLUMN),
    case(make_pipeline(KBinsDiscretizer(), xgboost.XGBRegressor(**STUMPS)), TWO, "encode='onehot-dense'",
         make_pipeline(KBinsDiscretizer(encode="onehot-dense"), xgboost.XGBRegressor(**STUMPS))),
]  # fmt: skip

TOLERANCES = [
    case(Ridge(), Y, "tolerance=", Ridge(), options={"tolerance": 1e-12}, options_after="tolerance"),
    case(Ridge(), Y, "profile='precise'", Ridge(), options={"tolerance": 1e-9, "profile": "fast"},
         options_after={"tolerance": 1e-9, "profile": "precise"}),
    case(Ridge(), Y, "ask for that or less", Ridge(), options={"flooding": 200}, options_after="flooding"),
    case(Ridge(), Y, "profile='precise'", Ridge(), options={"flooding": 80},
         options_after={"flooding": 80, "profile": "precise"}),
    case(Ridge(), Y, "flooding=10", Ridge(), options={"tolerance": 1e-6, "profile": "fast", "flooding": 60},
         options_after={"tolerance": 1e-6, "profile": "fast", "flooding": 10}),
]  # fmt: skip


@pytest.mark.parametrize("one", DEGENERATE + INFINITE + OPTIONS + CATEGORIES + TOLERANCES)
def test_advice_works(one: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        message = refusal(one.refused(), one.sample, one.options)
        assert one.advice in message
        options = one.options if one.options_after is None else one.options_after
        if isinstance(options, str):
            options = {**one.options, options: float(re.findall(rf"{options}=([0-9.e+-]+)", message)[-1])}
        compile_whatever_is_public(one.followed(), one.sample if one.after is None else one.after, options)


def refusal(model: Any, sample: Any, options: Any) -> str:
    with pytest.raises(CompileError) as error:
        hermetic.compile(model, sample, **options)
    return str(error.value)


def compile_whatever_is_public(model: Any, sample: Any, options: Any) -> None:
    """What was learned and becomes public is another reason: its advice is taken too."""
    try:
        hermetic.compile(model, sample, **options)
    except CompileError as error:
        names = re.search(r"Pass public=\[([^]]*)\]", str(error))
        assert names, error
        hermetic.compile(model, sample, public=re.findall("'([^']*)'", names[1]), **options)


def test_one_model_an_output_is_one_of_its_parts() -> None:
    several = MultiOutputClassifier(LogisticRegression(max_iter=500)).fit(X, SEVERAL)
    assert "have parts of two classes. Got LogisticRegression of 3 instead" in refusal(several, X, {})
    hermetic.compile(several.estimators_[0], X)


def test_an_index_at_the_end_of_a_pipeline_is_compiled_alone() -> None:
    pipeline = make_pipeline(StandardScaler(), NearestNeighbors()).fit(X)
    assert "compile the index alone" in refusal(pipeline, X, {})
    hermetic.compile(pipeline[-1], pipeline[:-1].transform(X))


@pytest.mark.parametrize("name", NEAREST)
def test_the_nearest_compiles_as_it_is_named(name: str) -> None:
    """The advice is code: it is run."""
    kinds = dict(all_estimators())
    nearest = NEAREST[name]
    made = eval(nearest if nearest.endswith(")") else f"{nearest}()", dict(kinds))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile_whatever_is_public(made.fit(X, TWO), X, {})


def test_what_is_near_a_step_is_a_step() -> None:
    """A classifier in the place of a step is not told to be another classifier."""
    voting = sklearn.ensemble.VotingClassifier([("a", LogisticRegression())])
    message = refusal(make_pipeline(voting, Ridge()).fit(X, Y), X, {})
    assert "Step 'votingclassifier' is a VotingClassifier instead. Take one that is supported" in message


def test_the_input_at_which_an_estimator_fails_is_named() -> None:
    class Careful(Ridge):
        def _decision_function(self, X: Any) -> Any:
            if (np.asarray(X) > 8.5).any():
                raise ValueError("too large\nStack trace:\n  [bt] (0)")
            return super()._decision_function(X)

    model = Careful().fit(X, Y)
    message = refusal(model, X, {"input_range": (0, 9)})
    assert re.search(
        r"must work on every input in range. It fails on \[.*9\.0.*\] \(too large\): pass an input_r", message
    )
    hermetic.compile(model, X, input_range=(0, 8.5))


def test_sparse_answers_are_answers() -> None:
    for step in (KBinsDiscretizer(3, encode="onehot"), OneHotEncoder(handle_unknown="ignore")):
        model = hermetic.compile(step.fit(WHOLE), WHOLE, public=[type(step).__name__])
        client = hermetic.Client(model.signature)
        found = client.predict(model.evaluate(client.encrypt(WHOLE[:5]), client.public_key))
        assert np.abs(found - step.transform(WHOLE[:5]).toarray()).max() <= model.signature.error


def test_a_regression_without_support_vectors_is_its_constant() -> None:
    model = hermetic.compile(SVR(kernel="linear").fit(X, np.full(len(X), 2.5)), X)
    client = hermetic.Client(model.signature)
    found = client.predict(model.evaluate(client.encrypt(X[:3]), client.public_key))
    assert np.abs(found - 2.5).max() <= model.signature.error


@pytest.mark.parametrize("target", [Y, Y[:, None]])
def test_transformed_targets_keep_their_shape(target: Any) -> None:
    for transformer in (None, StandardScaler()):
        estimator = TransformedTargetRegressor(Ridge(), transformer=transformer).fit(X, target)
        model = hermetic.compile(estimator, X)
        client = hermetic.Client(model.signature)
        found = client.predict(model.evaluate(client.encrypt(X[:4]), client.public_key))
        assert found.shape == estimator.predict(X[:4]).shape
        assert np.abs(found - estimator.predict(X[:4])).max() <= model.signature.error


def test_numbers_that_no_client_computes_with_are_refused_by_the_name_of_the_step() -> None:
    """Exponents of columns that are tiny or huge; the advice, inputs of a size near 1, is followed."""
    data = X * [1e-6, 1, 1e5, 1e9]
    target = data[:, 0] * 1e6
    with pytest.raises(UnsupportedModelError, match=r"PowerTransformer learned must be .* exponents .*size near 1"):
        hermetic.compile(make_pipeline(PowerTransformer(), Ridge()).fit(data, target), data)
    scaled = make_pipeline(StandardScaler(), PowerTransformer(), Ridge()).fit(data, target)
    assert hermetic.compile(scaled, data, public=["standardscaler", "powertransformer"])
