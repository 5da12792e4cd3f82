"""The names of columns, from fitting to the signature: whatever keeps them, in whatever order inputs come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from interpret.glassbox import ExplainableBoostingRegressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

import hermetic
from known_weights import client_of

DATA, Y = load_diabetes(return_X_y=True, as_frame=True)

NAMINGS = {
    "names": list(DATA.columns),
    "names that count": [f"feature_{i:04}" for i in range(10)],
    "names that LightGBM makes": [f"Column_{i}" for i in range(10)],
    "names that XGBoost makes": [f"f{i}" for i in range(10)],
    "digits": [str(i) for i in range(10)],
    "names with blanks": [f"{name} (mean)" for name in DATA.columns],
}


def _xgboost(X: Any) -> Any:
    options = {"max_depth": 1, "base_score": 100.0}
    return xgboost.train(options, xgboost.DMatrix(X, Y), 5)


def _lightgbm(X: Any) -> Any:
    return lightgbm.train({"num_leaves": 2, "verbose": -1}, lightgbm.Dataset(X, Y), 5)


FITTED: dict[str, Callable[[Any], Any]] = {
    "Ridge": lambda X: Ridge().fit(X, Y),
    "a pipeline": lambda X: make_pipeline(StandardScaler(), Ridge()).fit(X, Y),
    "passed through": lambda X: Pipeline([("a", "passthrough"), ("b", None), ("c", Ridge())]).fit(X, Y),
    "pipelines in pipelines": lambda X: make_pipeline(make_pipeline("passthrough", StandardScaler()), Ridge()).fit(
        X, Y
    ),
    "a search": lambda X: GridSearchCV(Pipeline([("a", "passthrough"), ("b", Ridge())]), {"b__alpha": [1]}).fit(X, Y),
    "a transformed target": lambda X: TransformedTargetRegressor(Ridge()).fit(X, Y),
    "several outputs": lambda X: MultiOutputRegressor(Ridge()).fit(X, np.stack([Y, Y], axis=1)),
    "columns by name": lambda X: make_pipeline(
        ColumnTransformer([("few", StandardScaler(), list(X.columns[[7, 2]]))], remainder="passthrough"), Ridge()
    ).fit(X, Y),
    "public features": lambda X: make_pipeline(KBinsDiscretizer(4), Ridge()).fit(X, Y),
    "NearestNeighbors": lambda X: NearestNeighbors().fit(X[:50]),
    "GradientBoosting": lambda X: GradientBoostingRegressor(max_depth=1, n_estimators=5).fit(X, Y),
    "XGBRegressor": lambda X: xgboost.XGBRegressor(max_depth=1, n_estimators=5, base_score=100).fit(X, Y),
    "LGBMRegressor": lambda X: lightgbm.LGBMRegressor(num_leaves=2, n_estimators=5, verbose=-1).fit(X, Y),
    "an EBM": lambda X: ExplainableBoostingRegressor(interactions=0, max_rounds=20, outer_bags=1).fit(X, Y),
    "a booster of XGBoost": _xgboost,
    "a booster of LightGBM": _lightgbm,
}

PUBLIC = (
    "kbinsdiscretizer",
    "gradientboostingregressor",
    "xgbregressor",
    "lgbmregressor",
    "explainableboostingregressor",
    "booster",
)


def compiled(fitted: Any, X: Any) -> hermetic.CompiledModel:
    try:
        return hermetic.compile(fitted, X)
    except hermetic.CompileError as error:
        (word,) = (one for one in PUBLIC if f"public=[{one!r}]" in str(error))
        return hermetic.compile(fitted, X, public=[word])


@pytest.mark.parametrize("naming", NAMINGS.values(), ids=NAMINGS)
@pytest.mark.parametrize("fit", FITTED.values(), ids=FITTED)
def test_names_decide_for_every_model_that_keeps_them(fit: Callable[[Any], Any], naming: list[str]) -> None:
    X = DATA.set_axis(naming, axis=1)
    backwards = X[naming[::-1]].assign(target=Y)
    model = compiled(fit(X), backwards)
    client = client_of(model)
    expected = client.quantize(X.to_numpy()[:20])[0]
    for form in (X, backwards, backwards.to_dict("list"), backwards.to_dict("records")):
        first = form.iloc[:20] if isinstance(form, pd.DataFrame) else form
        np.testing.assert_array_equal(client.quantize(first)[0][:20], expected)
    np.testing.assert_array_equal(client.quantize(backwards.iloc[3])[0], expected[3:4])
    with pytest.raises(hermetic.InputError, match=r"Missing: .* Not known: 'x'"):
        client.quantize(backwards.rename(columns={naming[2]: "x"}))


@pytest.mark.parametrize("fit", [FITTED["Ridge"], FITTED["XGBRegressor"], FITTED["LGBMRegressor"]])
def test_without_names_in_fitting_frames_are_read_in_their_order(fit: Callable[[Any], Any]) -> None:
    model = compiled(fit(DATA.to_numpy()), DATA)
    assert model.signature.feature_names is None
    client = client_of(model)
    np.testing.assert_array_equal(client.quantize(DATA)[0], client.quantize(DATA.to_numpy())[0])
