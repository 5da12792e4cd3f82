"""What operators of trees make of their sums, as plain ONNX nodes on these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from .graph import Array
from .tree_nodes import LEAF, TreeNode, refuse

_NEAR = 1e-6
"""How far sums of probabilities may be from 1, as float32 rounds them."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Nodes from an input of sums (n, k) to a node's outputs.

    Attributes
    ----------
    sums
        The name of the input.
    dtype
        The type that the node gives.
    nodes, constants
        What computes its outputs.
    """

    sums: str
    dtype: int
    nodes: list[NodeProto]
    constants: list[TensorProto]


def answers_of(one: TreeNode, opset: int, *, alone: bool) -> Answers:
    """The nodes that follow the sums. Probabilities are a link of the node that stands ``alone``; others may be added
    to those of other nodes.

    Raises
    ------
    UnsupportedModelError
        For a link that runtimes read differently, or that clients do not have.
    """
    name = f"{one.node.name}/sums"
    double = one.dtype == np.float64 and one.node.op_type == "TreeEnsemble"
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    writer = _Writer(one.node.name, kind, opset)
    probabilities = alone and one.labels is not None and _are_probabilities(one)
    # A product makes scores of what would be inputs as they come.
    scores = writer.add("Mul", name, writer.number(2.0 if probabilities else 1.0))
    if one.labels is None:
        _values(one, writer, scores)
        return Answers(name, kind, writer.nodes, writer.constants)
    found = _probabilities(one, writer, scores) if probabilities else _classes(one, writer, scores)
    found = writer.add("Identity", found, output=one.node.output[1] if len(one.node.output) > 1 else "")
    if one.node.output[0]:
        largest = writer.add("ArgMax", found, axis=1, keepdims=0)
        writer.add("Gather", writer.constant(np.array(one.labels)), largest, output=one.node.output[0])
    return Answers(name, kind, writer.nodes, writer.constants)


class _Writer:
    """Collects nodes and constants under names of their own."""

    def __init__(self, name: str, kind: int, opset: int) -> None:
        self._name, self._kind, self._opset = name, helper.tensor_dtype_to_np_dtype(kind), opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **options: Any) -> str:
        """A node; the name of its output."""
        output = output or f"{self._name}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=f"{output}/{kind}", **options))
        return output

    def constant(self, value: Array) -> str:
        name = f"{self._name}/constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value.astype(object) if value.dtype.kind == "U" else value, name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=self._kind))

    def clipped(self, scores: str) -> str:
        """Scores within -1 and 1."""
        if self._opset < 11:
            return self.add("Clip", scores, min=-1.0, max=1.0)
        return self.add("Clip", scores, self.number(-1.0), self.number(1.0))

    def both(self, second: str) -> str:
        """The probabilities of two classes from that of the second."""
        first = self.add("Sub", self.number(1.0), second)
        return self.add("Concat", first, second, axis=1)


def _values(one: TreeNode, writer: _Writer, scores: str) -> None:
    """Of regressions: ONNX Runtime gives the sums of one target as they are, others do not."""
    if one.transform != "NONE" and len(one.base) == 1:
        advice = "runtimes differ on it. Export it with NONE, and a Sigmoid after it"
        raise refuse(one.node, f"has post_transform {one.transform} of one target", advice)
    writer.add(_TRANSFORMS[one.transform], scores, output=one.node.output[0], **_axis(one))


def _classes(one: TreeNode, writer: _Writer, scores: str) -> str:
    """The numbers of classes, of which the largest tells the label."""
    if len(one.base) > 1:
        return scores if one.transform == "NONE" else writer.add(_TRANSFORMS[one.transform], scores, **_axis(one))
    if _are_probabilities(one):
        return writer.both(scores)
    positive = one.weights_are_positive
    if one.transform == "SOFTMAX" or positive:
        what = "no weight below 0" if positive else "SOFTMAX"
        advice = "runtimes differ on its labels. Export it with LOGISTIC, or weights that are probabilities"
        raise refuse(one.node, f"has one score of two classes with {what}", advice)
    if one.transform == "NONE":
        return writer.add("Concat", writer.add("Neg", scores), scores, axis=1)
    return writer.both(writer.add("Sigmoid", scores))


def _probabilities(one: TreeNode, writer: _Writer, doubled: str) -> str:
    """Probabilities p from scores 2·p - 1; of several classes they are divided by their sum."""
    scores = writer.add("Sub", doubled, writer.number(1.0))
    half = writer.add("Mul", writer.clipped(scores), writer.number(0.5))
    share = writer.add("Add", half, writer.number(0.5))
    if len(one.base) == 1:
        return writer.both(share)
    # All of them 0 are uniform.
    return writer.add("LpNormalization", writer.add("Add", share, writer.number(1e-30)), axis=1, p=1)


def _are_probabilities(one: TreeNode) -> bool:
    """Whether all sums are probabilities: of the second of two classes, or of each of several."""
    if one.transform != "NONE" or one.base.any() or not one.weights_are_positive:
        return False
    totals = [one.values[one.modes == LEAF].sum(axis=1) for one in one.trees]
    largest = sum(float(each.max()) for each in totals)
    if len(one.base) == 1:
        return largest <= 1 + _NEAR
    least = sum(float(each.min()) for each in totals)
    return _all_outputs(one) and abs(largest - 1) <= _NEAR and abs(least - 1) <= _NEAR


def _all_outputs(one: TreeNode) -> bool:
    return all(tree.values.shape[1] == len(one.base) for tree in one.trees)


def _axis(one: TreeNode) -> dict[str, Any]:
    return {"axis": 1} if one.transform == "SOFTMAX" else {}


_TRANSFORMS = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}
