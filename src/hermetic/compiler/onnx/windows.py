"""Convolutions and averages of ONNX, and what they read of a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...circuits.networks.window import Pair, Window
from ...errors import ParameterError, UnsupportedModelError
from ..windows import composed, whole, window_over
from .graph import ROWS, Array, Graph, Step

MOVING = ("Conv", "AveragePool", "GlobalAveragePool")
"""Operators that move a window over an image."""

_KEEPING = ("Add", "BatchNormalization", "Cast", "Div", "Dropout", "Flatten", "Identity", "Mul", "Reshape", "Sub")
"""Operators after which every value still belongs to its place."""

_SYMMETRIC = ("", "NOTSET", "VALID")


def window_of(step: Step) -> Window:
    """The window of an operator over the image that it takes.

    Raises
    ------
    UnsupportedModelError
        If it is not one of two dimensions, does not fit, or has other zeros on one side than on the other.
    """
    shape = step.array(0).shape[1:]
    if len(shape) != 3:
        raise _refused(step, "must take channels, rows and columns", f"{len(shape)} axes beside that of samples")
    image = (int(shape[0]), int(shape[1]), int(shape[2]))
    if step.node.op_type == "GlobalAveragePool":
        return Window(image, (image[1], image[2]), (1, 1), (0, 0))
    if step.attribute("ceil_mode", 0):
        raise _refused(step, "must have whole windows", "ceil_mode")
    kernel = step.array(1).shape[2:] if step.node.op_type == "Conv" else step.attribute("kernel_shape")
    try:
        return window_over(image, _pair(kernel), _two(step, "strides"), _padding(step), dilation_of(step))
    except ParameterError as error:
        raise UnsupportedModelError(f"node {step.node.name!r} ({step.node.op_type}): {error}") from error


def dilation_of(step: Step) -> Pair:
    """How far apart taps are."""
    return _two(step, "dilations")


def _two(step: Step, name: str) -> Pair:
    return _pair(step.attribute(name) or (1, 1))


def _pair(sizes: Sequence[int]) -> Pair:
    rows, columns = sizes
    return int(rows), int(columns)


def _padding(step: Step) -> Pair:
    automatic = step.attribute("auto_pad", b"").decode()
    pads = list(step.attribute("pads") or (0, 0, 0, 0))
    if automatic not in _SYMMETRIC or pads[:2] != pads[2:]:
        got = f"auto_pad={automatic}" if automatic not in _SYMMETRIC else f"pads={pads}"
        raise _refused(step, "must have as many zeros on both sides of the image", got)
    return int(pads[0]), int(pads[1])


def _refused(step: Step, must: str, got: Any) -> UnsupportedModelError:
    return UnsupportedModelError(f"node {step.node.name!r} ({step.node.op_type}) {must}. Got {got} instead.")


def window_at(graph: Graph, name: str) -> Window | None:
    """What each place of a tensor reads of the model's one input; None if that is not a window over it."""
    if len(graph.inputs) != 1:
        return None
    (given,) = graph.inputs
    numbers: dict[str, Array] = {given.name: _numbers(given.shape)}
    found: dict[str, Window] = {}
    for step in graph.steps:
        _follow(step, numbers, found)
    return found.get(name)


def _follow(step: Step, numbers: dict[str, Array], found: dict[str, Window]) -> None:
    """What a step gives: ``numbers`` of the inputs while they are only moved, and then windows."""
    moving = [name for name, static in zip(step.node.input, step.static, strict=True) if not static]
    if len(moving) != 1:
        return
    (source,), result = moving, step.node.output[0]
    if step.node.op_type in MOVING:
        first = found.get(source) or _image(numbers.get(source))
        if first is not None:
            found[result] = composed(first, window_of(step))
    elif source in found and step.node.op_type in _KEEPING:
        found[result] = found[source]
    elif source in numbers and step.node.op_type not in ("Conv", "MatMul", "Gemm"):
        arrays = [
            numbers[source] if name == source else one for name, one in zip(step.node.input, step.arrays, strict=True)
        ]
        moved = step.run(arrays)
        if moved.shape == step.result.shape and np.array_equal(np.sort(moved[0].ravel()), np.arange(moved[0].size)):
            numbers[result] = moved


def _numbers(shape: tuple[int, ...]) -> Array:
    one = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    return np.broadcast_to(one, (ROWS, *shape)).copy()


def _image(numbers: Array | None) -> Window | None:
    """The window of single values of an image that holds the inputs in their order."""
    if numbers is None or numbers.ndim != 4 or not np.array_equal(numbers[0].ravel(), np.arange(numbers[0].size)):
        return None
    _, channels, rows, columns = numbers.shape
    return whole((channels, rows, columns))
