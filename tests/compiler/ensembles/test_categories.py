"""Categories: strings, numbers and missing values in a DataFrame, as the estimators take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from xgboost import XGBClassifier, XGBRegressor

import hermetic
from hermetic.compiler.sklearn import read_estimator
from known_weights import answered, client_of

N = 400
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "kind": RNG.choice(["x", "y", "z, ☘"], N),
        "rank": RNG.choice([1, 2, 30], N),
        "letter": RNG.choice(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"), N),
    }
)
Y = X["size"] * 2 + (X["kind"] == "x") + np.log(X["rank"]) * (X["kind"] == "y") + X["letter"].str.lower().map(ord) % 3
HOLES = X.assign(size=X["size"].where(RNG.random(N) > 0.1), kind=X["kind"].where(RNG.random(N) > 0.1))
QUICK = {"max_rounds": 30, "outer_bags": 1, "n_jobs": 1, "max_bins": 64, "max_interaction_bins": 8}
TYPES = ["continuous", "nominal", "nominal", "nominal"]
COLUMNS = ["kind", "rank", "letter"]

MODELS = [
    ExplainableBoostingRegressor(feature_types=TYPES, interactions=[(0, 1), (1, 2)], **QUICK),
    ExplainableBoostingRegressor(interactions=1, **QUICK),
    ExplainableBoostingClassifier(feature_types=TYPES, interactions=[(2, 3)], **QUICK),
    HistGradientBoostingRegressor(max_depth=1, categorical_features=COLUMNS),
    HistGradientBoostingClassifier(max_depth=1, max_iter=30, categorical_features=COLUMNS),
    HistGradientBoostingRegressor(max_depth=3, max_iter=9, categorical_features=COLUMNS),
    HistGradientBoostingClassifier(max_depth=3, max_iter=9, categorical_features=COLUMNS),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", [X, HOLES], ids=["full", "holes"])
@pytest.mark.parametrize("model", MODELS, ids=lambda one: type(one).__name__)
def test_scores_are_the_estimators_own(model: Any, data: pd.DataFrame) -> None:
    model = model.fit(data, Y if "Regressor" in type(model).__name__ else np.digitize(Y, [1, 3]))
    linear = read_estimator(model)
    found = linear.scores(linear.feature_map.apply(data))
    own = getattr(model, linear.head.method)(data)
    assert np.abs(found.reshape(own.shape) - own).max() <= linear.own_error.max()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", [MODELS[0], MODELS[3], MODELS[5]], ids=lambda one: type(one).__name__)
def test_what_is_unknown_or_missing_goes_where_the_estimator_sends_it(model: Any) -> None:
    model = model.fit(HOLES, Y)
    compiled = hermetic.compile(model, HOLES, public=[type(model).__name__])
    client = client_of(compiled)
    asked = X[:6].copy().astype({"rank": object})
    asked.loc[0, "kind"], asked.loc[1, "rank"], asked.loc[2, "size"] = "never seen", 7, np.nan
    asked.loc[3, "kind"], asked.loc[4, "letter"] = None, "ß"
    if "Explainable" in type(model).__name__:
        asked.loc[5, "rank"] = str(asked.loc[5, "rank"])  # the same category there, another one elsewhere
    found = client.predict(answered(compiled, client, asked))
    assert (np.abs(found - model.predict(asked)) <= compiled.signature.error).all()
    assert "categories of 3 inputs" in str(compiled.signature.feature_map)


TYPED = X.assign(kind=pd.Categorical(HOLES["kind"]), rank=pd.Categorical(X["rank"]))
TYPED["letter"] = pd.Categorical(X["letter"])
TYPED["kind"] = TYPED["kind"].cat.rename_categories({"z, ☘": "z"})
DEEP = {"n_estimators": 4, "max_depth": 3, "max_cat_to_onehot": 1, "n_jobs": 1}
OF_PANDAS = [
    XGBRegressor(enable_categorical=True, **DEEP),
    XGBClassifier(enable_categorical=True, **DEEP),
    LGBMRegressor(verbose=-1, cat_smooth=1, **DEEP),
    LGBMClassifier(verbose=-1, cat_smooth=1, **DEEP),
]


@pytest.mark.parametrize("model", OF_PANDAS, ids=lambda one: type(one).__name__)
def test_categories_of_pandas_are_read_by_name(model: Any) -> None:
    """Whatever numbers the types of a DataFrame give them."""
    model = model.fit(TYPED, Y if "Regressor" in type(model).__name__ else np.digitize(Y, [1, 3]))
    linear = read_estimator(model)
    names = pd.DataFrame(TYPED.astype(object))
    others = TYPED.assign(kind=TYPED["kind"].cat.reorder_categories(["z", "y", "x"]))
    own = model.predict(TYPED, **(linear.raw_scores or {}))
    assert set(linear.feature_map.categories) == {1, 2, 3}
    for given in (TYPED, names, others):
        found = linear.head.shaped(linear.scores(linear.feature_map.apply(given)))
        assert np.abs(found - own).max() <= linear.own_error.max()


@pytest.mark.parametrize("model", OF_PANDAS, ids=lambda one: type(one).__name__)
def test_an_unknown_category_of_pandas_goes_where_the_library_sends_it(model: Any) -> None:
    model = model.fit(TYPED, Y if "Regressor" in type(model).__name__ else np.digitize(Y, [1, 3]))
    compiled = hermetic.compile(model, TYPED, public=[type(model).__name__])
    client = client_of(compiled)
    asked = TYPED[:6].assign(kind=pd.Categorical(["x", "never seen", None, "y", "z", "x"]))
    if type(model).__name__.startswith("XGB"):
        with pytest.raises(hermetic.InputError, match=r"'kind' must be one of 'x', 'y', 'z'\. Got 'never seen'"):
            client.encrypt(asked)
        asked = asked.drop(index=1)
        asked["kind"] = asked["kind"].cat.remove_unused_categories()
    found = client.predict(answered(compiled, client, asked))
    assert (np.abs(found - model.predict(asked)) <= compiled.signature.error).all()
