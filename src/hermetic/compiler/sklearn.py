"""Fitted scikit-learn estimators as affine maps. A new family is one more entry of ``_READERS`` or ``_STEPS``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from ..errors import CompileError, UnsupportedModelError, WireError
from ..quantize import Reals
from ..signature import check_labels
from .linear import LinearMap

Affine = tuple[Reals, Reals]
"""(scale, shift), (d,) each: the step x -> scale·x + shift."""

Reader = TypeVar("Reader")

_METHODS = ("decision_function", "predict", "predict_proba", "transform")
"""What a subclass must not override: its scores would no longer be what is read here."""

_NEAREST = {
    "ElasticNet": "Ridge",
    "Lasso": "Ridge",
    "LinearSVR": "SGDRegressor(loss='epsilon_insensitive')",
    "NuSVC": "LinearSVC",
    "PassiveAggressiveClassifier": "SGDClassifier(loss='hinge')",
    "PassiveAggressiveRegressor": "SGDRegressor(loss='epsilon_insensitive')",
    "Perceptron": "SGDClassifier(loss='perceptron')",
    "RidgeCV": "Ridge",
    "RidgeClassifier": "LinearSVC",
    "SVC": "LinearSVC",
}


def read_estimator(estimator: Any) -> LinearMap:
    """A fitted estimator as an affine map.

    Raises
    ------
    UnsupportedModelError
        For an estimator, or an option of one, that has no encrypted form here.
    CompileError
        For an estimator that is not fitted, or has weights that are not finite.
    """
    if isinstance(estimator, type):
        raise UnsupportedModelError(
            f"the model must be a fitted estimator. Got the class {estimator.__name__} instead: make one and fit it."
        )
    kind = _kind(_READERS, estimator)
    if kind is None:
        raise UnsupportedModelError(
            f"the model must be one of {', '.join(supported())}, or a Pipeline of {_either(_STEPS)} and one of them. "
            f"Got {type(estimator).__name__} instead{_nearest(estimator)}."
        )
    _check_not_overridden(estimator, kind)
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise CompileError(f"the {type(estimator).__name__} must be fitted. It is not: call fit first.") from error
    linear = _READERS[kind](estimator)
    names = getattr(estimator, "feature_names_in_", None)
    return linear if names is None else replace(linear, feature_names=tuple(map(str, names)))


def supported() -> list[str]:
    """Names of the supported estimators."""
    return sorted(kind.__name__ for kind in _READERS if kind is not Pipeline)


def _either(table: Mapping[type, Any]) -> str:
    return " or ".join(sorted((kind.__name__ for kind in table), reverse=True))


def _nearest(estimator: Any) -> str:
    name = _NEAREST.get(type(estimator).__name__)
    if name is None and isinstance(estimator, ClassifierMixin | RegressorMixin):
        name = "LogisticRegression" if isinstance(estimator, ClassifierMixin) else "Ridge"
    return "" if name is None else f": the nearest supported model is {name}"


def _kind(table: Mapping[type, Reader], instance: object) -> type | None:
    """The entry of a table that an object is an instance of."""
    return next((kind for kind in type(instance).__mro__ if kind in table), None)


def _check_not_overridden(instance: Any, kind: type) -> None:
    for method in _METHODS:
        if inspect.getattr_static(instance, method, None) is not inspect.getattr_static(kind, method, None):
            raise UnsupportedModelError(
                f"a subclass of {kind.__name__} must keep its {method}. {type(instance).__name__} overrides it, so its "
                f"coefficients need not say what it computes: convert it to a plain {kind.__name__}."
            )


def _coefficients(estimator: Any) -> Affine:
    """Weights (k, d) and bias (k,), whatever shape the estimator keeps them in; sparse ones become dense."""
    coef = estimator.coef_
    weights = np.atleast_2d(np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef, dtype=np.float64))
    bias = np.asarray(estimator.intercept_, dtype=np.float64).reshape(-1)
    return weights, np.broadcast_to(bias, (len(weights),)) if bias.size == 1 else bias


def _classifier(estimator: Any, link: str | None = None) -> LinearMap:
    weights, bias = _coefficients(estimator)
    labels = np.asarray(estimator.classes_)
    try:
        check_labels(labels)
    except WireError as error:
        raise UnsupportedModelError(
            f"class labels must be numbers, booleans, strings or None. Got dtype {labels.dtype} instead, such as "
            f"{labels.flat[0]!r}: fit the model on labels of one of these types."
        ) from error
    return LinearMap(weights, bias, "decision_function", link, labels, squeeze=len(weights) == 1)


def _logistic_regression(estimator: Any) -> LinearMap:
    """Two classes have the logistic link, more softmax; until scikit-learn 1.7, one-versus-rest was an option."""
    strategy = estimator.get_params().get("multi_class")
    one_vs_rest = strategy == "ovr" or (strategy in ("auto", "deprecated") and estimator.solver == "liblinear")
    binary = len(estimator.classes_) == 2
    return _classifier(estimator, "logistic" if binary or one_vs_rest else "softmax")


def _sgd_classifier(estimator: Any) -> LinearMap:
    links = {"log_loss": "logistic", "modified_huber": "modified_huber"}
    return _classifier(estimator, links.get(estimator.loss))


def _regressor(estimator: Any) -> LinearMap:
    weights, bias = _coefficients(estimator)
    return LinearMap(weights, bias, "predict", squeeze=np.ndim(estimator.coef_) == 1)


def _sgd_regressor(estimator: Any) -> LinearMap:
    weights, bias = _coefficients(estimator)
    return LinearMap(weights, bias, "predict", squeeze=True)


def _pipeline(pipeline: Any) -> LinearMap:
    *steps, (_, last) = pipeline.steps
    linear = read_estimator(last)
    for name, step in reversed(steps):
        if step is None or step == "passthrough":
            continue
        kind = _kind(_STEPS, step)
        if kind is None:
            raise UnsupportedModelError(
                f"a pipeline's steps before the model must be {_either(_STEPS)}. Step {name!r} is a "
                f"{type(step).__name__} instead: apply it before hermetic, on both sides."
            )
        _check_not_overridden(step, kind)
        linear = linear.after_affine(*_STEPS[kind](step))
    return linear


def _standard_scaler(scaler: Any) -> Affine:
    d = scaler.n_features_in_
    scale = 1.0 / np.asarray(scaler.scale_, dtype=np.float64) if scaler.with_std else np.ones(d)
    mean = np.asarray(scaler.mean_, dtype=np.float64) if scaler.with_mean else np.zeros(d)
    return scale, -mean * scale


def _min_max_scaler(scaler: Any) -> Affine:
    if scaler.clip:
        raise UnsupportedModelError(
            "MinMaxScaler must have clip=False: clipping is not linear. Got clip=True instead: set it to False, compile"
            " with the input_range to clip to, and make clients with clip=True."
        )
    return np.asarray(scaler.scale_, dtype=np.float64), np.asarray(scaler.min_, dtype=np.float64)


_READERS: dict[type, Callable[[Any], LinearMap]] = {
    LogisticRegression: _logistic_regression,
    SGDClassifier: _sgd_classifier,
    LinearSVC: _classifier,
    LinearRegression: _regressor,
    Ridge: _regressor,
    SGDRegressor: _sgd_regressor,
    Pipeline: _pipeline,
}

_STEPS: dict[type, Callable[[Any], Affine]] = {
    StandardScaler: _standard_scaler,
    MinMaxScaler: _min_max_scaler,
}
