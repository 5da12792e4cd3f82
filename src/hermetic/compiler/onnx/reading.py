"""An ONNX model as an affine map with a public head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from ...errors import CompileError
from ...quantize import Reals
from ..linear import LinearMap
from .answers import OnnxModel
from .files import load, simplified
from .graph import ROWS, Graph, Input, read_inputs
from .head import check_head, recognise
from .operators import is_affine, read_back
from .weights import Backwards, Weights


def read_onnx(source: str | Path | ModelProto, labels: Any = None) -> tuple[LinearMap, OnnxModel]:
    """Read a model: the map, and the model itself to compare it with. ``labels`` name the classes of a model that has
    no names for them.

    Raises
    ------
    UnsupportedModelError
        For an operator that is not read, naming its node.
    CompileError
        For a file that is broken or missing, or labels that do not fit.
    """
    graph = Graph(simplified(load(source)), is_affine)
    check_head(graph)
    if not graph.scores:
        raise CompileError("the model must compute something from its inputs. Its outputs do not depend on them.")
    back = _read(graph)
    weights = _of_inputs(graph, back)
    kept, expand = _independent(graph, weights.values, back.bias)
    head = recognise(graph, expand)
    head = head if labels is None else head.named(labels, len(kept))
    labelled = head.labels is not None
    linear = LinearMap(
        head.sign * weights.values[kept],
        head.sign * back.bias[kept],
        "decision_function" if labelled else "predict",
        head.link,
        head.labels,
        head.squeeze,
        _names(graph.inputs),
        reach=weights.reach[kept],
        folded=back.folded[kept],
        precision=_precision(graph),
        roundings=back.roundings + 1,
    )
    return linear, OnnxModel(graph, head, kept)


def _read(graph: Graph) -> Backwards:
    """Back from the scores to the inputs."""
    widths = [graph.values[name].size // ROWS for name in graph.scores]
    each = np.split(np.eye(sum(widths)), np.cumsum(widths)[:-1], axis=1)
    back = Backwards({name: Weights(one, one) for name, one in zip(graph.scores, each, strict=True)}, sum(widths))
    for step in reversed(graph.steps):
        read_back(step, back)
    return back


def _of_inputs(graph: Graph, back: Backwards) -> Weights:
    """The weights on X (n, d), column by column."""
    none = np.zeros((len(back.bias), 1))
    each = [back.weights.get(one.name, Weights(none, none)) for one in graph.inputs]
    wide = [
        (np.broadcast_to(one.values, (len(none), own.columns)), np.broadcast_to(one.reach, (len(none), own.columns)))
        for one, own in zip(each, graph.inputs, strict=True)
    ]
    values, reach = (np.concatenate(parts, axis=1) for parts in zip(*wide, strict=True))
    return Weights(values, reach)


def _independent(graph: Graph, weights: Reals, bias: Reals) -> tuple[list[int], Reals]:
    """Which of the m values are scores, k of them, and the matrix (m, k) that makes all of these: the first of two
    values that is the second's negative, as converters write two classes, is left out.
    """
    kept: list[int] = []
    signs: list[tuple[int, int, float]] = []
    start = 0
    for name in graph.scores:
        width = graph.values[name].size // ROWS
        first, second = start, start + 1
        if width == 2 and (weights[first] == -weights[second]).all() and bias[first] == -bias[second]:
            signs += [(first, len(kept), -1.0), (second, len(kept), 1.0)]
            kept.append(second)
        else:
            signs += [(start + i, len(kept) + i, 1.0) for i in range(width)]
            kept += range(start, start + width)
        start += width
    expand = np.zeros((start, len(kept)))
    for row, column, sign in signs:
        expand[row, column] = sign
    return kept, expand


def column_names(source: str | Path | ModelProto) -> tuple[str, ...] | None:
    """The names of a model's columns, where it has several inputs of one column each, as converters of DataFrames write
    them. Raises as :func:`read_onnx`.
    """
    return _names(read_inputs(load(source).graph))


def _names(inputs: tuple[Input, ...]) -> tuple[str, ...] | None:
    alone = len(inputs) > 1 and all(one.columns == 1 for one in inputs)
    return tuple(one.name for one in inputs) if alone else None


def _precision(graph: Graph) -> float:
    """The unit roundoff of the least precise type that the model computes with."""
    types = {graph.values[name].dtype for name in graph.scores} | {step.result.dtype for step in graph.steps}
    return max((float(np.finfo(one).eps) / 2 for one in types if one.kind == "f"), default=2.0**-53)
