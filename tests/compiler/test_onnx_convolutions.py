"""ONNX models with convolutions, as PyTorch and Keras export them: encrypted answers beside onnx's own evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import hermetic
from hermetic.errors import UnsupportedModelError

RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0, 1, (400, 36))
SQUARE = helper.make_node("Mul", ["c", "c"], ["h"])
FLATTEN = helper.make_node("Flatten", ["h"], ["f"])


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def graph(nodes: list[Any], shape: tuple[int, ...], outputs: int = 3, **weights: Any) -> ModelProto:
    """A model of x (n, *shape) and its output y (n, outputs); its last layer is made to fit."""
    values = {"to": np.array([-1, 1, 6, 6]), **weights}
    given = [
        numpy_helper.from_array(one.astype(np.float32) if one.dtype.kind == "f" else one, name)
        for name, one in values.items()
    ]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *sizes])
        for name, sizes in (("x", shape), ("y", (outputs,)))
    )
    made = helper.make_graph([*nodes, node("MatMul", "f w", "y")], "g", [x], [y], given)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def random(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape) / 3


def models() -> dict[str, tuple[ModelProto, str]]:
    """Models by name, and the hidden layer that each has."""
    reshaped, pooled = node("Reshape", "x to", "i"), node("AveragePool", "h", "p", kernel_shape=[2, 2], strides=[2, 2])
    return {
        "square, averaged": (
            graph(
                [reshaped, node("Conv", "i k b", "c"), SQUARE, pooled, node("Flatten", "p", "f")],
                (36,), k=random(4, 1, 3, 3), b=random(4), w=random(16, 3),
            ),
            "a convolution of 3x3 at 4x4 places",
        ),
        "normalised, padded, moving by two": (
            graph(
                [
                    node("Conv", "x k", "n", pads=[1, 1, 1, 1], strides=[2, 2]),
                    node("BatchNormalization", "n s b m v", "c"),
                    SQUARE,
                    FLATTEN,
                ],
                (1, 6, 6), k=random(5, 1, 2, 2), s=random(5), b=random(5), m=random(5), v=random(5) ** 2,
                w=random(80, 3),
            ),
            "a convolution of 2x2 at 4x4 places",
        ),
        "groups, taps apart": (
            graph(
                [node("Conv", "x k b", "c", group=2, dilations=[1, 2]), SQUARE, FLATTEN],
                (2, 3, 6), k=random(4, 1, 2, 2), b=random(4), w=random(32, 3),
            ),
            "a convolution of 2x3 at 2x4 places",
        ),
        "averaged before": (
            graph(
                [
                    node("Conv", "x k", "a"),
                    node("AveragePool", "a", "c", kernel_shape=[2, 2], pads=[1, 1, 1, 1], strides=[2, 2]),
                    SQUARE,
                    FLATTEN,
                ],
                (1, 6, 6), k=random(3, 1, 3, 3), w=random(27, 3),
            ),
            "a convolution of 4x4 at 3x3 places",
        ),
        "channels last, global average": (
            graph(
                [
                    node("Transpose", "x", "i", perm=[0, 3, 1, 2]),
                    node("Conv", "i k b", "c"),
                    node("Relu", "c", "h"),
                    node("GlobalAveragePool", "h", "p"),
                    node("Flatten", "p", "f"),
                ],
                (6, 6, 1), k=random(4, 1, 3, 3), b=random(4), w=random(4, 3),
            ),
            "a convolution of 3x3 at 4x4 places",
        ),
        "channels last, two of them": (
            graph(
                [
                    node("Transpose", "x", "i", perm=[0, 3, 1, 2]),
                    node("Conv", "i k", "c"),
                    SQUARE,
                    node("Transpose", "h", "t", perm=[0, 2, 3, 1]),
                    node("Flatten", "t", "f"),
                ],
                (3, 6, 2), k=random(2, 2, 2, 2), w=random(20, 3),
            ),
            "dense",
        ),
    }  # fmt: skip


MODELS = models()


@pytest.mark.parametrize("name", MODELS)
def test_a_convolution_is_answered_within_its_error(name: str) -> None:
    model, layer = MODELS[name]
    compiled = hermetic.compile(model, X, input_range=(0, 1))
    assert compiled.signature.circuit.descriptions["network"].split(", ")[1] == layer
    client = hermetic.Client(compiled.signature)
    found = client.decrypt(compiled.evaluate(client.encrypt(X[:4]), client.public_key))
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    own = ReferenceEvaluator(model).run(None, {"x": X[:4].astype(np.float32).reshape(4, *shape)})[0]
    assert np.abs(found - own).max() <= compiled.signature.error


def test_a_convolution_without_an_activation_is_linear() -> None:
    nodes = [node("Conv", "x k", "h"), FLATTEN]
    compiled = hermetic.compile(graph(nodes, (1, 6, 6), k=random(2, 1, 3, 3), w=random(32, 3)), input_range=(0, 1))
    assert compiled.signature.circuit.kind == "linear"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auto_pad": "SAME_UPPER"}, r"must have as many zeros on both sides of the image.*Got auto_pad=SAME_UPPER"),
        ({"pads": [0, 0, 1, 1]}, r"must have as many zeros on both sides of the image.*Got pads=\[0, 0, 1, 1\]"),
    ],
)
def test_what_is_not_a_window_is_refused_with_words(options: dict[str, Any], words: str) -> None:
    nodes = [node("Conv", "x k", "c", **options), SQUARE, FLATTEN]
    with pytest.raises(UnsupportedModelError, match=words):
        hermetic.compile(graph(nodes, (1, 6, 6), k=random(1, 1, 2, 2), w=random(36, 3)), X)


def test_windows_that_are_not_whole_are_refused() -> None:
    pooled = node("AveragePool", "h", "p", kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1)
    nodes = [node("Conv", "x k", "c"), SQUARE, pooled, node("Flatten", "p", "f")]
    with pytest.raises(UnsupportedModelError, match=r"must have whole windows.*Got ceil_mode"):
        hermetic.compile(graph(nodes, (1, 6, 6), k=random(1, 1, 3, 3), w=random(4, 3)), X)


def test_images_of_one_dimension_are_refused() -> None:
    nodes = [node("Conv", "x k", "c"), SQUARE, FLATTEN]
    with pytest.raises(UnsupportedModelError, match=r"must take channels, rows and columns.*Got 2 axes"):
        hermetic.compile(graph(nodes, (1, 36), k=random(1, 1, 3), w=random(34, 3)), X)
