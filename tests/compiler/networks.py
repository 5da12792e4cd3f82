"""Networks, each fitted once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FEW = {"max_iter": 60, "random_state": 0}


@dataclass(frozen=True, eq=False)
class Network:
    """A network to fit, and on what."""

    name: str
    estimator: BaseEstimator
    data: str
    options: dict[str, Any] = field(default_factory=dict)

    def fit(self) -> Any:
        return self.estimator.fit(*data(self.data))


@cache
def data(name: str) -> tuple[Any, np.ndarray]:
    if name == "iris":
        bunch = load_iris()
        return bunch.data, bunch.target_names[bunch.target]
    if name == "cancer":
        X, y = load_breast_cancer(return_X_y=True)
        return X[:, :10], y
    X, y = load_diabetes(return_X_y=True)
    if name == "two targets":
        return X, np.stack([y, X[:, 2] * 1000], axis=1)
    if name == "counts":
        return X, np.rint(y / 50)
    if name == "table":
        return pd.DataFrame({"age": X[:, 0], "bmi": X[:, 2], "sex": np.where(X[:, 1] > 0, "m", "f")}), y > 140
    return X, y


def scaled(last: BaseEstimator) -> BaseEstimator:
    return make_pipeline(StandardScaler(), last)


NETWORKS = [
    Network("two classes", scaled(MLPClassifier((8,), activation="logistic", **FEW)), "cancer"),
    Network("three classes", scaled(MLPClassifier((6,), activation="relu", **FEW)), "iris"),
    Network("in its own units", MLPClassifier((6,), activation="tanh", alpha=0.1, **FEW), "iris"),
    Network("two hidden layers", scaled(MLPClassifier((6, 5), activation="logistic", alpha=1e-3, **FEW)), "cancer"),
    Network("regression", scaled(MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", **FEW)), "diabetes"),
    Network("two targets", scaled(MLPRegressor(hidden_layer_sizes=(5,), **FEW)), "two targets"),
    Network(
        "table",
        make_pipeline(
            make_column_transformer((OneHotEncoder(), ["sex"]), (StandardScaler(), ["age", "bmi"])),
            MLPClassifier((5,), activation="logistic", **FEW),
        ),
        "table",
        {"public": ["onehotencoder", "standardscaler"]},
    ),
]
