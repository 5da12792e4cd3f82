"""Operators that are not affine, but public where they stand on inputs as they come: the client computes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto

from ...arrays import Reals
from ...errors import ParameterError, UnsupportedModelError
from ...features import Bins, Block, Categories, Columns
from ...features.impute import Impute
from ..disclosure import Disclosure
from .files import attributes
from .graph import ROWS, Array, Step

PUBLIC = {
    "Imputer": "what stands for missing values becomes public",
    "OneHotEncoder": "the categories become public",
}
"""The operators, with what they publish in words."""


@dataclass(frozen=True, eq=False)
class PublicFeatures:
    """What a node computes: blocks of all d inputs, side by side; ``places`` says which of their features each value of
    the node is.
    """

    blocks: tuple[Block, ...]
    categories: dict[int, Categories]
    places: Array
    publication: Disclosure


def is_public(node: NodeProto) -> bool:
    """Whether a node may be computed by the client."""
    return node.op_type in PUBLIC and node.domain == "ai.onnx.ml"


def shape_of(node: NodeProto, given: Array) -> Array:
    """Something of the shape that a public node gives; it is not run, since it may refuse what it does not know."""
    if node.op_type == "Imputer":
        return np.zeros_like(given)
    return np.zeros((*given.shape, len(_values(node))), dtype=np.float32)


def read_public(step: Step, columns: Sequence[int], inputs: int) -> PublicFeatures:
    """A public node that takes these of the model's inputs.

    Raises
    ------
    UnsupportedModelError
        If its parameters cannot be those of public features.
    """
    try:
        if step.node.op_type == "Imputer":
            return _imputer(step.node, columns, inputs)
        return _one_hot(step.node, columns, inputs)
    except ParameterError as error:
        raise UnsupportedModelError(f"node {step.node.name!r} ({step.node.op_type}): {error}") from error


def _one_hot(node: NodeProto, columns: Sequence[int], inputs: int) -> PublicFeatures:
    """Categories as the numbers 1, 2, …, and bins around these; below is what is not known."""
    values = _values(node)
    unknown = 0.0 if attributes(node).get("zeros", 1) else None
    categories = Categories(values, list(range(1, len(values) + 1)), unknown=unknown)
    bins = Bins([[number + 0.5 for number in range(len(values))]])
    each = np.arange(1, len(values) + 1)
    return PublicFeatures(
        tuple(Columns(bins, [column], inputs) for column in columns),
        dict.fromkeys(columns, categories),
        np.concatenate([each + i * (len(values) + 1) for i in range(len(columns))]),
        _publication(node, f"{len(values)} categories of input {', '.join(map(str, columns))}"),
    )


def _imputer(node: NodeProto, columns: Sequence[int], inputs: int) -> PublicFeatures:
    given = attributes(node)
    kind = "int64" if given.get("imputed_value_int64s") else "float"
    values: Reals = np.array(given.get(f"imputed_value_{kind}s", []), dtype=np.float64)
    marker = float(given.get(f"replaced_value_{kind}", 0))
    block = Impute(np.broadcast_to(values, (len(columns),)), math.nan if math.isnan(marker) else marker)
    return PublicFeatures(
        (Columns(block, list(columns), inputs),),
        {},
        np.arange(len(columns)),
        _publication(node, f"{len(columns)} values that stand for missing ones"),
    )


def _publication(node: NodeProto, what: str) -> Disclosure:
    return Disclosure(node.name, what, learned=True, kind=node.op_type.lower())


def _values(node: NodeProto) -> list[str | int]:
    given = attributes(node)
    return [one.decode() for one in given.get("cats_strings", [])] or list(given.get("cats_int64s", []))


def width(step: Step) -> int:
    """Inputs of a public node."""
    return step.array(0).size // ROWS
