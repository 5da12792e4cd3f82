"""ONNX models as they come, from a file or from memory, and in the form that is read here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import onnx.inliner
import onnx.shape_inference
from onnx import ModelProto, NodeProto, TensorProto, helper

from ...errors import CompileError

_MAX_BYTES = 1 << 31
_MAX_NODES = 10_000
_WHOLE = {getattr(TensorProto, f"{sign}INT{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)}
_IN_FLOAT32 = {"FeatureVectorizer", "LinearClassifier", "LinearRegressor", "Normalizer", "Scaler", "SVMRegressor"}
"""Operators of ai.onnx.ml that give float32 for whole numbers."""


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
        raise CompileError(f"{name} must be a valid ONNX model. It is not: {first_line(error)}") from error
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
        raise CompileError(f"{path} must be an ONNX model. It does not parse: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says first, or its type where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def simplified(model: ModelProto) -> ModelProto:
    """The same model with functions inlined, every node named, and linear parts apart from what is made of them.

    A LinearClassifier becomes a LinearRegressor that gives its scores, and a LinearClassifier of these scores alone.
    A ZipMap only names columns, so it becomes an Identity. What computes in float32, whatever it is given, gets whole
    numbers as float32.
    """
    inlined = onnx.inliner.inline_local_functions(model)
    whole = _whole_numbers(inlined)
    result = ModelProto()
    result.CopyFrom(inlined)
    del result.graph.node[:]
    for number, node in enumerate(inlined.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
        if node.op_type in _IN_FLOAT32:
            result.graph.node.extend(_as_reals(node, whole))
        result.graph.node.extend(_rewritten(node))
    return result


def _whole_numbers(model: ModelProto) -> set[str]:
    """The tensors of whole numbers, as far as their types are inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    found = [*graph.input, *graph.value_info, *graph.output]
    return {one.name for one in found if one.type.tensor_type.elem_type in _WHOLE}


def _as_reals(node: NodeProto, whole: set[str]) -> Iterator[NodeProto]:
    """Casts of a node's whole numbers, which it takes then."""
    for place, name in enumerate(node.input):
        if name in whole:
            node.input[place] = f"{node.name}/real/{place}"
            yield helper.make_node(
                "Cast", [name], [node.input[place]], name=f"{node.name}/cast/{place}", to=TensorProto.FLOAT
            )


def _rewritten(node: NodeProto) -> Iterator[NodeProto]:
    if node.op_type == "ZipMap":
        yield helper.make_node("Identity", node.input, node.output, name=node.name)
    elif node.op_type == "LinearClassifier":
        yield from _apart(node, attributes(node))
    elif node.op_type == "SVMRegressor" and _is_linear(attributes(node)):
        yield from _support_vectors(node, attributes(node))
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


def _is_linear(given: dict[str, Any]) -> bool:
    """Whether a support vector machine is a plain regression on scores that are linear."""
    plain = given.get("post_transform", b"NONE") == b"NONE" and not given.get("one_class", 0)
    return plain and given.get("kernel_type", b"LINEAR") == b"LINEAR" and given.get("n_supports", 0) > 0


def _support_vectors(node: NodeProto, given: dict[str, Any]) -> Iterator[NodeProto]:
    """The products with all support vectors, and then a regression of these: as it is computed, so it rounds."""
    products, count = f"{node.output[0]}/products", given["n_supports"]
    first = helper.make_node(node.op_type, node.input, [products], name=f"{node.name}/products", domain=node.domain)
    yield _regressor(first, products, {"coefficients": given["support_vectors"], "targets": count})
    last = helper.make_node(node.op_type, [products], node.output, name=node.name, domain=node.domain)
    yield _regressor(last, node.output[0], {"coefficients": given["coefficients"], "intercepts": given["rho"]})


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
