"""Sums of step functions, of every library that fits them, on real data."""

from __future__ import annotations

from typing import Any

from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from xgboost import XGBClassifier, XGBRegressor

from .estimators import Case


def _boosted(name: str, one: Any, source: str) -> Case:
    """A sum of step functions, whose thresholds may become public."""
    return Case(f"{type(one).__name__}, {name}", one, source, {"public": [type(one).__name__]})


STUMPS = {"n_estimators": 20, "max_depth": 1}
QUIET = {**STUMPS, "verbose": -1, "n_jobs": 1}
ALONE = {**STUMPS, "n_jobs": 1}
QUICK = {"max_rounds": 30, "outer_bags": 1, "max_bins": 8, "max_interaction_bins": 4, "interactions": 2, "n_jobs": 1}

BOOSTED = [
    _boosted("two classes", HistGradientBoostingClassifier(max_iter=20, max_depth=1), "cancer/holes"),
    _boosted("three classes", HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=2), "iris/str"),
    _boosted("squares", HistGradientBoostingRegressor(max_iter=20, max_depth=1), "diabetes/named"),
    _boosted("Poisson", HistGradientBoostingRegressor(loss="poisson", max_iter=20, max_depth=1), "diabetes/rates"),
    _boosted("two classes", GradientBoostingClassifier(**STUMPS), "cancer"),
    _boosted("three classes, from zero", GradientBoostingClassifier(init="zero", **STUMPS), "iris/object"),
    _boosted("Huber", GradientBoostingRegressor(loss="huber", **STUMPS), "diabetes"),
    _boosted("two classes", AdaBoostClassifier(n_estimators=20), "cancer/bool"),
    _boosted("two classes", XGBClassifier(**ALONE), "cancer/holes"),
    _boosted("ten classes", XGBClassifier(**ALONE), "digits"),
    _boosted("dart", XGBClassifier(booster="dart", rate_drop=0.3, **ALONE), "wine"),
    _boosted("squares", XGBRegressor(**ALONE), "diabetes/named"),
    _boosted("gamma", XGBRegressor(objective="reg:gamma", **ALONE), "diabetes/rates"),
    _boosted("two targets", XGBRegressor(**ALONE), "diabetes/two"),
    _boosted("two classes", LGBMClassifier(**QUIET), "cancer/holes"),
    _boosted("zero as missing", LGBMClassifier(zero_as_missing=True, **QUIET), "digits"),
    _boosted("three classes", LGBMClassifier(num_leaves=2, n_estimators=20, verbose=-1, n_jobs=1), "iris/str"),
    _boosted("squares", LGBMRegressor(**QUIET), "diabetes"),
    _boosted("Tweedie", LGBMRegressor(objective="tweedie", **QUIET), "diabetes/rates"),
    _boosted("forest", LGBMRegressor(boosting_type="rf", subsample_freq=1, subsample=0.5, **QUIET), "diabetes/holes"),
    _boosted("two classes", ExplainableBoostingClassifier(**QUICK), "cancer/holes"),
    _boosted("three classes", ExplainableBoostingClassifier(**QUICK), "wine/named"),
    _boosted("squares", ExplainableBoostingRegressor(**QUICK), "diabetes/named"),
    _boosted("Poisson", ExplainableBoostingRegressor(objective="poisson_deviance", **QUICK), "diabetes/rates"),
]
