"""Networks of hidden layers"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Reals
from ...head import Head
from ..activations import ACTIVATIONS
from ..linear import LinearMap, affine
from ..network_map import HiddenMap, NetworkMap
from .classifiers import labels_of
from .registry import reads, refuse

_CONDITION = "of one hidden layer, or a few; activations that are no polynomials become such, see the how-to"


@reads("MLPRegressor", gives="`predict`: values", condition=_CONDITION)
def _regressor(estimator: Any) -> LinearMap:
    link = "exp" if estimator.out_activation_ == "exp" else None
    return _network(estimator, Head("predict", link, squeeze=estimator.n_outputs_ == 1))


@reads("MLPClassifier", gives="`predict_proba`: probabilities, labels", condition=f"of one label; {_CONDITION}")
def _classifier(estimator: Any) -> LinearMap:
    if estimator._label_binarizer.y_type_.startswith("multilabel"):
        refuse("MLPClassifier", "be fitted on one label a sample", "several labels", "fit one classifier a label")
    link = "mean_logistic" if estimator.out_activation_ == "logistic" else "softmax"
    return _network(estimator, Head("predict_proba", link, labels_of(estimator)))


def _network(estimator: Any, head: Head) -> LinearMap:
    kind, name = type(estimator).__name__, estimator.activation
    layers = [(np.asarray(w, dtype=np.float64).T, np.asarray(b, dtype=np.float64)) for w, b in _layers(estimator)]
    if name == "identity":
        return _affine(layers, head)
    *hidden, (readout, bias) = layers
    return NetworkMap(
        np.zeros((len(bias), estimator.n_features_in_)),
        bias,
        head,
        layers=tuple(HiddenMap(weights, shift, ACTIVATIONS[name]) for weights, shift in hidden),
        readout=readout,
        step=kind.lower(),
        precision=float(np.finfo(estimator.coefs_[0].dtype).eps) / 2,
        passes={},
    )


def _layers(estimator: Any) -> list[tuple[Reals, Reals]]:
    return list(zip(estimator.coefs_, estimator.intercepts_, strict=True))


def _affine(layers: list[tuple[Reals, Reals]], head: Head) -> LinearMap:
    """A network without activations, which is one map."""
    weights, bias = layers[-1]
    found = LinearMap(weights, bias, head)
    for layer, shift in reversed(layers[:-1]):
        found = found.after(affine(layer, shift))
    return found
