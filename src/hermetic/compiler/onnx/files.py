"""ONNX models as they come, from a file or from memory, and in the form that is read here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.inliner
from onnx import ModelProto, NodeProto, TensorProto, helper

from ...errors import CompileError

_MAX_BYTES = 1 << 31
_MAX_NODES = 10_000


def load(source: str | Path | ModelProto) -> ModelProto:
    """Read and check a model.

    Raises
    ------
    CompileError
        If there is no such file, it is not ONNX, larger than 2 GiB or of more than 10,000 nodes, not valid, or keeps
        its weights in other files.
    """
    model, name = (source, "the model") if isinstance(source, ModelProto) else (_read(Path(source)), str(source))
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise CompileError(
            f"{name} must hold its weights itself. They are in other files: load it with onnx.load, and pass what that "
            "gives."
        )
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise CompileError(f"{name} must be a valid ONNX model. It is not: {_first_line(error)}") from error
    if not 1 <= len(model.graph.node) <= _MAX_NODES:
        raise CompileError(f"{name} must have 1 to {_MAX_NODES} nodes. Got {len(model.graph.node)} instead.")
    return model


def _read(path: Path) -> ModelProto:
    if not path.is_file():
        raise CompileError(f"{path} must be an ONNX model. There is no such file.")
    if path.stat().st_size > _MAX_BYTES:
        raise CompileError(f"{path} must have at most 2 GiB. Got {path.stat().st_size} bytes.")
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, which onnx does not wrap
        raise CompileError(f"{path} must be an ONNX model. It does not parse: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def simplified(model: ModelProto) -> ModelProto:
    """The same model with functions inlined, every node named, and linear parts apart from what is made of them.

    A LinearClassifier becomes a LinearRegressor that gives its scores, and a LinearClassifier of these scores alone.
    A ZipMap only names columns, so it becomes an Identity.
    """
    inlined = onnx.inliner.inline_local_functions(model)
    result = ModelProto()
    result.CopyFrom(inlined)
    del result.graph.node[:]
    for number, node in enumerate(inlined.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        result.graph.node.extend(_rewritten(node))
    return result


def _rewritten(node: NodeProto) -> Iterator[NodeProto]:
    if node.op_type == "ZipMap":
        yield helper.make_node("Identity", node.input, node.output, name=node.name)
    elif node.op_type == "LinearClassifier":
        yield from _apart(node, attributes(node))
    elif node.op_type == "LinearRegressor":
        yield _regressor(node, node.output[0], attributes(node))
    else:
        yield node


def _apart(node: NodeProto, given: dict[str, Any]) -> Iterator[NodeProto]:
    scores = f"{node.output[0]}/scores"
    names = given.get("classlabels_ints") or given.get("classlabels_strings") or ()
    targets = len(given.get("intercepts", ())) or len(names)
    yield _regressor(node, scores, {**given, "targets": targets, "post_transform": b"NONE"})
    itself = np.eye(targets).ravel().tolist()
    kept = {"post_transform": b"NONE", **given, "coefficients": itself, "intercepts": [0.0] * targets}
    yield helper.make_node(
        "LinearClassifier", [scores], node.output, name=f"{node.name}/labels", domain=node.domain, **kept
    )


def _regressor(node: NodeProto, output: str, given: dict[str, Any]) -> NodeProto:
    targets = given.get("targets", 1)
    return helper.make_node(
        "LinearRegressor",
        node.input,
        [output],
        name=node.name,
        domain=node.domain,
        coefficients=given["coefficients"],
        intercepts=given.get("intercepts") or [0.0] * targets,
        targets=targets,
        post_transform=given.get("post_transform", b"NONE"),
    )


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node, as Python values."""
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
