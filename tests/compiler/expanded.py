"""Polynomials, splines, kernel features and Gaussian classifiers, on real data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OrdinalEncoder, PolynomialFeatures, SplineTransformer, StandardScaler

from .estimators import Case
from .since import since


def scaled(model: Any, *steps: Any) -> Pipeline:
    """A model after steps, by default a scaler."""
    return make_pipeline(*(steps or (StandardScaler(),)), model)


SPLINES, ROWS = {"public": ["splinetransformer"]}, {"public": ["nystroem", "training rows"]}
GIVEN_KNOTS = np.linspace([4, 2, 1, 0], [8, 5, 7, 3], 5)

EXPANDED = [
    Case("polynomial, two classes", make_pipeline(PolynomialFeatures(), LogisticRegression()), "iris/str"),
    Case("polynomial of scaled inputs", scaled(Ridge(), StandardScaler(), PolynomialFeatures()), "diabetes/named"),
    Case(
        "interactions, scaled before and behind",
        scaled(
            LinearDiscriminantAnalysis(),
            MinMaxScaler(),
            PolynomialFeatures(interaction_only=True, include_bias=False),
            StandardScaler(),
        ),
        "wine",
        {"profile": "precise"},
    ),
    Case("cubes of components", scaled(Ridge(), PCA(2), PolynomialFeatures((2, 3))), "iris"),
    Case("products of whole numbers", make_pipeline(PCA(5), PolynomialFeatures(), Ridge()), "digits/few"),
    Case("splines", make_pipeline(SplineTransformer(), Ridge()), "diabetes/named", SPLINES),
    Case(
        "splines, straight on",
        make_pipeline(SplineTransformer(4, extrapolation="linear", include_bias=False), LogisticRegression()),
        "iris/str",
        SPLINES,
    ),
    Case(
        "splines of quantiles, further on",
        make_pipeline(SplineTransformer(4, 2, knots="quantile", extrapolation="continue"), Ridge()),
        "wine",
        SPLINES,
    ),
    Case("splines, periodic", make_pipeline(SplineTransformer(extrapolation="periodic"), Ridge()), "wine", SPLINES),
    Case("splines of given knots", make_pipeline(SplineTransformer(knots=GIVEN_KNOTS), LogisticRegression()), "iris"),
    *since(
        "1.8",
        "SplineTransformer(handle_missing)",
        lambda: Case(
            "splines with gaps",
            make_pipeline(SplineTransformer(handle_missing="zeros"), Ridge()),
            "cancer/holes",
            SPLINES,
        ),
    ),
    Case("random Fourier features", make_pipeline(RBFSampler(gamma=0.1, random_state=0), LogisticRegression()), "iris"),
    Case(
        "random Fourier features of scaled inputs",
        scaled(RidgeClassifier(), StandardScaler(), RBFSampler(gamma="scale", random_state=0)),
        "wine",
        {"public": ["StandardScaler", "RBFSampler"]},
    ),
    Case("additive chi-squared", make_pipeline(AdditiveChi2Sampler(), LogisticRegression(C=1e-3)), "digits/few"),
    Case("additive chi-squared, reals", make_pipeline(AdditiveChi2Sampler(sample_steps=3), Ridge()), "wine"),
    Case("skewed chi-squared", make_pipeline(SkewedChi2Sampler(random_state=0), LogisticRegression()), "digits/few"),
    Case(
        "count sketch",
        make_pipeline(PolynomialCountSketch(gamma=0.1, coef0=1, n_components=40, random_state=0), Ridge()),
        "iris",
    ),
    Case(
        "landmarks",
        make_pipeline(Nystroem(gamma=1e-3, n_components=30, random_state=0), LogisticRegression()),
        "digits/few",
        ROWS,
    ),
    Case(
        "union of expansions",
        make_pipeline(
            FeatureUnion([("a", PolynomialFeatures()), ("b", "passthrough"), ("c", SplineTransformer(3))]), Ridge()
        ),
        "diabetes",
        {"public": ["c"]},
    ),
    Case(
        "expansions of columns",
        make_pipeline(
            ColumnTransformer(
                [("a", PolynomialFeatures(), ["column 1", "column 0"]), ("b", SplineTransformer(), ["column 2"])],
                remainder="passthrough",
            ),
            LogisticRegression(max_iter=1000),
        ),
        "iris/named",
        {"public": ["b"]},
    ),
    Case("GaussianNB", GaussianNB(), "iris/str"),
    Case("GaussianNB, two classes, named", GaussianNB(priors=[0.3, 0.7], var_smoothing=1e-6), "cancer/named"),
    Case("GaussianNB, whole numbers", GaussianNB(var_smoothing=0.1), "digits"),
    Case("GaussianNB, searched, scaled", scaled(GridSearchCV(GaussianNB(), {"var_smoothing": [1e-3]}, cv=2)), "wine"),
    Case("GaussianNB of components", scaled(GaussianNB(), StandardScaler(), PCA(3)), "wine", {"profile": "precise"}),
    Case("quadratic discriminants", QuadraticDiscriminantAnalysis(store_covariance=True), "iris/object"),
    Case(
        "quadratic discriminants, two classes",
        scaled(QuadraticDiscriminantAnalysis(reg_param=0.1)),
        "cancer/bool",
        {"profile": "precise"},
    ),
    *since(
        "1.8",
        "QuadraticDiscriminantAnalysis(solver)",
        lambda: Case(
            "quadratic discriminants, shrunk", QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1), "wine"
        ),
    ),
    Case("CategoricalNB", CategoricalNB(min_categories=2), "digits/bits"),
    Case(
        "CategoricalNB of codes",
        make_pipeline(OrdinalEncoder(), CategoricalNB(min_categories=2)),
        "digits/bits",
        {"public": ["OrdinalEncoder"]},
    ),
    Case("CategoricalNB, learned numbers", CategoricalNB(), "digits", {"public": ["CategoricalNB"]}),
]
