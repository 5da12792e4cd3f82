"""Maps of bins against the libraries' own raw scores: at every threshold, just below and above it, and where values are
missing. No encryption: what is added to that is in the check suite.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from hermetic.compiler.linear import LinearMap
from hermetic.compiler.sklearn import read_estimator

CANCER, DIABETES, WINE = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_wine))
STUMPS = {"n_estimators": 30, "max_depth": 1}
QUIET = {**STUMPS, "verbose": -1, "n_jobs": 1}
ALONE = {**STUMPS, "n_jobs": 1}
QUICK = {"max_rounds": 40, "outer_bags": 2, "n_jobs": 1, "max_bins": 32, "max_interaction_bins": 8, "interactions": 3}


def with_holes(X: np.ndarray) -> np.ndarray:
    return np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)


HOLES = with_holes(CANCER[0]), CANCER[1]
TINY = DIABETES[0] * 1e-33, DIABETES[1]
WHOLE = np.round(CANCER[0]).astype(np.float32), CANCER[1]
FIRST = DIABETES[0][:, 2:3], DIABETES[1]
EACH = [[i] for i in range(30)]

MODELS = [
    (HistGradientBoostingClassifier(max_depth=1, max_iter=30), HOLES),
    (HistGradientBoostingClassifier(max_depth=1, max_iter=30), WHOLE),
    (HistGradientBoostingRegressor(loss="gamma", max_leaf_nodes=2, max_iter=30), DIABETES),
    (GradientBoostingClassifier(**STUMPS), CANCER),
    (GradientBoostingClassifier(**STUMPS), WHOLE),
    (GradientBoostingRegressor(**STUMPS), DIABETES),
    (AdaBoostClassifier(n_estimators=30), CANCER),
    (HistGradientBoostingClassifier(max_depth=4, max_iter=30, interaction_cst="no_interactions"), HOLES),
    (GradientBoostingRegressor(n_estimators=9, max_depth=4), FIRST),
    (AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=9), (CANCER[0][:, :1], CANCER[1])),
    (XGBClassifier(n_estimators=9, max_depth=4, n_jobs=1, interaction_constraints=str(EACH)), HOLES),
    (LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1, interaction_constraints=EACH), HOLES),
    (LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1, interaction_constraints=EACH, zero_as_missing=True), HOLES),
    (LGBMRegressor(n_estimators=9, verbose=-1, n_jobs=1, interaction_constraints=EACH[:10]), TINY),
    (XGBClassifier(**ALONE), CANCER),
    (XGBClassifier(**ALONE), HOLES),
    (XGBClassifier(**ALONE), WHOLE),
    (XGBClassifier(num_parallel_tree=2, subsample=0.5, **ALONE), WINE),
    (XGBClassifier(early_stopping_rounds=1, learning_rate=1.0, **ALONE), CANCER),
    (XGBRegressor(**ALONE), DIABETES),
    (XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], **ALONE), DIABETES),
    (XGBRegressor(objective="count:poisson", **ALONE), DIABETES),
    (LGBMClassifier(**QUIET), HOLES),
    (LGBMClassifier(zero_as_missing=True, **QUIET), HOLES),
    (LGBMClassifier(use_missing=False, **QUIET), HOLES),
    (LGBMClassifier(**QUIET), WHOLE),
    (LGBMClassifier(early_stopping_round=1, learning_rate=1.0, metric="binary_logloss", **QUIET), CANCER),
    (LGBMClassifier(boosting_type="dart", **QUIET), WINE),
    (LGBMRegressor(**QUIET), TINY),
    (LGBMRegressor(zero_as_missing=True, **QUIET), TINY),
    (LGBMRegressor(objective="poisson", **QUIET), DIABETES),
    (ExplainableBoostingClassifier(**QUICK), HOLES),
    (ExplainableBoostingClassifier(**QUICK), WINE),
    (ExplainableBoostingRegressor(**QUICK), DIABETES),
    (ExplainableBoostingRegressor(objective="gamma_deviance", **QUICK), DIABETES),
]


def named(value: Any) -> str:
    return type(value).__name__ if hasattr(value, "fit") else str(len(value[0]))


def fitted(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Fitted; XGBoost and LightGBM stop early by other data than they learn from."""
    options = model.get_params()
    stops = 1 in (options.get("early_stopping_rounds"), options.get("early_stopping_round"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X[::2], y[::2], eval_set=[(X[1::2], y[1::2])]) if stops else model.fit(X, y)


def scores(linear: LinearMap, X: np.ndarray) -> np.ndarray:
    found = linear.feature_map.apply(X) @ linear.weights.T + linear.bias
    found = np.exp(found) if linear.head.link == "exp" else found
    return found[:, 0] if linear.head.squeeze else found


def own_scores(model: Any, linear: LinearMap, X: np.ndarray) -> np.ndarray:
    if linear.raw_scores is not None:
        return model.predict(X, **linear.raw_scores)
    return getattr(model, linear.head.method)(X)


def around(linear: LinearMap, X: np.ndarray) -> np.ndarray:
    """Rows of X in which one input is an edge, the number before it or the number after it."""
    rows = []
    for block in linear.feature_map.blocks:
        columns, bins = (block.columns, block.block) if hasattr(block, "columns") else (range(X.shape[1]), block)
        for column, edges in zip(columns, bins.edges, strict=True):
            for edge in edges:
                for moved in (np.nextafter(edge, -np.inf), edge, np.nextafter(edge, np.inf)):
                    row = X[len(rows) % len(X)].copy()
                    row[column] = moved
                    rows.append(row)
    return np.array(rows)


def allowed(linear: LinearMap, own: np.ndarray) -> np.ndarray:
    """The bound on scores; behind an exponential, with what that rounds in the estimator's precision."""
    if linear.head.link != "exp":
        return np.broadcast_to(linear.own_error, own.shape)
    return own * (np.expm1(linear.own_error) + 8 * np.finfo(own.dtype).eps)


@pytest.mark.parametrize(("model", "data"), MODELS, ids=named)
def test_scores_are_the_librarys_own_at_every_threshold(model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    model = fitted(model, *data)
    linear = read_estimator(model)
    full = np.where(np.isnan(data[0]), 1.0, data[0]).astype(np.float64)
    rows = [data[0].astype(np.float64), around(linear, full)]
    if (linear.feature_map.missing & linear.feature_map.used).any():
        rows += [with_holes(full), np.full((1, full.shape[1]), np.nan)]
    X = np.vstack(rows)
    own = own_scores(model, linear, X)
    found = scores(linear, X)
    assert found.shape == own.shape
    assert (np.abs(found - own) <= allowed(linear, own)).all()
    assert linear.public[0].learned


def test_models_that_stopped_early_have_trees_that_do_not_count() -> None:
    first, second = (
        fitted(one, *CANCER)
        for one in (
            XGBClassifier(early_stopping_rounds=1, learning_rate=1.0, **ALONE),
            LGBMClassifier(early_stopping_round=1, learning_rate=1.0, metric="binary_logloss", **QUIET),
        )
    )
    assert first.best_iteration + 1 < first.get_booster().num_boosted_rounds() < 30
    assert second.best_iteration_ < 30
