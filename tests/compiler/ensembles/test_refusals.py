"""What is no sum of trees is refused with words that say what to do; nothing learned is published unasked."""

from __future__ import annotations

import json
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from interpret.glassbox import ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from xgboost import XGBClassifier, XGBRegressor

import hermetic
from hermetic import CompileError, UnsupportedModelError
from hermetic.compiler.ensembles.lightgbm import dumped

CANCER, DIABETES, WINE = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_wine))
FEW = {"n_estimators": 3, "max_depth": 1}
QUIET = {**FEW, "verbose": -1, "n_jobs": 1}

REFUSED = [
    (GradientBoostingClassifier(loss="exponential", **FEW), CANCER, "loss='log_loss'. Got 'exponential'"),
    (GradientBoostingRegressor(init=LinearRegression(), **FEW), DIABETES, "start from a constant. Got init=LinearReg"),
    (AdaBoostClassifier(LogisticRegression(max_iter=9), n_estimators=2), CANCER, "boost trees. Got LogisticRegression"),
    (XGBRegressor(objective="reg:logistic", **FEW), (CANCER[0], CANCER[1] * 1.0), "objectives .* Got reg:logistic"),
    (XGBClassifier(objective="binary:hinge", **FEW), CANCER, "objectives binary:logistic.* Got binary:hinge"),
    (XGBClassifier(missing=0.0, **FEW), CANCER, "missing=nan. Got missing=0.0"),
    (XGBClassifier(multi_strategy="multi_output_tree", **FEW), WINE, "one_output_per_tree"),
    (LGBMClassifier(objective="multiclassova", **QUIET), WINE, "objectives binary, multiclass.* Got multiclassova"),
    (LGBMClassifier(sigmoid=2.0, **QUIET), CANCER, "sigmoid=1. Got binary sigmoid:2"),
    (LGBMRegressor(reg_sqrt=True, **QUIET), DIABETES, "without reg_sqrt .*Got regression sqrt"),
    (LGBMRegressor(linear_tree=True, **QUIET), DIABETES, "linear_tree=False"),
    (LGBMRegressor(objective=lambda y, p: (p - y, np.ones_like(y)), **QUIET), DIABETES, "Got custom|Got a function"),
    (AdaBoostRegressor(n_estimators=2), DIABETES, "nearest .* is GradientBoostingRegressor"),
    (
        RandomForestClassifier(n_estimators=2),
        (CANCER[0], np.column_stack([CANCER[1]] * 2)),
        "one label for every sample",
    ),
    (IsolationForest(n_estimators=2, max_samples=1), CANCER, "several samples a tree"),
    (
        VotingRegressor([("a", RandomForestRegressor(2, max_depth=3)), ("b", LinearRegression())]),
        DIABETES,
        "must be linear, or trees that split on one input each. Got 2 trees that split on several inputs",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("model", "data", "words"), REFUSED, ids=lambda one: type(one).__name__)
def test_options_that_do_not_fit_are_named(model: Any, data: tuple[np.ndarray, np.ndarray], words: str) -> None:
    with pytest.raises(UnsupportedModelError, match=words):
        hermetic.compile(model.fit(*data), data[0])


def test_categories_whose_names_are_not_in_the_model_are_refused() -> None:
    """XGBoost keeps as many bytes of a name as it has characters."""
    X = pd.DataFrame({"kind": pd.Categorical(list("äbcd") * 50), "size": np.linspace(0, 1, 200)})
    y = (X.kind.cat.codes.to_numpy() % 2).astype(float)
    model = XGBRegressor(enable_categorical=True, max_cat_to_onehot=1, **FEW).fit(X, y)
    with pytest.raises(UnsupportedModelError, match=r"categories whose names are ASCII.* rename them"):
        hermetic.compile(model, X)


@pytest.mark.filterwarnings("ignore")
def test_ordered_categories_are_refused_where_the_library_does_not_say_which_they_are() -> None:
    X = pd.DataFrame({"kind": pd.Categorical(list("abcd") * 50, ordered=True), "size": np.linspace(0, 1, 200)})
    model = LGBMRegressor(min_child_samples=1, **QUIET).fit(X, X["size"])
    with pytest.raises(UnsupportedModelError, match="1 columns of categories, of which it takes 0 as such"):
        hermetic.compile(model, X)


def test_thresholds_are_published_on_request_only() -> None:
    model = GradientBoostingRegressor(**FEW).fit(*DIABETES)
    edges = {(one[0].tree_.feature[0], one[0].tree_.threshold[0]) for one in model.estimators_}
    inputs = {column for column, _ in edges}
    words = rf"thresholds of {len(inputs)} inputs: {len(edges)} numbers.*public=\['gradientboostingregressor'\]"
    with pytest.raises(CompileError, match=words):
        hermetic.compile(model, DIABETES[0])
    signature = hermetic.compile(model, DIABETES[0], public=["gradientboostingregressor"]).signature
    assert signature.feature_map.used.sum() == len(inputs)
    assert signature.features == len(inputs) + len(edges)


def test_a_constant_score_is_refused() -> None:
    X, y = np.arange(20.0)[:, None], np.ones(20)
    with pytest.raises(UnsupportedModelError, match="must depend on an input"):
        hermetic.compile(GradientBoostingRegressor(**FEW).fit(X, y), X)


def test_too_many_bins_of_pairs_are_refused_with_a_way_out() -> None:
    options = {"max_rounds": 5, "outer_bags": 1, "n_jobs": 1, "max_interaction_bins": 256}
    pairs = [(0, 1), (0, 2), (1, 2)]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    model = ExplainableBoostingRegressor(interactions=pairs, **options).fit(X, X[:, 0] * X[:, 1])
    for term in range(3, 6):
        model.term_scores_[term] = rng.normal(size=model.term_scores_[term].shape)  # every edge matters
    with pytest.raises(UnsupportedModelError, match=r"at most 65536 bins.* max_interaction_bins=8"):
        hermetic.compile(model, X)


def test_terms_of_three_inputs_are_refused() -> None:
    options = {"max_rounds": 5, "outer_bags": 1, "n_jobs": 1, "max_interaction_bins": 4}
    model = ExplainableBoostingRegressor(interactions=[(0, 1, 2)], **options).fit(*DIABETES)
    with pytest.raises(UnsupportedModelError, match=r"one or two inputs. Got a term of 3"):
        hermetic.compile(model, DIABETES[0])


def test_missing_values_are_refused_where_the_library_refuses_them() -> None:
    model = hermetic.compile(
        GradientBoostingClassifier(**FEW).fit(*CANCER), CANCER[0], public=["gradientboostingclassifier"]
    )
    client = hermetic.Client(model.signature)
    X = CANCER[0][:1].copy()
    X[0, np.flatnonzero(model.signature.feature_map.used)[0]] = np.nan
    with pytest.raises(hermetic.InputError, match=r"must be finite\. Got nan"):
        client.encrypt(X)


@pytest.mark.parametrize("library", [xgboost, lightgbm])
def test_boosters_of_other_objectives_are_refused(library: Any) -> None:
    X, y = DIABETES
    data = xgboost.DMatrix(X, y / y.max()) if library is xgboost else lightgbm.Dataset(X, y / y.max())
    objective = "reg:logistic" if library is xgboost else "cross_entropy"
    booster = library.train({"objective": objective, "max_depth": 1, "verbosity": 0}, data, 2)
    with pytest.raises(UnsupportedModelError, match="Booster must have one of the objectives"):
        hermetic.compile(booster, X)


def test_trees_that_nest_deeper_than_python_reads_are_refused() -> None:
    class Nested:
        def dump_model(self) -> Any:
            return json.loads('{"left_child":' * 9999 + "1" + "}" * 9999)

    with pytest.raises(UnsupportedModelError, match=r"trees of fewer levels.* max_depth=100"):
        dumped(Nested())
