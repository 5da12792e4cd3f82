"""Every kind of estimator that compiles, fitted on real data that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from hermetic.demo.mnist import features, load_mnist


def load_images(*, return_X_y: bool) -> tuple[Any, Any]:
    """The first thousand training images of MNIST."""
    assert return_X_y
    mnist = load_mnist()
    return features(mnist.train_images[:1000]), mnist.train_labels[:1000]


LOADERS = {
    "cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "linnerud": load_linnerud,
    "mnist": load_images,
    "wine": load_wine,
}


@cache
def data(name: str) -> tuple[Any, Any]:
    """X and y of a bundled data set; ``name`` may end in a change to it, as in "iris/str"."""
    name, _, change = name.partition("/")
    X, y = LOADERS[name](return_X_y=True)
    return CHANGES[change](X, y) if change else (X, y)


CHANGES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    # Labels of every dtype
    "int8": lambda X, y: (X, y.astype(np.int8) - 1),
    "str": lambda X, y: (X, np.array(["setosa", "versicolor", "Iris virginica, ☘"])[y]),
    "bool": lambda X, y: (X, y.astype(bool)),
    "float": lambda X, y: (X, y * 2.0 - 1),
    "object": lambda X, y: (X, np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]),
    # Targets of every shape
    "column": lambda X, y: (X, y[:, None]),
    "two": lambda X, y: (X, np.stack([y, np.sqrt(y)], axis=1)),
    # Inputs of every type
    "bytes": lambda X, y: (X.astype(np.uint8), y),
    "pixels": lambda X, y: (np.round(X * 255 / 16) / 255, y),
    "float32": lambda X, y: (X.astype(np.float32), y),
    "named": lambda X, y: (pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])]), y),
}


@dataclass(frozen=True, eq=False)
class Case:
    """An estimator to fit, and the options that it is compiled with."""

    name: str
    estimator: Any
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Any], Any] = lambda fitted: fitted

    @property
    def kind(self) -> type:
        """The class of the model, the last step of a pipeline."""
        last = self.estimator
        while isinstance(last, Pipeline):
            last = last[-1]
        return type(last)

    def fit(self) -> Any:
        return self.after(self.estimator.fit(*data(self.data)))


def _sparse(fitted: Any) -> Any:
    return fitted.sparsify()


def _scaled(model: Any, *scalers: Any) -> Pipeline:
    return make_pipeline(*(scalers or (StandardScaler(),)), model)


CASES = [
    Case("logistic, two classes", _scaled(LogisticRegression()), "cancer"),
    Case("logistic, liblinear", LogisticRegression(solver="liblinear"), "cancer"),
    Case("logistic, l1, sparse", LogisticRegression(solver="liblinear", l1_ratio=1), "cancer", after=_sparse),
    Case("logistic, ten classes", LogisticRegression(tol=0.1), "digits"),
    Case("logistic, bytes", LogisticRegression(tol=0.1), "digits/bytes"),
    Case("logistic, pixels", LogisticRegression(max_iter=20), "digits/pixels"),
    Case("logistic, MNIST", LogisticRegression(max_iter=10), "mnist"),
    Case("logistic, no intercept", LogisticRegression(fit_intercept=False), "iris"),
    Case(
        "logistic, cross-validated",
        LogisticRegressionCV(Cs=2, cv=3, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False),
        "iris",
    ),
    Case("logistic, labels int8", LogisticRegression(), "iris/int8"),
    Case("logistic, labels str", LogisticRegression(), "iris/str"),
    Case("logistic, labels bool", _scaled(LogisticRegression()), "cancer/bool"),
    Case("logistic, labels float", LogisticRegression(), "iris/float"),
    Case("logistic, labels object", LogisticRegression(), "iris/object"),
    Case("logistic, fitted in float32", LogisticRegression(), "iris/float32"),
    Case("logistic, named columns", LogisticRegression(), "iris/named"),
    Case("logistic, precise", LogisticRegression(), "iris", {"profile": "precise"}),
    Case("linear regression", LinearRegression(), "diabetes"),
    Case("linear regression, one column", LinearRegression(), "diabetes/column"),
    Case("linear regression, two columns", LinearRegression(), "diabetes/two"),
    Case("linear regression, three targets", LinearRegression(), "linnerud"),
    Case("linear regression, positive, no intercept", LinearRegression(positive=True, fit_intercept=False), "diabetes"),
    Case("ridge", Ridge(alpha=0.1), "diabetes"),
    Case("ridge, one column", Ridge(alpha=0.1), "diabetes/column"),
    Case("ridge, two columns", Ridge(alpha=[0.1, 0.2], solver="cholesky"), "diabetes/two"),
    Case("ridge, two limbs", Ridge(alpha=0.1), "diabetes/named", {"tolerance": 1e-8}),
    Case("ridge, four limbs", Ridge(alpha=0.1), "diabetes", {"tolerance": 1e-5, "profile": "fast"}),
    Case("SVC, two classes", _scaled(LinearSVC()), "cancer"),
    Case("SVC, ten classes", LinearSVC(tol=0.1), "digits"),
    Case("SVC, Crammer and Singer", LinearSVC(multi_class="crammer_singer"), "iris"),
    Case("SVC, l1, sparse", _scaled(LinearSVC(penalty="l1", dual=False), MinMaxScaler()), "wine"),
    Case("SGD, hinge, unscaled", SGDClassifier(random_state=0), "wine"),
    Case("SGD, hinge, two classes", _scaled(SGDClassifier(random_state=0)), "cancer"),
    Case("SGD, log loss", _scaled(SGDClassifier(loss="log_loss", random_state=0)), "cancer"),
    Case("SGD, log loss, ten classes, unscaled", SGDClassifier(loss="log_loss", random_state=0), "digits"),
    Case("SGD, log loss, three classes", _scaled(SGDClassifier(loss="log_loss", random_state=0)), "wine"),
    Case("SGD, modified Huber", _scaled(SGDClassifier(loss="modified_huber", random_state=0)), "cancer"),
    Case("SGD, modified Huber, three classes", _scaled(SGDClassifier(loss="modified_huber", random_state=0)), "wine"),
    Case(
        "SGD, perceptron, l1, sparse",
        SGDClassifier(loss="perceptron", penalty="l1", random_state=0),
        "iris",
        after=_sparse,
    ),
    Case("SGD regressor", _scaled(SGDRegressor(random_state=0)), "diabetes"),
    Case("SGD regressor, l1, sparse", SGDRegressor(penalty="l1", random_state=0), "diabetes", after=_sparse),
    Case("standard scaler without mean", _scaled(LogisticRegression(), StandardScaler(with_mean=False)), "wine"),
    Case("standard scaler without scale", _scaled(Ridge(), StandardScaler(with_std=False)), "diabetes"),
    Case(
        "standard scaler without either", _scaled(Ridge(), StandardScaler(with_mean=False, with_std=False)), "diabetes"
    ),
    Case("min-max scaler", _scaled(LogisticRegression(), MinMaxScaler(feature_range=(-1, 3))), "wine"),
    Case("both scalers", _scaled(LogisticRegression(), MinMaxScaler(), StandardScaler()), "wine"),
    Case("passthrough", Pipeline([("nothing", "passthrough"), ("model", LogisticRegression())]), "iris/named"),
    Case("None as a step", Pipeline([("nothing", None), ("scaler", StandardScaler()), ("model", LinearSVC())]), "wine"),
    Case("pipeline in a pipeline", _scaled(_scaled(LogisticRegression()), MinMaxScaler()), "wine/named"),
    Case("scaled whole numbers", _scaled(LogisticRegression(tol=0.1)), "digits"),
]
