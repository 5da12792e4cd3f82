"""Regressions"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Reals
from ...head import Head
from ..linear import LinearMap, affine
from .registry import read_estimator, reads

GIVES = "`predict`: values"


def coefficients(estimator: Any) -> tuple[Reals, Reals]:
    """Weights (k, d) and bias (k,), whatever shape the estimator keeps them in; sparse ones become dense."""
    coef = estimator.coef_
    weights = np.atleast_2d(np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef, dtype=np.float64))
    bias = np.asarray(estimator.intercept_, dtype=np.float64).reshape(-1)
    return weights, np.broadcast_to(bias, (len(weights),)) if bias.size == 1 else bias


@reads(
    "ARDRegression",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "Lars",
    "LarsCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearRegression",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "TheilSenRegressor",
    gives=GIVES,
)
def _regressor(estimator: Any) -> LinearMap:
    weights, bias = coefficients(estimator)
    return LinearMap(weights, bias, Head("predict", squeeze=np.ndim(estimator.coef_) == 1))


@reads("LinearSVR", "PassiveAggressiveRegressor", "SGDRegressor", gives=GIVES)
def _one_target(estimator: Any) -> LinearMap:
    return LinearMap(*coefficients(estimator), Head("predict", squeeze=True))


@reads("GammaRegressor", "PoissonRegressor", gives=GIVES, condition="the client takes the exponential of the score")
def _log_link(estimator: Any) -> LinearMap:
    return LinearMap(*coefficients(estimator), Head("predict", "exp", squeeze=True))


@reads("TweedieRegressor", gives=GIVES, condition="with a log link, the client takes the exponential of the score")
def _tweedie(estimator: Any) -> LinearMap:
    log = estimator.link == "log" or (estimator.link == "auto" and estimator.power > 0)
    return LinearMap(*coefficients(estimator), Head("predict", "exp" if log else None, squeeze=True))


@reads("RANSACRegressor", gives=GIVES, condition="of a supported regression")
def _ransac(estimator: Any) -> LinearMap:
    return read_estimator(estimator.estimator_)


@reads("CCA", "PLSCanonical", "PLSRegression", gives=GIVES)
def _partial_least_squares(estimator: Any) -> LinearMap:
    """coef_ is that of centred inputs."""
    weights, bias = coefficients(estimator)
    centred = affine(np.eye(weights.shape[1]), -estimator._x_mean)
    return LinearMap(weights, bias, Head("predict", squeeze=estimator._predict_1d)).after(centred)
