"""A network with squares, fitted in NumPy: what every library here can run as it is, and an ONNX model of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper, numpy_helper

Reals = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]

_BATCH = 256
_DECAY = 1e-4
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
"""Adam's, of Kingma and Ba, ICLR 2015."""


@dataclass(frozen=True, eq=False)
class SquareNetwork:
    """scores = w2 (k, H) · (w1 (H, d) · x + b1)² + b2, as an estimator of classes 0 to k - 1."""

    w1: Reals
    b1: Reals
    w2: Reals
    b2: Reals

    def decision_function(self, X: Reals) -> Reals:
        """Scores (n, k)."""
        return np.asarray((X @ self.w1.T + self.b1) ** 2 @ self.w2.T + self.b2)

    def predict(self, X: Reals) -> npt.NDArray[np.intp]:
        """Classes (n,)."""
        return np.asarray(self.decision_function(X).argmax(axis=1))

    @cached_property
    def onnx(self) -> ModelProto:
        """The same as an ONNX model."""
        weights = [numpy_helper.from_array(getattr(self, name), name) for name in ("w1", "b1", "w2", "b2")]
        nodes = [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["hidden"], transB=1),
            helper.make_node("Mul", ["hidden", "hidden"], ["squares"]),
            helper.make_node("Gemm", ["squares", "w2", "b2"], ["scores"], transB=1),
        ]
        x, scores = (
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", width])
            for name, width in (("x", self.w1.shape[1]), ("scores", len(self.b2)))
        )
        graph = helper.make_graph(nodes, "squares", [x], [scores], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def fitted(X: Reals, y: Labels, *, hidden: int = 128, epochs: int = 12, seed: int = 0) -> SquareNetwork:
    """Fit to inputs (n, d) and classes (n,) by Adam on the cross entropy."""
    random, classes = np.random.default_rng(seed), int(y.max()) + 1
    layers = [
        random.normal(size=(hidden, X.shape[1])) * 0.5 / np.sqrt(X.shape[1]),
        np.zeros(hidden),
        random.normal(size=(classes, hidden)) / np.sqrt(hidden),
        np.zeros(classes),
    ]
    first, second = ([np.zeros_like(layer) for layer in layers] for _ in range(2))
    total, step = epochs * -(-len(X) // _BATCH), 0
    for _ in range(epochs):
        for chosen in np.array_split(random.permutation(len(X)), -(-len(X) // _BATCH)):
            step += 1
            rate = 3e-3 * (1 - step / (total + 1))
            for i, slope in enumerate(_slopes(layers, X[chosen], y[chosen])):
                first[i] += (1 - _FIRST) * (slope - first[i])
                second[i] += (1 - _SECOND) * (slope**2 - second[i])
                mean, square = first[i] / (1 - _FIRST**step), second[i] / (1 - _SECOND**step)
                layers[i] -= rate * (mean / (np.sqrt(square) + _TINY) + _DECAY * layers[i])
    return SquareNetwork(*layers)


def _slopes(layers: list[Reals], X: Reals, y: Labels) -> list[Reals]:
    """Those of the mean cross entropy, by layer."""
    w1, b1, w2, b2 = layers
    hidden = X @ w1.T + b1
    squares = hidden**2
    scores = squares @ w2.T + b2
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(y)), y] -= 1.0
    shares /= len(y)
    back = 2 * hidden * (shares @ w2)
    return [back.T @ X, back.sum(axis=0), shares.T @ squares, shares.sum(axis=0)]
