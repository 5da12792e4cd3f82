"""Private networks: MLPs of scikit-learn as they were fitted, one with squares beside its peers, and images in numbers
from one to ten thousand.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, make_classification, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hermetic
from hermetic.demo.mnist import Mnist, features

from .classifiers import IMAGES, Rival, Task
from .linear import Row, measured_row
from .square_network import SquareNetwork, fitted

Reals = npt.NDArray[np.float64]

_ASKED = 100
_DIGITS = 12_000
_HIDDEN = 128
_PEER_REPEAT = 2
_CONCRETE = ("--model", "network", "--bits", "4")

OPTIONS = {"hermetic": {"labels": range(10), "input_range": (0, 1)}}
"""What the network with squares is compiled with."""


@dataclass(frozen=True)
class Fitted:
    """A fitted network, inputs to calibrate on, and others to ask."""

    name: str
    estimator: Any
    train: Reals
    asked: Reals


def fitted_networks(data: Mnist) -> Iterator[Fitted]:
    """From tables and images; each is fitted within a minute."""
    X, y = make_classification(
        6000, 40, n_informative=12, n_redundant=4, n_classes=4, n_clusters_per_class=2, class_sep=1.5, random_state=0
    )
    yield _fitted("40-64-4, relu", MLPClassifier((64,), alpha=0.1, max_iter=60, random_state=0), X, y)
    X, y = make_friedman1(4000, 20, noise=0.5, random_state=0)
    yield _fitted(
        "friedman1 20-64-1, tanh",
        MLPRegressor(hidden_layer_sizes=(64,), activation="tanh", max_iter=400, random_state=0),
        X,
        y,
    )
    X, y = load_breast_cancer(return_X_y=True)
    yield _fitted(
        "breast cancer 30-32-1, logistic", MLPClassifier((32,), activation="logistic", alpha=1, random_state=0), X, y
    )
    images, labels = features(data.train_images[:_DIGITS]), data.train_labels[:_DIGITS]
    digits = MLPClassifier((128,), alpha=1.0, max_iter=15, random_state=0)
    yield _fitted("MNIST 784-128-10, relu", digits, images, labels, scaled=False)


def _fitted(name: str, network: Any, X: Reals, y: npt.NDArray[Any], *, scaled: bool = True) -> Fitted:
    train, asked = X[: len(X) * 3 // 4], X[len(X) * 3 // 4 :]
    estimator = make_pipeline(StandardScaler(), network) if scaled else network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Fitted(name, estimator.fit(train, y[: len(train)]), train, asked)


def squares(data: Mnist) -> SquareNetwork:
    """784-128-10 with squares, fitted to all training images."""
    return fitted(features(data.train_images), data.train_labels.astype(np.int64), hidden=_HIDDEN)


def squares_task(data: Mnist, network: SquareNetwork) -> Task:
    """The same network by every library that computes squares, and Concrete ML's own with ReLUs."""
    images, labels = features(data.test_images[:IMAGES]), data.test_labels[:IMAGES].astype(np.int64)
    given = {name: getattr(network, name) for name in ("w1", "b1", "w2", "b2")}
    given |= {"y": data.train_labels[:_DIGITS].astype(np.int64), "hidden": _HIDDEN}
    return Task(
        "A network of one hidden layer, MNIST, 784-128-10",
        {"hermetic": network},
        images,
        labels,
        features(data.train_images[:_DIGITS]),
        (
            Rival("openfhe-network"),
            Rival("tenseal-network", most_repeats=_PEER_REPEAT),
            Rival("concrete-ml", _CONCRETE, _PEER_REPEAT),
        ),
        given,
        OPTIONS,
        {"hermetic": network.onnx},
    )


def network_rows(data: Mnist, repeat: int) -> Iterator[tuple[Row, str]]:
    """One sample of each, beside the same polynomials in plain, and what answers are worth: on held-out samples, in
    words.
    """
    for one in fitted_networks(data):
        model = hermetic.compile(one.estimator, one.train, name="network")
        X = np.clip(one.asked, one.train.min(axis=0), one.train.max(axis=0))
        expected = model.reference(hermetic.Client(model.signature).quantize(X[:1])[0])
        yield measured_row(one.name, model, X[:1], expected, repeat), _worth(one, model, X[:_ASKED])


def _worth(one: Fitted, model: hermetic.CompiledModel, X: Reals) -> str:
    client = hermetic.Client(model.signature, clip=True)
    found, refused = [], 0
    for row in X:
        try:
            found.append(client.predict(model.evaluate(client.encrypt(row), client.public_key)))
        except hermetic.CalibrationError:
            found.append(None)
            refused += 1
    kept = [i for i, answer in enumerate(found) if answer is not None]
    plain, answers = np.asarray(one.estimator.predict(X[kept])), np.array([found[i] for i in kept])
    if model.signature.labels is None:
        share = 1 - float(((answers - plain) ** 2).sum() / ((plain - plain.mean()) ** 2).sum())
        same = f"{share:.3f} of the variance of the plain network's values"
    else:
        same = f"the plain network's label on {int((answers == plain).sum())} of {len(kept)}"
    return (
        f"{one.name}: {len(X)} held-out samples, {refused} refused by the range word; {same}; guaranteed error "
        f"{model.signature.error:.2g}"
    )
