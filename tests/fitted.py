"""Real estimators, fitted on data that scikit-learn ships, and compiled. Each is made once in a test process."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

import hermetic
from hermetic import CompiledModel, Signature


@dataclass(frozen=True, eq=False)
class Fitted:
    """An estimator, the data it was fitted on, and what Hermetic made of it."""

    estimator: Any
    X: Any
    y: npt.NDArray[Any]
    model: CompiledModel

    @property
    def signature(self) -> Signature:
        return self.model.signature

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """What decryption must give for X, within ``signature.error``."""
        return np.asarray(getattr(self.estimator, self.signature.method)(self.X))


def _fitted(estimator: Any, X: Any, y: Any, **options: Any) -> Fitted:
    estimator.fit(X, y)
    return Fitted(estimator, X, np.asarray(y), hermetic.compile(estimator, X, **options))


@cache
def petals() -> Fitted:
    """2 features, 3 classes named by strings: six weights in all."""
    data = load_iris()
    return _fitted(LogisticRegression(), data.data[:, 2:], data.target_names[data.target], name="petals")


@cache
def digits() -> Fitted:
    """64 whole-number features, 10 classes named by integers."""
    X, y = load_digits(return_X_y=True)
    return _fitted(LogisticRegression(tol=0.1), X, y, name="digits", input_range=(0, 16), flooding=20)


@cache
def tumours() -> Fitted:
    """30 real features, scaled by a pipeline; two classes and one score."""
    X, y = load_breast_cancer(return_X_y=True)
    return _fitted(make_pipeline(StandardScaler(), LogisticRegression()), X, y, name="tumours")


@cache
def progression() -> Fitted:
    """A regression on a DataFrame of 10 named columns, in the precise profile with two limbs."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return _fitted(Ridge(alpha=0.1), X, y, name="progression", tolerance=5e-7)


@cache
def sepals() -> Fitted:
    """Two regressions at once: 2 features, 2 outputs, no labels."""
    X, _ = load_iris(return_X_y=True)
    return _fitted(LinearRegression(), X[:, 2:], X[:, :2], name="sepals")


@cache
def growths() -> Fitted:
    """Boosted trees of 2 inputs, one of which has more than 16 thresholds and may be missing; two classes."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, [0, 21]]
    X[::7, 0] = np.nan
    trees = XGBClassifier(n_estimators=12, max_depth=3, n_jobs=1)
    return _fitted(trees, X, y, name="growths", public=["xgbclassifier"])


@cache
def species() -> Fitted:
    """A forest of 3 classes: each word has 3 values."""
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(3, max_depth=3, random_state=0)
    return _fitted(forest, X, y, name="species", public=["randomforestclassifier"])


@cache
def progress() -> Fitted:
    """Boosted trees for values, whose scores have two limbs."""
    X, y = load_diabetes(return_X_y=True)
    trees = GradientBoostingRegressor(n_estimators=4, max_depth=2, random_state=0)
    return _fitted(trees, X, y, name="progress", public=["gradientboostingregressor"], tolerance=1e-9)


@cache
def loose() -> Fitted:
    """A forest whose answers are not strict."""
    X, y = load_breast_cancer(return_X_y=True)
    forest = RandomForestClassifier(3, max_depth=3, random_state=0)
    return _fitted(forest, X[:, :4], y, name="loose", public=["randomforestclassifier"], strict=False)


@cache
def neurons() -> Fitted:
    """A network of 2 inputs and so many neurons that its keys are few: hidden values fill half of all slots."""
    X = load_iris().data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations suffice here
        estimator = MLPRegressor(hidden_layer_sizes=(2048,), activation="tanh", max_iter=30, random_state=0)
        return _fitted(estimator, X[:, 2:], X[:, 0], name="neurons")


@cache
def layers() -> Fitted:
    """Two hidden layers, on inputs that are written into a query many times."""
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = MLPRegressor(
            hidden_layer_sizes=(4, 2), activation="logistic", alpha=0.1, max_iter=200, solver="lbfgs", random_state=0
        )
        return _fitted(estimator, X[:, 2:], y.astype(float), name="layers")


@cache
def windows() -> Fitted:
    """A convolution of 64 maps at 64 places, with squares, and one output: its keys are few, for nothing is folded."""
    from onnx import TensorProto, helper, numpy_helper
    from scipy.signal import correlate2d

    X, y = load_digits(return_X_y=True)
    X = X / 16
    kernels = np.random.default_rng(0).normal(size=(64, 1, 3, 3)) / 3
    images = X[:400].reshape(-1, 8, 8)
    convolved = np.array([[correlate2d(image, kernel[0], "same") for kernel in kernels] for image in images])
    head = Ridge(alpha=10.0).fit(convolved.reshape(400, -1) ** 2, y[:400])
    weights = {
        "k": kernels,
        "w": head.coef_[:, None],
        "b": np.atleast_1d(head.intercept_),
        "s": np.array([-1, 1, 8, 8]),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["image"]),
        helper.make_node("Conv", ["image", "k"], ["maps"], pads=[1, 1, 1, 1]),
        helper.make_node("Mul", ["maps", "maps"], ["squares"]),
        helper.make_node("Flatten", ["squares"], ["row"]),
        helper.make_node("Gemm", ["row", "w", "b"], ["y"]),
    ]
    ends = (
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", width]) for name, width in (("x", 64), ("y", 1))
    )
    x, out = ends
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "windows", [x], [out], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return Fitted(model, X, y, hermetic.compile(model, X, input_range=(0, 1), name="windows"))
