"""Sums of step functions, of every library that fits them, on real data."""

from __future__ import annotations

from typing import Any

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRanker, XGBRegressor

from .estimators import CHANGES, Case

CHANGES["first"] = lambda X, y: (X[:, :1], y)
CHANGES["grades"] = lambda X, y: (X, np.digitize(y, [100, 200]))


def _boosted(name: str, one: Any, source: str, **arguments: Any) -> Case:
    """A sum of step functions, whose thresholds may become public."""
    public = {"public": [type(one).__name__]}
    return Case(f"{type(one).__name__}, {name}", one, source, public, arguments=arguments)


STUMPS = {"n_estimators": 20, "max_depth": 1}
QUIET = {**STUMPS, "verbose": -1, "n_jobs": 1}
ALONE = {**STUMPS, "n_jobs": 1}
APART = {"interaction_cst": "no_interactions"}
DEEPER = {"max_depth": 3}
EACH = [[i] for i in range(10)]
DEEP = DecisionTreeClassifier(max_depth=3)
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
    _boosted("ranks", LGBMRanker(**QUIET), "diabetes/grades", group=[26] * 17),
    _boosted("ranks", XGBRanker(**ALONE), "diabetes/grades", qid=np.repeat(range(17), 26)),
    _boosted("linear, two classes", XGBClassifier(booster="gblinear", n_estimators=9, n_jobs=1), "cancer/bool"),
    _boosted("linear, three classes", XGBClassifier(booster="gblinear", n_estimators=9, n_jobs=1), "wine"),
    _boosted("linear", XGBRegressor(booster="gblinear", n_estimators=9, n_jobs=1), "diabetes/named"),
    _boosted("linear, two targets", XGBRegressor(booster="gblinear", n_estimators=9, n_jobs=1), "diabetes/two"),
    # Deeper trees that split on one input each
    _boosted("apart", HistGradientBoostingClassifier(max_iter=20, max_depth=2, **APART), "iris"),
    _boosted("apart", HistGradientBoostingRegressor(max_iter=20, max_depth=3, **APART), "diabetes/holes"),
    _boosted("apart", XGBRegressor(**{**ALONE, **DEEPER}, interaction_constraints=str(EACH)), "diabetes/holes"),
    _boosted("apart", LGBMRegressor(**{**QUIET, **DEEPER}, interaction_constraints=EACH), "diabetes/holes"),
    _boosted("deep, of one input", GradientBoostingClassifier(n_estimators=9, max_depth=2), "cancer/first"),
    _boosted(
        "deep, of one input", AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=5), "cancer/first"
    ),
    _boosted("two classes", ExplainableBoostingClassifier(**QUICK), "cancer/holes"),
    _boosted("three classes", ExplainableBoostingClassifier(**QUICK), "wine/named"),
    _boosted("squares", ExplainableBoostingRegressor(**QUICK), "diabetes/named"),
    _boosted("Poisson", ExplainableBoostingRegressor(objective="poisson_deviance", **QUICK), "diabetes/rates"),
]
