"""An ONNX graph, sorted into what does not depend on the inputs, what is affine in them, and what is made of that.

Every node up to the scores is run once on a few samples, so that shapes are those that the model itself gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ...circuits.linear.public import MAX_FEATURES
from ...errors import CompileError, UnsupportedModelError
from .files import attributes, first_line

CONVERTED = "where a fitted estimator was converted, compile that"
"""Advice that holds for whatever a converter wrote."""

ROWS = 13
"""Samples that nodes are run on: a prime that a model's own sizes will hardly be mistaken for."""

_NAMING = {"ArrayFeatureExtractor", "Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"}
"""Operators with which models give their values to outputs, by another name or column by column."""

Array = npt.NDArray[Any]
Kind = Literal["moves", "affine", "public"] | None
"""A node that gives values of its inputs as they are, is affine in them, may be computed by clients, or is neither."""

KindOf = Callable[[NodeProto, Sequence[bool], "Sequence[Array | None]"], Kind]
"""kind_of(node, static, arrays): the kind of a node with such inputs, static ones among them."""

ShapeOf = Callable[[NodeProto, Array], Array]
"""shape_of(node, given): an array of the shape that a public node gives."""


@dataclass(frozen=True)
class Input:
    """An input of the graph: columns of X, row by row where ``shape``, that of one sample, has several axes."""

    name: str
    dtype: np.dtype[Any]
    start: int
    shape: tuple[int, ...]

    @property
    def columns(self) -> int:
        return math.prod(self.shape)

    def taken(self, X: Array) -> Array:
        """This input's columns of X (n, d), as the model takes them."""
        return X[:, self.start : self.start + self.columns].astype(self.dtype).reshape(-1, *self.shape)

    def blank(self) -> Array:
        """ROWS samples of nothing."""
        empty: Any = "" if self.dtype.kind == "O" else 0
        return np.full((ROWS, *self.shape), empty, dtype=self.dtype)


@dataclass(frozen=True, eq=False)
class Step:
    """A node that is affine in the inputs, and the arrays that go in and out for ROWS samples."""

    node: NodeProto
    opsets: dict[str, int]
    arrays: tuple[Array | None, ...]
    static: tuple[bool, ...]
    result: Array

    def attribute(self, name: str, default: Any = None) -> Any:
        return attributes(self.node).get(name, default)

    def array(self, i: int) -> Array:
        """Input i.

        Raises
        ------
        UnsupportedModelError
            If it was left out.
        """
        found = self.arrays[i] if i < len(self.arrays) else None
        if found is None:
            raise UnsupportedModelError(f"node {self.node.name!r} ({self.node.op_type}) must have an input {i}.")
        return found

    def run(self, arrays: Sequence[Array | None]) -> Array:
        """The node's first output for other arrays."""
        return run(self.node, self.opsets, arrays)[0]


def read_inputs(graph: GraphProto) -> tuple[Input, ...]:
    """The inputs of a graph, as columns of X one after the other.

    Raises
    ------
    UnsupportedModelError
        If one is not of shape (any number of samples, columns).
    """
    weights = {one.name for one in graph.initializer}
    found: list[Input] = []
    for one in graph.input:
        if one.name in weights:
            continue
        kind = one.type.tensor_type
        sizes = [size.dim_value for size in kind.shape.dim]
        known = one.type.HasField("tensor_type") and len(sizes) > 1 and all(size > 0 for size in sizes[1:])
        if not known or sizes[0] > 0:
            shape = ", ".join(str(size) if size > 0 else "any" for size in sizes)
            raise UnsupportedModelError(
                f"every input of the model must have a shape (any number of samples, columns). Input {one.name!r} has "
                f"({shape}): export the model with a dynamic first axis, and the others fixed."
            )
        start = found[-1].start + found[-1].columns if found else 0
        text = kind.elem_type == TensorProto.STRING
        dtype = np.dtype(object) if text else helper.tensor_dtype_to_np_dtype(kind.elem_type)
        found.append(Input(one.name, dtype, start, tuple(sizes[1:])))
    if not found or found[-1].start + found[-1].columns > MAX_FEATURES:
        raise CompileError(f"the model must have inputs, of at most {MAX_FEATURES} columns together.")
    return tuple(found)


def run(node: NodeProto, opsets: dict[str, int], arrays: Sequence[Array | None]) -> list[Array]:
    """What a node gives for its inputs, by the reference implementation that is part of onnx."""
    feeds = {name: array for name, array in zip(node.input, arrays, strict=True) if name}
    inputs, outputs = (
        [helper.make_empty_tensor_value_info(name) for name in names if name] for names in (feeds, node.output)
    )
    # A node alone would be run as its latest version.
    graph = helper.make_graph([node], node.op_type, inputs, outputs)
    try:
        with np.errstate(all="ignore"):
            return list(ReferenceEvaluator(graph, opsets=opsets).run(None, feeds))
    except Exception as error:  # whatever an operator raises on what a broken model gives it
        why = first_line(error)
        raise CompileError(f"node {node.name!r} ({node.op_type}) must run. It fails: {why}") from error


class Graph:
    """The nodes that the outputs need, sorted.

    Attributes
    ----------
    inputs
        Columns of X.
    values
        Every tensor up to the scores, for ROWS samples.
    steps
        Nodes that are affine in the inputs and in what public ones give, in the order of the graph.
    public
        Nodes that clients compute from inputs as they come.
    head
        Nodes that are not, or come after one.
    scores
        Names of the affine tensors that the head or the caller takes.
    """

    def __init__(self, model: ModelProto, kind_of: KindOf, shape_of: ShapeOf) -> None:
        self.model = model
        self.opsets = {one.domain: one.version for one in model.opset_import}
        self.inputs = read_inputs(model.graph)
        self.outputs = [one.name for one in model.graph.output]
        self.values: dict[str, Array] = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self.static: set[str] = set(self.values)
        self.steps: list[Step] = []
        self.public: list[Step] = []
        self.head: list[NodeProto] = []
        self.values.update((one.name, one.blank()) for one in self.inputs)
        self._raw = {one.name for one in self.inputs}
        self._used = _used(model.graph)
        self._kind_of, self._shape_of = kind_of, shape_of
        for node in _needed(model.graph):
            self._place(node)
        taken = [name for node in self.head for name in node.input] + self.outputs
        self.scores = [name for name in dict.fromkeys(taken) if name in self.values and name not in self.static]

    def _place(self, node: NodeProto) -> None:
        known = all(not name or name in self.values for name in node.input)
        static = tuple(not name or name in self.static for name in node.input)
        arrays = tuple(self.values.get(name) for name in node.input) if known else ()
        raw = all(one or name in self._raw for name, one in zip(node.input, static, strict=True))
        kind = self._kind_of(node, static, arrays) if known else None
        if known and _is_static(node, static):
            self._keep(node, run(node, self.opsets, arrays))
            self.static.update(node.output)
        elif kind == "public" and raw and arrays[0] is not None:
            result = self._shape_of(node, arrays[0])
            self._keep(node, [result])
            self.public.append(Step(node, self.opsets, arrays, static, result))
        elif kind in ("moves", "affine") and not self._only_names(node):
            found = run(node, self.opsets, arrays)
            self._keep(node, found)
            self._raw.update(node.output if kind == "moves" and raw else ())
            self.steps.append(Step(node, self.opsets, arrays, static, _samples_first(node, found[0])))
        else:
            self.head.append(node)

    def _only_names(self, node: NodeProto) -> bool:
        """Whether a node only gives values to the outputs, of a tensor that other nodes compute with."""
        shared = node.op_type in _NAMING and node.input[0] in self._used - self._raw
        return shared and self._used.isdisjoint(node.output)

    def _keep(self, node: NodeProto, arrays: Iterable[Array]) -> None:
        self.values.update((name, array) for name, array in zip(node.output, arrays, strict=False) if name)


def _used(graph: GraphProto) -> set[str]:
    """The tensors that some node computes with: it does more than to give their values to the outputs."""
    found: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type not in _NAMING or not found.isdisjoint(node.output):
            found.update(node.input)
    return found


def _is_static(node: NodeProto, static: Sequence[bool]) -> bool:
    chance = node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial")
    return not chance and (node.op_type in ("Shape", "Size") or all(static))


def _samples_first(node: NodeProto, result: Array) -> Array:
    if result.ndim == 0 or len(result) != ROWS:
        moved = ROWS in result.shape
        instead = f"let them stay along it; {CONVERTED}" if moved else "export the model with a dynamic first axis"
        raise UnsupportedModelError(
            f"node {node.name!r} ({node.op_type}) must keep samples apart, along the first axis. It gives shape "
            f"{result.shape} for {ROWS} samples: {instead}."
        )
    return result


def _needed(graph: GraphProto) -> list[NodeProto]:
    """The nodes that the outputs are made with."""
    wanted, found = {one.name for one in graph.output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]
