"""ONNX models of trees: what comes before them, which moves their edges, the trees, and what is made of their sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ...arrays import Reals
from ...errors import UnsupportedModelError
from ...head import Head
from ..ensembles.assembly import FLOAT32, FLOAT64, map_of_trees
from ..ensembles.step_functions import LARGEST
from ..ensembles.trees import Tree
from ..linear import LinearMap
from .answers import OnnxModel, check_whole
from .files import attributes
from .graph import CONVERTED, ROWS, Array, Graph, Input
from .operators import is_trees, kind_of, read_back
from .public import shape_of
from .tree_answers import Answers, answers_of
from .tree_attributes import read_node
from .tree_edges import Taken, takes_missing, trees_of
from .tree_nodes import TreeNode
from .weights import Backwards, Weights

ReadAffine = Callable[[ModelProto, Any], tuple[LinearMap, OnnxModel]]
"""read(model, labels): a model whose inputs are the sums of trees."""

Part = tuple[TreeNode, Taken]
"""A node of trees, and what it takes."""

_PROBABILITIES = "modified_huber"


def read_trees(model: ModelProto, labels: Any, read_affine: ReadAffine) -> tuple[LinearMap, OnnxTrees]:
    """A simplified model with trees, as :func:`~hermetic.compiler.onnx.reading.read_onnx`.

    Raises
    ------
    UnsupportedModelError
        Where trees do not take values of single inputs each, or their sums do not alone tell the answer.
    """
    split = _apart(model)
    before = Graph(split.before, kind_of, shape_of)
    _check_steps(before)
    read = [read_node(one, before.values[one.input[0]]) for one in split.trees]
    opset = {one.domain: one.version for one in split.after.opset_import}[""]
    answers = [answers_of(one, opset, alone=len(read) == 1) for one in read]
    last, own = read_affine(_with(split.after, answers, read), labels)
    taken = [_taken(before, one.node.input[0]) for one in read]
    parts = list(zip(read, taken, strict=True))
    if last.head.link == _PROBABILITIES:
        last = replace(last, head=replace(last.head, method="predict_proba"))
    found = last.after(_trees(before, parts))
    alone = len(before.inputs) > 1 and all(one.columns == 1 for one in before.inputs)
    columns = tuple(one.name for one in before.inputs) if alone else None
    return replace(found, feature_names=columns), OnnxTrees(before.inputs, parts, own, last.head)


class OnnxTrees:
    """An ONNX model of trees as an estimator, which the compiled model must equal: trees are walked from node to node.

    The reference implementation that is part of onnx has no trees in float64, and no links of trees of opset 5.
    """

    def __init__(self, inputs: Sequence[Input], parts: Sequence[Part], own: OnnxModel, head: Head) -> None:
        self._inputs, self._parts, self._own, self._head = inputs, parts, own, head

    def decision_function(self, X: Any) -> Reals:
        """The scores (n, k), or (n,) of one."""
        return self._own.decision_function(self._sums(X))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels, or a regression's values."""
        if self._head.method == "predict_proba" and self._head.labels is not None:
            return np.asarray(self._head.labels[self.predict_proba(X).argmax(axis=1)])
        return self._own.predict(self._sums(X))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes), in the precision of the model."""
        return self._own.predict_proba(self._sums(X))

    def _sums(self, X: Any) -> Reals:
        rows = np.asarray(X)
        check_whole(self._inputs, rows)
        return np.concatenate([one.scores(taken.compute(rows)) for one, taken in self._parts], axis=1)


@dataclass(frozen=True)
class _Parts:
    """A model in parts: what gives each node of trees its input, these nodes, and what takes their outputs."""

    before: ModelProto
    trees: list[NodeProto]
    after: ModelProto


def _apart(model: ModelProto) -> _Parts:
    graph = model.graph
    inputs = {one.name for one in graph.input} - {one.name for one in graph.initializer}
    of_inputs, of_trees = set(inputs), set[str]()
    before, trees, after = [], [], []
    for node in graph.node:
        on_inputs, on_trees = (not each.isdisjoint(node.input) for each in (of_inputs, of_trees))
        if on_trees and (on_inputs or is_trees(node)):
            raise _refusal(node, "takes sums of trees together with inputs, or in trees again")
        if is_trees(node) and on_inputs:
            trees.append(node)
            of_trees.update(node.output)
            continue
        of_inputs.update(node.output if on_inputs else ())
        of_trees.update(node.output if on_trees else ())
        before += [] if on_trees else [node]
        after += [] if on_inputs else [node]
    given = {one.name for one in graph.output}
    if given & of_inputs:
        raise _refusal(trees[0], f"stands beside the output {min(given & of_inputs)!r}, which comes from inputs alone")
    ends = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(one.input[0] for one in trees)]
    opsets = list(model.opset_import)
    opsets += [] if any(one.domain == "" for one in opsets) else [helper.make_opsetid("", 13)]
    return _Parts(
        _model(_plain(before), graph.input, ends, graph.initializer, opsets),
        trees,
        _model(after, [], graph.output, graph.initializer, opsets),
    )


def _refusal(node: NodeProto, does: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"a model of trees must make its answers of their sums alone. Node {node.name!r} ({node.op_type}) {does}: "
        f"{CONVERTED}."
    )


def _model(nodes: Any, inputs: Any, outputs: Any, constants: Any, opsets: Any) -> ModelProto:
    graph: GraphProto = helper.make_graph(list(nodes), "part", list(inputs), list(outputs), list(constants))
    return helper.make_model(graph, opset_imports=opsets)


def _plain(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Nodes without those that the reference implementation computes otherwise than in the type of their input."""
    return [each for node in nodes for each in (_scaler(node) if node.op_type == "Scaler" else [node])]


def _scaler(node: NodeProto) -> list[NodeProto]:
    """(x - offset)·scale in float32, one after the other."""
    given, found, last = attributes(node), [], node.input[0]
    for kind, name, end in (("Sub", "offset", f"{node.output[0]}/moved"), ("Mul", "scale", node.output[0])):
        constant = f"{node.output[0]}/{name}"
        value = numpy_helper.from_array(np.array(given[name], dtype=np.float32))
        found.append(helper.make_node("Constant", [], [constant], name=constant, value=value))
        found.append(helper.make_node(kind, [last, constant], [end], name=f"{node.name}/{kind}"))
        last = end
    return found


def _with(after: ModelProto, answers: Sequence[Answers], read: Sequence[TreeNode]) -> ModelProto:
    """What takes the sums, with what the nodes of trees make of them."""
    inputs = [
        helper.make_tensor_value_info(one.sums, one.dtype, ["n", len(node.base)])
        for one, node in zip(answers, read, strict=True)
    ]
    nodes = [node for answer in answers for node in answer.nodes]
    constants = [constant for answer in answers for constant in answer.constants]
    graph = after.graph
    return _model(
        [*nodes, *graph.node], inputs, graph.output, [*constants, *graph.initializer], list(after.opset_import)
    )


def _check_steps(before: Graph) -> None:
    """Refuse what does more than to move, scale or impute values."""
    unread = [*before.head, *(one.node for one in before.public if not _imputes_missing(one.node))]
    if unread:
        raise UnsupportedModelError(
            "what stands before trees must take inputs one by one, to scale, move or impute them. Node "
            f"{unread[0].name!r} ({unread[0].op_type}) does not: {CONVERTED}, which makes it a public step."
        )


def _taken(before: Graph, name: str) -> Taken:
    """What a node of trees takes, which must be values of inputs each."""
    width = before.values[name].size // ROWS
    found = _weights(before, name, width)
    if (np.count_nonzero(found, axis=1) > 1).any():
        raise UnsupportedModelError(
            f"what stands before trees must take inputs one by one. Tensor {name!r} mixes them: {CONVERTED}."
        )
    columns = np.abs(found).argmax(axis=1)
    signs = np.sign(found[np.arange(width), columns]).astype(np.int64)
    limits = [_limits(one) for one in before.inputs for _ in range(one.columns)]
    reals = np.array([one.dtype.kind == "f" for one in before.inputs for _ in range(one.columns)])
    low, high = (np.array(each) for each in zip(*limits, strict=True))
    return Taken(_computing(before, name), columns, signs, found.shape[1], (low, high), reals)


def _imputes_missing(node: NodeProto) -> bool:
    given = attributes(node)
    return node.op_type == "Imputer" and bool(np.isnan(given.get("replaced_value_float", 0.0)))


def _weights(before: Graph, name: str, width: int) -> Reals:
    """Those of the tensor's values on inputs, as if no value were missing."""
    back = Backwards({name: Weights(np.eye(width), np.eye(width))}, width)
    order = {node.output[0]: place for place, node in enumerate(before.model.graph.node)}
    steps = sorted([*before.steps, *before.public], key=lambda one: order[one.node.output[0]])
    for step in reversed(steps):
        if step in before.public:
            passed = back.weights.pop(step.node.output[0], None)
            if passed is not None:
                back.give(step, 0, passed)
        else:
            read_back(step, back)
    zeros = [np.zeros((width, one.columns)) for one in before.inputs]
    own = [back.weights.get(one.name) for one in before.inputs]
    return np.concatenate([z if one is None else one.values for z, one in zip(zeros, own, strict=True)], axis=1)


def _limits(one: Input) -> tuple[float, float]:
    """The least and the largest number of an input."""
    if one.dtype.kind == "f":
        return -LARGEST, LARGEST
    if one.dtype.kind not in "iu":
        raise UnsupportedModelError(f"inputs of trees must be numbers. Input {one.name!r} has {one.dtype}.")
    known = np.iinfo(one.dtype)
    return max(float(known.min), -(2.0**62)), min(float(known.max), 2.0**62)


def _computing(before: Graph, name: str) -> Callable[[Array], Array]:
    own = before.model.graph
    end = [helper.make_empty_tensor_value_info(name)]
    evaluator = ReferenceEvaluator(_model(own.node, own.input, end, own.initializer, before.model.opset_import))

    def compute(X: Array) -> Array:
        with np.errstate(all="ignore"):
            (found,) = evaluator.run(None, {one.name: one.taken(X) for one in before.inputs})
            return np.asarray(found)

    return compute


def _trees(before: Graph, parts: Sequence[Part]) -> LinearMap:
    """The sums of all nodes, one after the other."""
    missing = np.any([takes_missing(one, taken) for one, taken in parts], axis=0)
    outputs = [len(one.base) for one, _ in parts]
    starts = np.cumsum([0, *outputs])
    bias = np.concatenate([one.base for one, _ in parts])
    trees: list[Tree] = []
    mixed = any(tree.values.shape[1] > 1 for one, _ in parts for tree in one.trees)
    for start, (one, taken) in zip(starts.tolist(), parts, strict=False):
        for tree in trees_of(one, taken, missing=missing):
            values, output = tree.values, start + tree.output
            if mixed:
                values = _placed(values, start if values.shape[1] > 1 else output, len(bias))
            trees.append(replace(tree, values=values, output=0 if mixed and len(bias) > 1 else output))
    unit = max(FLOAT32 if one.dtype == np.float32 else FLOAT64 for one, _ in parts)
    step = parts[0][0].node.op_type.lower()
    inputs = sum(one.columns for one in before.inputs)
    return map_of_trees(trees, bias, inputs, Head("transform"), step=step, unit=unit)


def _placed(values: Reals, start: int, outputs: int) -> Reals:
    found = np.zeros((len(values), outputs))
    found[:, start : start + values.shape[1]] = values
    return found
