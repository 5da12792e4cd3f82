"""The operators that are read: affine ones one by one, those of the head by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto

from ...arrays import Reals
from ...errors import UnsupportedModelError
from ..windows import average, convolution
from .files import attributes
from .graph import ROWS, Array, Kind, Step
from .public import is_public
from .weights import Backwards, Weights, constant, mixes, origins
from .windows import dilation_of, window_of

Apply = Callable[[Step, Weights, Backwards], int]
"""apply(step, weights, back): hand the weights on what a step gives on to what it takes; how often it rounds."""

Fits = Callable[[NodeProto, Sequence[bool], Sequence[Array | None]], bool]
"""fits(node, static, arrays): whether a node with such inputs is affine in those that are not static."""


@dataclass(frozen=True)
class Rule:
    """How an operator is read; ``moves``: it gives values of its inputs as they are."""

    fits: Fits
    apply: Apply
    moves: bool = False


RULES: dict[str, Rule] = {}

_SHAPING = ["ArrayFeatureExtractor", "Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split"]
_SHAPING += ["Squeeze", "Unsqueeze"]
_COMPUTING = ["Abs", "Add", "Clip", "Div", "Exp", "Log", "LogSoftmax", "LpNormalization", "Max", "Min", "Mul", "Neg"]
_COMPUTING += ["Normalizer", "Reciprocal", "ReduceL1", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"]
_COMPUTING += ["ReduceMin", "ReduceSum", "Sigmoid", "Sign", "Softmax", "Sub", "Sum"]
_CHOOSING = ["And", "ArgMax", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "LinearClassifier", "Not"]
_CHOOSING += ["Or", "Where"]

HEAD = frozenset([*_SHAPING, *_COMPUTING, *_CHOOSING])
"""What may stand after the scores, where it makes one of the links of them."""

TREES = frozenset(["TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"])
"""Ensembles of trees."""

DOCS = "docs/supported-models.md"
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_REALS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_WHOLE = (TensorProto.INT64, TensorProto.INT32)


def is_trees(node: NodeProto) -> bool:
    """Whether a node is an ensemble of trees."""
    return node.op_type in TREES and node.domain == "ai.onnx.ml"


def kind_of(node: NodeProto, static: Sequence[bool], arrays: Sequence[Array | None]) -> Kind:
    """What a node is for those of its inputs that are not static."""
    if is_public(node):
        return "public"
    rule = RULES.get(node.op_type)
    if rule is None or node.domain not in DOMAINS or not rule.fits(node, static, arrays):
        return None
    return "moves" if rule.moves else "affine"


def read_back(step: Step, back: Backwards) -> None:
    """Replace the weights on what a step gives by weights on what it takes."""
    weights = back.weights.pop(step.node.output[0], None)
    if weights is not None:
        back.roundings += RULES[step.node.op_type].apply(step, weights, back)


def _only(*depending: int) -> Fits:
    """Operators that are affine in inputs of these numbers, if all others are static."""

    def fits(node: NodeProto, static: Sequence[bool], arrays: Sequence[Array | None]) -> bool:
        numbers = [i for i, one in enumerate(static) if not one]
        return numbers != [] and all(i in depending for i in numbers)

    return fits


def _one(node: NodeProto, static: Sequence[bool], arrays: Sequence[Array | None]) -> bool:
    return list(static).count(False) == 1


def _any(node: NodeProto, static: Sequence[bool], arrays: Sequence[Array | None]) -> bool:
    return True


def _enter(names: str, fits: Fits, *, moves: bool = False) -> Callable[[Apply], Apply]:
    def enter(apply: Apply) -> Apply:
        RULES.update((name, Rule(fits, apply, moves)) for name in names.split())
        return apply

    return enter


_MOVES = "ArrayFeatureExtractor Expand Flatten Gather Identity Reshape Slice Squeeze Transpose Unsqueeze"


@_enter(_MOVES, _only(0), moves=True)
def _moved(step: Step, weights: Weights, back: Backwards) -> int:
    """Values move around: the node is run on the numbers of its input's values, which tells where."""
    return _moved_from(step, weights, back, [0])


@_enter("Concat FeatureVectorizer", _any, moves=True)
def _joined(step: Step, weights: Weights, back: Backwards) -> int:
    return _moved_from(step, weights, back, range(len(step.node.input)))


def _moved_from(step: Step, weights: Weights, back: Backwards, data: Sequence[int]) -> int:
    arrays, first = list(step.arrays), 0
    starts = {}
    for i in data:
        starts[i], size = first, step.array(i).size
        arrays[i] = np.arange(first, first + size, dtype=np.float64).reshape(step.array(i).shape)
        first += size
    numbers = np.rint(step.run(arrays)).astype(np.int64)
    for i, start in starts.items():
        width = step.array(i).size // ROWS
        back.give(step, i, weights.gathered(origins(step, numbers - start, width), width))
    return 0


def _cast_fits(node: NodeProto, static: Sequence[bool], arrays: Sequence[Array | None]) -> bool:
    kind, to = "O" if arrays[0] is None else arrays[0].dtype.kind, attributes(node)["to"]
    if kind == "O":
        return bool(to == TensorProto.STRING)
    return to in _REALS or (to in _WHOLE and kind in "biu")


@_enter("Cast", _cast_fits, moves=True)
def _cast(step: Step, weights: Weights, back: Backwards) -> int:
    back.give(step, 0, weights)
    return 1


@_enter("Dropout", _only(0), moves=True)
def _dropout(step: Step, weights: Weights, back: Backwards) -> int:
    """The identity, outside of training."""
    training = step.arrays[2] if len(step.arrays) > 2 else None
    if training is not None and training.any():
        _refuse(step, "is in training mode", "export the model in inference mode")
    back.give(step, 0, weights)
    return 0


@_enter("Add Sum", _any)
def _sum(step: Step, weights: Weights, back: Backwards) -> int:
    for i in range(len(step.arrays)):
        _give_broadcast(step, i, weights, back)
    return len(step.arrays)


@_enter("Sub", _any)
def _difference(step: Step, weights: Weights, back: Backwards) -> int:
    _give_broadcast(step, 0, weights, back)
    _give_broadcast(step, 1, weights.scaled(-1.0), back)
    return 1


@_enter("Neg", _any)
def _negative(step: Step, weights: Weights, back: Backwards) -> int:
    back.give(step, 0, weights.scaled(-1.0))
    return 0


@_enter("Mul", _one)
def _product(step: Step, weights: Weights, back: Backwards) -> int:
    x = step.static.index(False)
    _give_broadcast(step, x, weights.scaled(constant(step, 1 - x, step.result.shape)), back)
    return 1


@_enter("Div", _only(0))
def _quotient(step: Step, weights: Weights, back: Backwards) -> int:
    with np.errstate(divide="ignore"):
        factors = 1.0 / constant(step, 1, step.result.shape)
    _give_broadcast(step, 0, weights.scaled(factors), back)
    return 1


def _give_broadcast(step: Step, i: int, weights: Weights, back: Backwards) -> None:
    """Weights on an input that is broadcast to the shape of the output."""
    if step.static[i]:
        back.shift(weights, constant(step, i, step.result.shape))
        return
    own = step.array(i)
    numbers = np.broadcast_to(np.arange(own.size).reshape(own.shape), step.result.shape)
    width = own.size // ROWS
    back.give(step, i, weights.gathered(origins(step, numbers, width), width))


@_enter("ReduceMean ReduceSum", _only(0))
def _reduced(step: Step, weights: Weights, back: Backwards) -> int:
    """Sums or means along axes of a sample, which are an attribute or, in later opsets, an input."""
    shape = step.array(0).shape
    given = step.attribute("axes") if len(step.arrays) < 2 or step.arrays[1] is None else step.array(1).tolist()
    axes = {axis % len(shape) for axis in given or ()}
    if 0 in axes:
        raise mixes(step)
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)][1:]
    places = np.broadcast_to(np.arange(math.prod(kept)).reshape(kept), shape[1:]).ravel()
    count = len(places) // math.prod(kept)
    share = 1.0 if step.node.op_type == "ReduceSum" else 1.0 / count
    back.give(step, 0, Weights(weights.values[:, places], weights.reach[:, places]).scaled(share))
    return count


@_enter("MatMul", _only(0))
def _matrix_product(step: Step, weights: Weights, back: Backwards) -> int:
    matrix = step.array(1).astype(np.float64)
    if step.array(0).ndim < 2 or matrix.ndim > 2:
        _refuse(step, "multiplies stacks of matrices", "multiply by one matrix")
    back.give(step, 0, weights.through(matrix if matrix.ndim == 2 else matrix[:, None]))
    return len(matrix) + 1


@_enter("Gemm", _only(0, 2))
def _affine(step: Step, weights: Weights, back: Backwards) -> int:
    """alpha·x @ B + beta·C."""
    if step.attribute("transA", 0):
        _refuse(step, "has transA", "let samples be rows")
    if step.static[0]:
        _refuse(step, "has no input to multiply", "use Add")
    matrix = step.array(1).astype(np.float64)
    matrix = step.attribute("alpha", 1.0) * (matrix.T if step.attribute("transB", 0) else matrix)
    back.give(step, 0, weights.through(matrix))
    if len(step.arrays) > 2 and step.arrays[2] is not None:
        _give_broadcast(step, 2, weights.scaled(step.attribute("beta", 1.0)), back)
    return len(matrix) + 3


@_enter("Conv", _only(0))
def _convolution(step: Step, weights: Weights, back: Backwards) -> int:
    window, kernel = window_of(step), step.array(1).astype(np.float64)
    if len(step.arrays) > 2 and step.arrays[2] is not None:
        back.shift(weights, np.repeat(step.array(2).astype(np.float64), window.positions))
    matrix = convolution(kernel, window, dilation_of(step), step.attribute("group", 1))
    back.give(step, 0, weights.through(matrix.T))
    return window.taps + 1


@_enter("AveragePool GlobalAveragePool", _only(0))
def _average(step: Step, weights: Weights, back: Backwards) -> int:
    window = window_of(step)
    counted = bool(step.attribute("count_include_pad", 0))
    back.give(step, 0, weights.through(average(window, count_padding=counted).T))
    return window.taps + 1


@_enter("LinearRegressor", _any)
def _regressor(step: Step, weights: Weights, back: Backwards) -> int:
    if step.attribute("post_transform", b"NONE") != b"NONE":
        _refuse(step, "has a post_transform", "export it without, and use an operator of its own")
    matrix = np.array(step.attribute("coefficients")).reshape(step.attribute("targets", 1), -1)
    back.give(step, 0, weights.through(matrix.T))
    back.shift(weights, np.array(step.attribute("intercepts"), dtype=np.float64))
    return matrix.shape[1] + 1


@_enter("Scaler", _any)
def _scaler(step: Step, weights: Weights, back: Backwards) -> int:
    """(x - offset)·scale."""
    width = step.result.size // ROWS
    offset, scale = (_values(step.attribute(name), width) for name in ("offset", "scale"))
    scaled = weights.scaled(scale)
    back.shift(scaled, -offset)
    back.give(step, 0, scaled)
    return 2


@_enter("BatchNormalization", _only(0))
def _normalisation(step: Step, weights: Weights, back: Backwards) -> int:
    """scale·(x - mean)/sqrt(variance + epsilon) + bias for every channel, which is the second axis."""
    if step.attribute("training_mode", 0):
        _refuse(step, "is in training mode", "export the model in inference mode")
    channels = (1, -1, *[1] * (step.result.ndim - 2))
    scale, bias, mean, variance = (
        np.broadcast_to(step.array(i).astype(np.float64).reshape(channels), step.result.shape)[0].ravel()
        for i in range(1, 5)
    )
    scaled = weights.scaled(scale / np.sqrt(variance + step.attribute("epsilon", 1e-5)))
    back.shift(weights, bias)
    back.shift(scaled, -mean)
    back.give(step, 0, scaled)
    return 6


def _values(value: Sequence[float], width: int) -> Reals:
    return np.broadcast_to(np.array(value, dtype=np.float64), (width,))


def _refuse(step: Step, does: str, instead: str) -> None:
    raise UnsupportedModelError(f"node {step.node.name!r} ({step.node.op_type}) {does}, which is not read: {instead}.")
