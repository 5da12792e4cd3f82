"""Tables with texts, asked of a service in another process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import hermetic
from live import Live, serving

Table = tuple[Pipeline, pd.DataFrame, Any]


@pytest.fixture(scope="module")
def table() -> Table:
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X = X[["age", "sex", "bp"]].assign(sex=np.where(X["sex"] == 1, "female", "male"))
    X.loc[::5, "age"] = np.nan
    parts = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "bp"]),
            ("texts", OneHotEncoder(), ["sex"]),
        ]
    )
    return make_pipeline(parts, Ridge()).fit(X, y), X, y


@pytest.fixture(scope="module")
def live(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("live")
    model = hermetic.compile(table[0], table[1], public=["simpleimputer", "onehotencoder"])
    with serving(folder, {"table": model}) as service:
        yield service


def test_every_form_of_a_table_gets_the_estimators_answers(table: Table, live: Live) -> None:
    estimator, X, y = table
    with hermetic.connect(live.url, model="table") as remote:
        own = estimator.predict(X)
        for form in (X, X.to_numpy(dtype=object), X.to_numpy(dtype=object).tolist()):
            assert np.abs(remote.predict(form) - own).max() <= remote.signature.error
        assert np.abs(remote.predict(X.iloc[3]) - own[3]) <= remote.signature.error
        assert remote.score(X, y) == pytest.approx(estimator.score(X, y), abs=1e-3)


def test_what_is_not_known_never_leaves(table: Table, live: Live) -> None:
    with (
        hermetic.connect(live.url, model="table") as remote,
        pytest.raises(hermetic.InputError, match=r"column 'sex' must be one of 'female', 'male'. Got 'other'"),
    ):
        remote.predict(table[1].assign(sex="other"))
