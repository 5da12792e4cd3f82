"""Trees that split on several inputs, of every library and family, on real data."""

from __future__ import annotations

from dataclasses import replace

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor
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
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from .estimators import Case


def _private(name: str, one: object, source: str, *public: str) -> Case:
    """Trees whose thresholds may become public, and ``public`` steps."""
    return Case(f"{type(one).__name__}, {name}", one, source, {"public": [*(public or [type(one).__name__])]})


def _public(name: str, one: object, source: str, *public: str) -> Case:
    """The same with splits that are public."""
    private = _private(f"{name}, public splits", one, source, *public)
    return replace(private, options={**private.options, "splits": "public"})


FEW = {"n_estimators": 4, "max_depth": 4, "random_state": 0}
BOOST = {"n_estimators": 5, "max_depth": 3}
ALONE = {**BOOST, "n_jobs": 1}
QUIET = {**ALONE, "verbose": -1}

FORESTS = [
    _private("two classes", RandomForestClassifier(**FEW), "cancer/holes"),
    _private("three classes", RandomForestClassifier(**FEW), "iris/str"),
    _private("squares", RandomForestRegressor(**FEW), "diabetes/named"),
    _private("two targets", RandomForestRegressor(**FEW), "diabetes/two"),
    _private("three classes", ExtraTreesClassifier(**FEW), "wine"),
    _private("squares", ExtraTreesRegressor(**FEW), "diabetes"),
    _private("two classes", DecisionTreeClassifier(max_depth=5, random_state=0), "cancer/bool"),
    _private("squares", DecisionTreeRegressor(max_depth=5, random_state=0), "diabetes"),
    _private("three classes", ExtraTreeClassifier(random_state=0), "wine"),
    _private("squares", ExtraTreeRegressor(max_depth=5, random_state=0), "diabetes"),
    _private("outliers", IsolationForest(n_estimators=4, random_state=0), "cancer/holes"),
    _private("trees", BaggingClassifier(n_estimators=3, max_features=0.5, random_state=0), "wine"),
    _private("trees", BaggingRegressor(DecisionTreeRegressor(max_depth=4), n_estimators=3), "diabetes"),
    _private("three classes", AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4), "wine"),
    _private("deeper", AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4), "cancer"),
    _private("deeper", HistGradientBoostingClassifier(max_iter=4, max_depth=3), "cancer/holes"),
    _private("deeper", HistGradientBoostingRegressor(max_iter=4, max_depth=3), "diabetes/named"),
    _private("deeper", GradientBoostingClassifier(**BOOST), "iris/object"),
    _private("deeper", GradientBoostingRegressor(**BOOST), "diabetes"),
    _private("deeper", XGBClassifier(**ALONE), "cancer/holes"),
    _private("deeper, gamma", XGBRegressor(objective="reg:gamma", **ALONE), "diabetes/rates"),
    _private("deeper", LGBMClassifier(**QUIET), "iris/str"),
    _private("deeper", LGBMRegressor(**QUIET), "diabetes/holes"),
    _private("scaled", make_pipeline(StandardScaler(), RandomForestClassifier(**FEW)), "wine", "standardscaler",
             "randomforestclassifier"),
    _private("searched", GridSearchCV(RandomForestRegressor(**FEW), {"max_depth": [2, 3]}, cv=2), "diabetes",
             "randomforestregressor"),
    _private("scaled target", TransformedTargetRegressor(RandomForestRegressor(**FEW), transformer=StandardScaler()),
             "diabetes", "randomforestregressor"),
    _public("two classes", RandomForestClassifier(**FEW), "cancer/holes"),
    _public("two targets", RandomForestRegressor(**FEW), "diabetes/two"),
    _public("three classes", XGBClassifier(**ALONE), "wine"),
    _public("missing", LGBMRegressor(**QUIET), "diabetes/holes"),
    _public("scaled", make_pipeline(StandardScaler(), RandomForestClassifier(**FEW)), "wine", "standardscaler",
            "randomforestclassifier"),
]  # fmt: skip
