"""Private trees against the libraries' own answers: at every threshold, just below and above it, in float64 and in
float32, and where values are missing. No encryption: what is added to that is in the check suite.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier
from xgboost import XGBClassifier, XGBRanker, XGBRegressor

from hermetic.compiler.ensemble_map import EnsembleMap
from hermetic.compiler.ensembles.public_trees import with_public_splits
from hermetic.compiler.sklearn import read_estimator

CANCER, DIABETES, WINE = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_wine))
RNG = np.random.default_rng(0)


def with_holes(X: np.ndarray) -> np.ndarray:
    return np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)


HOLES = with_holes(CANCER[0]), CANCER[1]
NARROW = CANCER[0].astype(np.float32), CANCER[1]
WHOLE = np.round(CANCER[0]), CANCER[1]
TINY = DIABETES[0] * 1e-33, DIABETES[1]
RATES = DIABETES[0], DIABETES[1] / 100
TARGETS = DIABETES[0], np.column_stack([DIABETES[1], DIABETES[1] ** 2])
RANKS = DIABETES[0], np.digitize(DIABETES[1], [100, 200])
CODES = np.column_stack([np.arange(600) % 7, RNG.normal(size=600), np.arange(600) % 40]), None
CODES = CODES[0], np.isin(CODES[0][:, 0], [0, 3, 4]) * CODES[0][:, 1] + np.isin(CODES[0][:, 2], [0, 1, 39])
EXTREMES = CANCER[0] * np.where(RNG.random(30) < 0.5, 1e30, 1e-30), CANCER[1]

BOOST = {"n_estimators": 6, "max_depth": 3, "n_jobs": 1}
QUIET = {"n_estimators": 6, "num_leaves": 8, "verbose": -1, "n_jobs": 1, "min_child_samples": 5}
FOREST = {"n_estimators": 5, "max_depth": 5, "random_state": 0}
CATEGORICAL = {"feature_types": ["c", "q", "c"], "enable_categorical": True}

MODELS = [
    (XGBClassifier(**BOOST), HOLES),
    (XGBClassifier(**BOOST), NARROW),
    (XGBClassifier(**BOOST), EXTREMES),
    (XGBClassifier(**BOOST), WINE),
    (XGBClassifier(num_parallel_tree=2, subsample=0.5, **BOOST), WINE),
    (XGBClassifier(booster="dart", rate_drop=0.5, **BOOST), WINE),
    (XGBClassifier(early_stopping_rounds=1, learning_rate=1.0, **{**BOOST, "n_estimators": 30}), CANCER),
    (XGBClassifier(base_score=0.2, scale_pos_weight=3, **BOOST), CANCER),
    (XGBRegressor(**BOOST), DIABETES),
    (XGBRegressor(**{**BOOST, "max_depth": 0, "grow_policy": "lossguide", "max_leaves": 20}), DIABETES),
    (XGBRegressor(**BOOST), TARGETS),
    (XGBRegressor(monotone_constraints=str((1,) * 10), **BOOST), DIABETES),
    (XGBRegressor(interaction_constraints="[[0, 1, 2], [3, 4]]", **BOOST), DIABETES),
    (XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], **BOOST), DIABETES),
    *((XGBRegressor(objective=one, **BOOST), RATES) for one in ("count:poisson", "reg:gamma", "reg:tweedie")),
    (XGBRegressor(max_cat_to_onehot=1, **CATEGORICAL, **BOOST), CODES),
    (XGBRegressor(max_cat_to_onehot=99, **CATEGORICAL, **BOOST), CODES),
    (XGBRanker(**BOOST), RANKS),
    (LGBMClassifier(**QUIET), HOLES),
    (LGBMClassifier(zero_as_missing=True, **QUIET), HOLES),
    (LGBMClassifier(use_missing=False, **QUIET), HOLES),
    (LGBMClassifier(**QUIET), NARROW),
    (LGBMClassifier(**QUIET), WHOLE),
    (LGBMClassifier(**QUIET), EXTREMES),
    (LGBMClassifier(early_stopping_round=1, learning_rate=1.0, metric="binary_logloss", **QUIET), CANCER),
    (LGBMClassifier(boosting_type="dart", **QUIET), WINE),
    (LGBMRegressor(**QUIET), TINY),
    (LGBMRegressor(zero_as_missing=True, **QUIET), TINY),
    (LGBMRegressor(boosting_type="rf", subsample_freq=1, subsample=0.5, **QUIET), DIABETES),
    *((LGBMRegressor(objective=one, **QUIET), RATES) for one in ("poisson", "gamma", "tweedie")),
    (LGBMRegressor(categorical_feature=[0, 2], max_cat_to_onehot=1, cat_smooth=1, **QUIET), CODES),
    (LGBMRegressor(categorical_feature=[0, 2], max_cat_to_onehot=99, **QUIET), CODES),
    (LGBMRanker(**QUIET), RANKS),
    (HistGradientBoostingClassifier(max_iter=6), HOLES),
    (HistGradientBoostingClassifier(max_iter=6, max_depth=3), EXTREMES),
    (HistGradientBoostingClassifier(max_iter=4), WINE),
    (HistGradientBoostingRegressor(max_iter=6, categorical_features=[0, 2]), CODES),
    (HistGradientBoostingRegressor(loss="gamma", max_iter=6), RATES),
    (GradientBoostingClassifier(n_estimators=6), NARROW),
    (GradientBoostingClassifier(n_estimators=4, init="zero"), WINE),
    (GradientBoostingRegressor(n_estimators=6, loss="huber"), DIABETES),
    (AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=5), CANCER),
    (AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=5), WINE),
    (RandomForestClassifier(**FOREST), HOLES),
    (RandomForestClassifier(**FOREST), NARROW),
    (RandomForestClassifier(**FOREST), EXTREMES),
    (RandomForestClassifier(class_weight="balanced", **FOREST), WINE),
    (RandomForestRegressor(**FOREST), DIABETES),
    (RandomForestRegressor(criterion="absolute_error", **FOREST), TARGETS),
    (ExtraTreesClassifier(**FOREST), HOLES),
    (ExtraTreesRegressor(**FOREST), DIABETES),
    (DecisionTreeClassifier(random_state=0), HOLES),
    (DecisionTreeClassifier(random_state=0), WINE),
    (DecisionTreeRegressor(max_leaf_nodes=20), DIABETES),
    (DecisionTreeRegressor(max_depth=4), TARGETS),
    (ExtraTreeClassifier(random_state=0), WINE),
    (BaggingClassifier(n_estimators=4, max_features=0.5, random_state=0), WINE),
    (BaggingClassifier(n_estimators=4, max_samples=4, random_state=5), WINE),
    (BaggingRegressor(DecisionTreeRegressor(max_depth=4), n_estimators=4, bootstrap_features=True), DIABETES),
    (IsolationForest(n_estimators=5, max_features=0.5, random_state=0), HOLES),
    (IsolationForest(n_estimators=5, contamination=0.1, random_state=0), DIABETES),
]


def fitted(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Fitted; XGBoost and LightGBM stop early by other data than they learn from."""
    options = model.get_params()
    stops = 1 in (options.get("early_stopping_rounds"), options.get("early_stopping_round"))
    more = {"eval_set": [(X[1::2], y[1::2])]} if stops else {}
    if "Ranker" in type(model).__name__:
        more = {"group": [26] * 17}
    if options.get("categorical_feature"):
        more = {"categorical_feature": options["categorical_feature"]}
        model.set_params(categorical_feature="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X[::2], y[::2], **more) if stops else model.fit(X, y, **more)


def around(linear: EnsembleMap, X: np.ndarray) -> np.ndarray:
    """Rows of X in which one input is an edge, or a number next to it of float64 or of float32, or far from all."""
    (block,) = linear.feature_map.blocks
    rows = []
    for column, edges in zip(block.columns, block.block.edges, strict=True):
        near = np.float32(edges)
        numbers = [edges, near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
        numbers += [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), [-1e30, 1e30, 0.0, -0.0]]
        for value in np.concatenate([np.asarray(one, dtype=np.float64) for one in numbers]):
            row = X[len(rows) % len(X)].copy()
            row[column] = value
            rows.append(row)
    return np.array(rows)


def own_response(model: Any, linear: EnsembleMap, X: np.ndarray) -> np.ndarray:
    if isinstance(model, IsolationForest):
        return np.log2(model.offset_ / model.score_samples(X))
    if linear.raw_scores is not None:
        return np.asarray(model.predict(X, **linear.raw_scores))
    return np.asarray(getattr(model, linear.head.method)(X))


def known(linear: EnsembleMap, X: np.ndarray) -> np.ndarray:
    """X with a known category in place of others."""
    for column, one in linear.feature_map.categories.items():
        X[:, column] = np.where(np.isin(X[:, column], one.values), X[:, column], one.values[0])
    return X


def check(model: Any, linear: EnsembleMap, X: np.ndarray, asked: np.ndarray) -> None:
    """That the scores of X are those that the library gives for ``asked``, within the bound on its own rounding."""
    shown = linear.head.shaped(linear.scores(linear.feature_map.apply(X)))
    own = own_response(model, linear, asked)
    found = linear.head.respond(shown)
    assert found.shape == own.shape
    allowed = linear.head.response_error(shown, float(linear.own_rounding.max()))
    linked = linear.head.link is not None or isinstance(model, IsolationForest)
    rounding = 8 * np.finfo(own.dtype).eps * np.maximum(1.0, np.abs(own)) if linked else 0.0
    assert (np.abs(found - own) <= allowed + rounding).all()
    certain = linear.head.certain(shown, 1e-6) if linear.head.labels is not None else None
    if certain is not None:
        assert (linear.head.predict(shown)[certain] == model.predict(asked)[certain]).all()


@pytest.mark.parametrize(("model", "data"), MODELS, ids=lambda one: type(one).__name__)
def test_scores_are_the_librarys_own_at_every_threshold(model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    model = fitted(model, *data)
    linear = read_estimator(model)
    assert isinstance(linear, EnsembleMap)
    full = np.where(np.isnan(data[0]), 1.0, data[0]).astype(np.float64)
    rows = [data[0].astype(np.float64), around(linear, full)]
    if (linear.feature_map.missing & linear.feature_map.used).any():
        rows += [with_holes(full), np.full((1, full.shape[1]), np.nan)]
    X = known(linear, np.vstack(rows))
    check(model, linear, X, X)
    narrow = X.astype(np.float32)
    check(model, linear, narrow.astype(np.float64), narrow)
    assert linear.public[0].learned
    check_public(linear, X)


def check_public(linear: EnsembleMap, X: np.ndarray) -> None:
    """That public splits give the same scores, of one leaf of every tree."""
    public = with_public_splits(linear, "the model")
    assert public.feature_map is not None
    features = public.feature_map.apply(X)
    starts = np.flatnonzero(np.diff(public.feature_map.groups, prepend=-1))
    assert len(starts) == len(linear.words.outputs)
    assert (np.add.reduceat(features, starts, axis=1) == 1).all() and set(features.flat) == {0.0, 1.0}
    scores = linear.scores(linear.feature_map.apply(X))
    assert np.abs(public.scores(features) - scores).max() <= 1e-12 * (1 + np.abs(public.weights).sum())
    assert public.public == (*linear.public, public.public[-1]) and public.public[-1].learned
