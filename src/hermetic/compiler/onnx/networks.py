"""ONNX models of hidden layers: what is before each activation, the activation, and what comes after the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ...arrays import Reals
from ...circuits.networks.window import Window
from ...errors import UnsupportedModelError
from ..activations import ACTIVATIONS
from ..linear import LinearMap
from ..network_map import HiddenMap, NetworkMap
from .answers import OnnxModel
from .graph import Array, read_inputs

NAMES = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "logistic"}
"""Operators that are activations of a hidden layer, and what compilers call them."""

_PRODUCTS = ("Conv", "Gemm", "MatMul")

ReadModel = Callable[[ModelProto, Any], tuple[LinearMap, OnnxModel]]

LayerOf = Callable[[ModelProto, str], tuple[tuple[int, ...], Window | None]]
"""The shape of a tensor for one sample, and what each of its places reads if it is a convolution."""


def hidden_activations(graph: GraphProto) -> list[NodeProto]:
    """The activations of hidden layers, in the order of the graph: a product of the inputs with weights is before them,
    and another one after them.
    """
    weights = {one.name for one in graph.initializer}
    multiplied = _products_of(graph, {one.name for one in graph.input} - weights)
    found = [node for node in graph.node if _name(graph, node) and not multiplied.isdisjoint(node.input)]
    return [node for node in found if _products_of(graph, set(node.output))]


def _products_of(graph: GraphProto, tensors: set[str]) -> set[str]:
    """The tensors that follow from a product of these, or of what follows from them."""
    reached = set(tensors)
    products: set[str] = set()
    for node in graph.node:
        if not reached.isdisjoint(node.input):
            reached.update(node.output)
            if node.op_type in _PRODUCTS or not products.isdisjoint(node.input):
                products.update(node.output)
    return products


def _name(graph: GraphProto, node: NodeProto) -> str:
    """What compilers call a node that is an activation: a product with itself, or a power of 2, is a square."""
    inputs = list(node.input)
    exponents: dict[str, Any] = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    two = len(inputs) == 2 and inputs[1] in exponents and (exponents[inputs[1]] == 2).all()
    if (node.op_type == "Mul" and inputs[0] == inputs[1]) or (node.op_type == "Pow" and two):
        return "square"
    return NAMES.get(node.op_type, "")


def read_network(
    model: ModelProto,
    activations: list[NodeProto],
    labels: Any,
    read_model: ReadModel,
    layer_of: LayerOf,
) -> tuple[NetworkMap, OnnxNetwork]:
    """Read a model of hidden layers; ``read_model`` reads each part of it, and ``layer_of`` what is between.

    Raises
    ------
    UnsupportedModelError
        If a layer takes other values than those of the one before it.
    """
    hidden: list[HiddenMap] = []
    found: list[tuple[LinearMap, Window | None]] = []
    given = list(model.graph.input)
    for activation in activations:
        part = _cut(model, given, [activation.input[0]])
        layer, _ = read_model(part, None)
        if hidden:
            _check_taken(activation, layer, hidden[-1])
        shape, reads = layer_of(part, activation.input[0])
        found.append((layer, reads))
        hidden.append(HiddenMap(layer.weights, layer.bias, ACTIVATIONS[_name(model.graph, activation)]))
        given = [helper.make_tensor_value_info(activation.output[0], _element_type(model, activation), [None, *shape])]
    last, own = read_model(_cut(model, given, [one.name for one in model.graph.output]), labels)
    _check_taken(activations[-1], last, hidden[-1])
    first, window = found[0]
    network = NetworkMap(
        np.zeros((len(last.bias), first.weights.shape[1])),
        last.bias,
        last.head,
        feature_names=first.feature_names,
        feature_map=first.feature_map,
        public=first.public,
        passes={},
        precision=max(first.precision, last.precision),
        layers=tuple(hidden),
        readout=last.weights,
        step="model",
        window=window,
    )
    return network, OnnxNetwork(model, activations[-1], own)


def _check_taken(activation: NodeProto, after: LinearMap, before: HiddenMap) -> None:
    if after.weights.shape[1] != len(before.bias):
        raise UnsupportedModelError(
            f"what follows the hidden layer before {activation.name!r} must take its {len(before.bias)} values. It "
            f"takes {after.weights.shape[1]}."
        )


class OnnxNetwork:
    """An ONNX model of hidden layers as an estimator, which the compiled model must come near.

    Parameters
    ----------
    model, activation
        The model, and its last activation.
    last
        What comes after it, of hidden values.
    """

    def __init__(self, model: ModelProto, activation: NodeProto, last: OnnxModel) -> None:
        self._inputs = read_inputs(model.graph)
        self._hidden = activation.output[0]
        self._evaluator = ReferenceEvaluator(_cut(model, model.graph.input, [self._hidden]))
        self._last = last

    def decision_function(self, X: Any) -> Reals:
        """The scores (n, k), or (n,) of one."""
        return self._last.decision_function(self._values(X))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels, or a regression's values."""
        return self._last.predict(self._values(X))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes)."""
        return self._last.predict_proba(self._values(X))

    def _values(self, X: Any) -> Array:
        rows = np.asarray(X)
        feeds = {one.name: one.taken(rows) for one in self._inputs}
        found: Any = self._evaluator.run([self._hidden], feeds)
        return np.asarray(found[0]).reshape(len(rows), -1)


def _element_type(model: ModelProto, activation: NodeProto) -> int:
    """The type of the hidden values: that of the weights that the activation's input is made with."""
    graph = _cut(model, model.graph.input, list(activation.output)).graph
    doubles = any(one.data_type == TensorProto.DOUBLE for one in graph.initializer)
    return int(TensorProto.DOUBLE if doubles else TensorProto.FLOAT)


def _cut(model: ModelProto, inputs: Iterable[ValueInfoProto], outputs: list[str]) -> ModelProto:
    """The part of a model between some tensors and others.

    Raises
    ------
    UnsupportedModelError
        If it needs others than these.
    """
    given = {one.name for one in inputs}
    nodes, wanted = [], set(outputs)
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output) - given:
            nodes.append(node)
            wanted.update(node.input)
    weights = [one for one in model.graph.initializer if one.name in wanted]
    made = {name for node in nodes for name in node.output} | {weight.name for weight in weights} | given
    if missing := sorted(wanted - made - {""}):
        raise UnsupportedModelError(
            f"what follows the hidden layer must take its values alone. It takes {', '.join(missing[:3])} as well: "
            "export the model without connections that skip the layer."
        )
    ends = [one for one in model.graph.output if one.name in outputs]
    ends += [
        helper.make_empty_tensor_value_info(output) for output in outputs if output not in {end.name for end in ends}
    ]
    graph = helper.make_graph(nodes[::-1], model.graph.name or "part", list(inputs), ends, weights)
    found = helper.make_model(graph, opset_imports=model.opset_import)
    found.ir_version = model.ir_version
    return found
