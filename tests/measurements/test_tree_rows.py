"""The benchmark of private trees: real encrypted predictions, equal to the libraries' own."""

from __future__ import annotations

import re

import numpy as np
from benchmarks import trees
from benchmarks.classifiers import Missing, compare
from benchmarks.linear import Row
from pytest import MonkeyPatch
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest, RandomForestClassifier


def test_both_kinds_of_trees_predict_as_the_plain_ones_do() -> None:
    for task in trees.tumour_trees(trees=3, depth=2):
        (report,) = compare(task, 1, peers=False)
        assert not isinstance(report, Missing)
        assert report["predicted"] == report["plain"]
        assert len(report["plain"]) == len(task.y)
        assert report["max_error"] <= 1e-4


def test_rows_are_measured_on_scores_of_the_library(monkeypatch: MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    models = (
        RandomForestClassifier(3, max_depth=2, random_state=0).fit(X, y),
        RandomForestClassifier(3, max_depth=2, random_state=0).fit(X, y > 0),
        IsolationForest(n_estimators=3, max_samples=16, random_state=0).fit(X),
    )
    monkeypatch.setattr(trees, "tree_models", lambda: [(type(one).__name__, one, X) for one in models])
    rows: list[Row] = list(trees.tree_rows(1))
    assert len(rows) == len(models)
    for row in rows:
        assert row.measured.exact and row.measured.max_error < 1e-5 and row.measured.server_floor_ms is None  # type: ignore[union-attr]


def test_half_of_the_rows_are_on_thresholds() -> None:
    from xgboost import XGBRegressor

    X, y = load_iris(return_X_y=True)
    estimator = XGBRegressor(n_estimators=3, max_depth=3).fit(X, y)
    table = trees._rows_on_thresholds(estimator, X, 40)
    splits = estimator.get_booster().trees_to_dataframe()
    for name in set(splits["Feature"]) - {"Leaf"}:
        thresholds = splits["Split"][splits["Feature"] == name].to_numpy(np.float32)
        assert np.isin(table[::2, int(name.removeprefix("f"))].astype(np.float32), thresholds).all()


def test_no_row_on_a_threshold_is_wrong(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "TREES", 5)
    said = trees.on_thresholds(60)
    assert re.match("XGBoost 5x4, 60 encrypted rows, .*: 0 wrong scores, 0 wrong classes; guaranteed error", said)
