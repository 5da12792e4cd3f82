"""Jumps follow only what clients compute to the last digit: everything else before them is refused."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, StackingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)

import hermetic
from hermetic import CompiledModel, CompileError
from hermetic.circuits.linear.integers import recombine
from known_weights import client_of

X, KINDS = load_iris(return_X_y=True)
X[:, 3] = KINDS
Y = 2 * X[:, 0] + X[:, 2] ** 2


def bins() -> KBinsDiscretizer:
    return KBinsDiscretizer(4)


def trees() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_depth=1, max_iter=5)


def columns(*parts: tuple[Any, list[int]], rest: str = "drop") -> ColumnTransformer:
    return ColumnTransformer([(str(i), *one) for i, one in enumerate(parts)], remainder=rest)


EXACT: dict[str, tuple[Any, ...]] = {
    "scaled": (StandardScaler(), bins()),
    "imputed and scaled": (SimpleImputer(), StandardScaler(), bins()),
    "imputed and scaled beside categories": (
        columns((make_pipeline(SimpleImputer(), StandardScaler()), [0, 1, 2]), (OneHotEncoder(), [3])),
        bins(),
    ),
    "scaled beside numbers of categories": (columns((StandardScaler(), [0, 1, 2]), (OrdinalEncoder(), [3])), trees()),
    "numbers of categories, scaled": (columns((OrdinalEncoder(), [3]), rest="passthrough"), StandardScaler(), trees()),
    "weighted": (
        FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())], transformer_weights={"a": 0.3}),
        bins(),
    ),
    "clipped": (MinMaxScaler(clip=True), trees()),
    "squares and products": (PolynomialFeatures(2), bins()),
    "absolute values": (StandardScaler(), FunctionTransformer(np.absolute), bins()),
    "beside components": (columns((PCA(2), [0, 1, 2]), (bins(), [3])),),
    "of others than components": (
        columns((PCA(2), [0, 1, 2]), rest="passthrough"),
        columns((bins(), [2]), rest="passthrough"),
    ),
    "norms of scaled": (StandardScaler(), Normalizer()),
}

MOVED: dict[str, tuple[Any, ...]] = {
    "components": (PCA(2), bins()),
    "components, trees": (PCA(2), trees()),
    "components, threshold": (PCA(2), Binarizer()),
    "components, sign": (PCA(2), FunctionTransformer(np.sign)),
    "components, norm": (PCA(2), Normalizer()),
    "components, steep": (PCA(2), FunctionTransformer(np.cbrt)),
    "components, marker": (PCA(2), SimpleImputer(missing_values=0)),
    "components, scaled": (PCA(2), StandardScaler(), bins()),
    "components, clipped": (PCA(2), MinMaxScaler(clip=True), bins()),
    "components beside others": (columns((PCA(2), [0, 1, 2]), rest="passthrough"), bins()),
    "powers": (PowerTransformer(), bins()),
    "powers alone": (PowerTransformer(standardize=False), bins()),
    "powers of some": (columns((PowerTransformer(), [0, 1]), rest="passthrough"), bins()),
    "logarithms": (FunctionTransformer(np.log1p), bins()),
    "norms": (Normalizer(), bins()),
    "splines": (SplineTransformer(), bins()),
    "cubes": (PolynomialFeatures(3), bins()),
    "stacked": (StackingRegressor([("a", Ridge()), ("b", Lasso(0.1))], make_pipeline(bins(), Ridge()), cv=2),),
}


def fitted(steps: tuple[Any, ...]) -> Any:
    last = () if hasattr(steps[-1], "predict") else (Ridge(),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(*steps, *last).fit(X, Y)


def compiled(estimator: Any) -> CompiledModel:
    """With every word that it asks for, one publication after the other."""
    public: list[str] = []
    while True:
        try:
            return hermetic.compile(estimator, X, public=public)
        except CompileError as error:
            asked = re.search(r"public=\[(.*?)\]", str(error))
            if asked is None or set(re.findall("'(.*?)'", asked[1])) <= set(public):
                raise
            public += re.findall("'(.*?)'", asked[1])


@pytest.mark.parametrize("steps", EXACT.values(), ids=EXACT)
def test_jumps_after_exact_values_are_the_estimators_own(steps: tuple[Any, ...]) -> None:
    estimator = fitted(steps)
    model = compiled(estimator)
    one = model.integers
    near = [X, np.nextafter(X, np.inf), np.nextafter(X, -np.inf), np.random.default_rng(0).uniform(X.min(0), X.max(0))]
    rows = np.clip(np.vstack([*near]), X.min(axis=0), X.max(axis=0))
    rows[:, 3] = np.rint(rows[:, 3])
    scores = recombine(one.apply(client_of(model).quantize(rows)[0]), one.limbs, one.limb_bits, one.scale_exponent)
    assert np.abs(scores[:, 0] - estimator.predict(rows)).max() <= model.signature.error


@pytest.mark.parametrize("steps", MOVED.values(), ids=MOVED)
def test_jumps_after_rounding_are_refused(steps: tuple[Any, ...]) -> None:
    words = r"must follow values that clients compute to the last digit.* apply these before hermetic, on both sides"
    with pytest.raises(CompileError, match=words):
        compiled(fitted(steps))


def test_what_follows_the_refused_steps_compiles_as_the_message_says() -> None:
    estimator = fitted(MOVED["components"])
    inner = estimator[0].transform(X)
    model = hermetic.compile(estimator[1:], inner, public=["kbinsdiscretizer"])
    assert model.signature.features == model.integers.weights.shape[1]


def test_the_refusal_names_the_steps_before() -> None:
    with pytest.raises(CompileError, match=r"^bins must follow .* Before them are 'pca', 'standardscaler': sums or"):
        compiled(fitted(MOVED["components, scaled"]))
