"""Steps that clients compute, on tables: encoders, imputers, bins, functions; some columns are texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC

from .estimators import CHANGES, LOADERS, Case
from .since import since

TEXTS, NUMBERS = ["sex", "build", "group"], ["age", "bp", "s1", "s2"]


def patients(*, return_X_y: bool) -> tuple[pd.DataFrame, Any]:
    """The diabetes data in their own units, with some numbers in words and some left out, and a column of no use."""
    assert return_X_y
    frame, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    frame["sex"] = np.where(frame["sex"] == 1, "female", "male")
    frame["build"] = pd.cut(frame["bmi"], [0, 22, 27, 32, 99], labels=["light", "mid", "heavy", "Größe XL"]).astype(
        object
    )
    frame.loc[::9, "build"] = None
    frame.loc[::7, "age"] = np.nan
    frame["group"] = pd.cut(frame["s6"], 3, labels=False)
    frame["remark"] = [f"patient {i}" for i in range(len(frame))]
    return frame[["age", "sex", "bp", "build", "s1", "s2", "group", "remark"]], y.to_numpy()


LOADERS["patients"] = patients
CHANGES["above"] = lambda X, y: (X, y > np.median(y))
CHANGES["three"] = lambda X, y: (X, np.digitize(y, [100, 200]))
CHANGES["classes"] = lambda X, y: (np.digitize(X[:, 2:], [-0.05, 0.0, 0.04]), y)

FILLED_TEXTS = make_pipeline(SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder())
FILLED = make_pipeline(SimpleImputer(), StandardScaler())


def _columns(*parts: Any, **options: Any) -> ColumnTransformer:
    return ColumnTransformer([(f"part {i}", one, columns) for i, (one, columns) in enumerate(parts)], **options)


def _case(name: str, step: Any, source: str, public: list[str], model: Any = None) -> Case:
    return Case(name, make_pipeline(step, model or Ridge()), source, {"public": public})


def _scored(step: Any) -> Any:
    return make_pipeline(step, Ridge())


WHOLE = _columns((FILLED, NUMBERS), (FILLED_TEXTS, TEXTS))
PART = _columns((FILLED, NUMBERS))
HALF = _columns((StandardScaler(), ["bp", "s1"]))
UNIONS = _columns(
    (make_union(StandardScaler(), KBinsDiscretizer(3)), ["bp", "s1"]),
    (make_union(OneHotEncoder(), OneHotEncoder(drop="first")), ["sex"]),
)
REST = _columns((OneHotEncoder(), ["sex", "build"]), ("drop", ["remark", "age"]), remainder=StandardScaler())

MEANS = _columns((TargetEncoder(random_state=0), ["sex", "build", "group"]), (StandardScaler(), ["bp"]))

ON_TABLES = [
    _case(
        name,
        step,
        "patients",
        ["onehotencoder", "OrdinalEncoder", "simpleimputer", "kbinsdiscretizer", "StandardScaler", "targetencoder"],
    )
    for name, step in {
        "texts and numbers": _columns((FILLED, NUMBERS), (FILLED_TEXTS, TEXTS)),
        "texts, then a scaler": make_pipeline(
            _columns((FILLED, NUMBERS), (FILLED_TEXTS, ["sex", "build"])), StandardScaler(with_mean=False)
        ),
        "texts, then components": make_pipeline(_columns((FILLED, NUMBERS), (FILLED_TEXTS, ["sex"])), PCA(3)),
        "texts, then a selection": make_pipeline(_columns((FILLED, NUMBERS), (FILLED_TEXTS, TEXTS)), SelectKBest(k=4)),
        "missing as a category": _columns((OneHotEncoder(), ["build", "sex"]), (StandardScaler(), ["bp"])),
        "unknown ones, dropped ones": _columns(
            (OneHotEncoder(handle_unknown="ignore", drop=None), ["build"]),
            (OneHotEncoder(handle_unknown="ignore", drop="first"), ["sex", "group"]),
        ),
        "one of two dropped": _columns((OneHotEncoder(drop="if_binary"), TEXTS)),
        "rare ones": _columns(
            (OneHotEncoder(min_frequency=80, handle_unknown="infrequent_if_exist", drop="first"), ["build", "group"]),
            (OneHotEncoder(max_categories=2, sparse_output=False), ["sex"]),
        ),
        "ordinal": _columns(
            (OrdinalEncoder(encoded_missing_value=-5), ["build"]),
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["sex", "group"]),
            ("passthrough", ["bp", "s1"]),
        ),
        "target means": _columns((TargetEncoder(random_state=0), ["sex", "build"]), (StandardScaler(), ["bp"])),
        "rare ones, ordinal": _columns(
            (
                OrdinalEncoder(max_categories=2, handle_unknown="use_encoded_value", unknown_value=9),
                ["group", "sex"],
            ),
            (KBinsDiscretizer(4, encode="ordinal"), ["s1", "s2"]),
        ),
        "products of texts": make_pipeline(
            _columns((OneHotEncoder(), ["sex"]), (StandardScaler(), ["bp", "s1"])), PolynomialFeatures(2)
        ),
    }.items()
] + [
    _case(
        "texts, two classes",
        _columns((FILLED, NUMBERS), (FILLED_TEXTS, TEXTS)),
        "patients/above",
        ["simpleimputer", "onehotencoder"],
        LogisticRegression(),
    )
]

ON_NUMBERS = [
    _case(name, step, source, ["kbinsdiscretizer", "simpleimputer", "missingindicator", "onehotencoder", *more])
    for name, step, source, *more in (
        ("bins", KBinsDiscretizer(5), "diabetes"),
        ("bins, uniform, dense", KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"), "diabetes/named"),
        ("bins, ordinal", KBinsDiscretizer(4, encode="ordinal", strategy="kmeans", random_state=0), "diabetes"),
        ("scaled, then bins", make_pipeline(StandardScaler(), KBinsDiscretizer(5)), "diabetes", "standardscaler"),
        (
            "scaled robustly, then bins",
            make_pipeline(RobustScaler(), KBinsDiscretizer(5)),
            "digits/few",
            "RobustScaler",
        ),
        (
            "components, then splines",
            make_pipeline(PCA(4), SplineTransformer(5)),
            "diabetes",
            "pca",
            "splinetransformer",
        ),
        ("selected, then bins", make_pipeline(SelectKBest(k=4), KBinsDiscretizer(3)), "diabetes", "SelectKBest"),
        ("threshold", Binarizer(threshold=0.01), "diabetes"),
        ("threshold of whole numbers", Binarizer(threshold=7), "digits"),
        ("clipped", MinMaxScaler(clip=True, feature_range=(-1, 2)), "diabetes", "MinMaxScaler"),
        *since(
            "1.8",
            "MaxAbsScaler(clip)",
            lambda: ("clipped, largest", MaxAbsScaler(clip=True), "wine", "maxabsscaler"),
        ),
        ("missing, mean", SimpleImputer(), "diabetes/holes"),
        ("missing, median, indicated", SimpleImputer(strategy="median", add_indicator=True), "cancer/holes"),
        ("missing, constant", SimpleImputer(strategy="constant", fill_value=0.25), "diabetes/holes"),
        ("missing, most frequent", SimpleImputer(strategy="most_frequent"), "digits/holes"),
        ("missing as a number", SimpleImputer(missing_values=0, strategy="mean"), "digits"),
        ("what is missing", make_union(SimpleImputer(), MissingIndicator()), "diabetes/holes"),
        ("scaled, then missing", make_pipeline(StandardScaler(), SimpleImputer()), "diabetes/holes", "standardscaler"),
        ("numbers as categories", OneHotEncoder(handle_unknown="ignore"), "diabetes/classes"),
        (
            "filled numbers as categories",
            make_pipeline(SimpleImputer(missing_values=0), OneHotEncoder()),
            "diabetes/classes",
        ),
        ("powers", PowerTransformer(), "wine", "powertransformer"),
        ("powers alone", PowerTransformer(standardize=False), "iris/named", "PowerTransformer"),
        ("samples of one size", Normalizer(), "wine"),
        (
            "samples of one sum",
            make_pipeline(MaxAbsScaler(), Normalizer("l1")),
            "wine",
            "maxabsscaler",
        ),
        ("terms", TfidfTransformer(), "digits", "tfidftransformer"),
        ("terms, as they are", TfidfTransformer(norm=None), "digits"),
        ("terms, without frequencies", TfidfTransformer(norm="l1", use_idf=False), "digits/few"),
        ("tanh", FunctionTransformer(np.tanh), "diabetes"),
        ("logarithms", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), "wine"),
        ("squares beside values", FeatureUnion([("a", FunctionTransformer(np.square)), ("b", "passthrough")]), "wine"),
    )
]

ON_PARTS = [
    Case(name, estimator, source, {"public": ["simpleimputer", "onehotencoder", "kbinsdiscretizer", "TargetEncoder"]})
    for name, estimator, source in (
        ("texts, alone", WHOLE, "patients"),
        (
            "texts, voting",
            VotingRegressor([("a", _scored(WHOLE)), ("b", _scored(PART)), ("c", _scored(HALF))]),
            "patients",
        ),
        ("texts, stacked", StackingRegressor([("a", _scored(WHOLE)), ("b", _scored(HALF))], Ridge(), cv=2), "patients"),
        ("texts, two targets", MultiOutputRegressor(_scored(WHOLE)), "patients/two"),
        ("texts, one versus rest", OneVsRestClassifier(make_pipeline(WHOLE, LogisticRegression())), "patients/three"),
        ("texts, calibrated", CalibratedClassifierCV(make_pipeline(WHOLE, LinearSVC()), cv=2), "patients/three"),
        ("texts, target means", make_pipeline(MEANS, LogisticRegression()), "patients/three"),
        ("texts, searched", GridSearchCV(_scored(WHOLE), {"ridge__alpha": [0.1, 1]}, cv=2), "patients"),
        ("texts, in unions", _scored(UNIONS), "patients"),
        ("texts, the rest scaled", _scored(REST), "patients"),
    )
]

POSITIVE = [
    Case(
        "powers of what is positive",
        make_pipeline(PowerTransformer("box-cox"), Ridge()),
        "iris",
        {"public": ["powertransformer"], "input_range": (0.05, 10)},
    )
]

TABLES = [*POSITIVE, *ON_TABLES, *ON_NUMBERS, *ON_PARTS]
