"""ONNX models: what converters write and what is made by hand, compared with ONNX Runtime, which nobody here wrote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

import hermetic
from hermetic.compiler.onnx import RULES, read_onnx
from known_weights import answered, client_of

Array = npt.NDArray[Any]

FLOWERS, KINDS = load_iris(return_X_y=True)
NAMES = load_iris().target_names[KINDS]
TUMOURS, MALIGNANT = load_breast_cancer(return_X_y=True)

CLASSIFIERS = {
    "two classes": (make_pipeline(StandardScaler(), LogisticRegression()), TUMOURS, MALIGNANT),
    "three classes": (LogisticRegression(), FLOWERS, KINDS),
    "names": (LogisticRegression(), FLOWERS, NAMES),
    "two names": (LogisticRegression(), FLOWERS[:100], NAMES[:100]),
    "support vectors": (LinearSVC(), FLOWERS, KINDS),
    "two classes of support vectors": (make_pipeline(RobustScaler(), LinearSVC()), TUMOURS, MALIGNANT),
    "ridge": (RidgeClassifier(), FLOWERS, KINDS),
    "one versus rest": (OneVsRestClassifier(LogisticRegression()), FLOWERS, KINDS),
    "logistic loss": (make_pipeline(MinMaxScaler(), SGDClassifier(loss="log_loss", random_state=0)), FLOWERS, KINDS),
    "modified Huber loss": (
        make_pipeline(MaxAbsScaler(), SGDClassifier(loss="modified_huber", random_state=0)),
        FLOWERS,
        KINDS,
    ),
    "projection": (make_pipeline(StandardScaler(), PCA(2, whiten=True), LogisticRegression()), FLOWERS, NAMES),
}

REGRESSORS = {
    "ridge": (Ridge(), FLOWERS[:, :3], FLOWERS[:, 3]),
    "support vectors": (make_pipeline(StandardScaler(), LinearSVR(max_iter=20_000)), FLOWERS[:, :3], FLOWERS[:, 3]),
    "two targets": (LinearRegression(), FLOWERS[:, :2], FLOWERS[:, 2:]),
    "counts": (PoissonRegressor(), FLOWERS, KINDS),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "maps": {},
    "tensors": {"options": {"zipmap": False}},
    "columns": {"options": {"zipmap": "columns"}},
    "raw scores": {"options": {"zipmap": False, "raw_scores": True}},
}
"""Ways in which skl2onnx writes what a classifier gives."""


def asked(model: ModelProto, X: Array) -> list[Any]:
    """What ONNX Runtime makes of X, a column of it for each input of one column."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds, start = {}, 0
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    for one in session.get_inputs():
        columns = int(np.prod(one.shape[1:]))
        part = X[:, start : start + columns].astype(kinds.get(one.type, object))
        feeds[one.name] = part.reshape(-1, *one.shape[1:])
        start += columns
    return list(session.run(None, feeds))


@cache
def fitted(kind: str, name: str) -> BaseEstimator:
    estimator, X, y = {"classifier": CLASSIFIERS, "regressor": REGRESSORS}[kind][name]
    return estimator.fit(X.astype(np.float32), y)


def encrypted(model: hermetic.CompiledModel, X: Array) -> tuple[hermetic.Client, hermetic.Result]:
    client = client_of(model)
    return client, answered(model, client, X)


@pytest.mark.parametrize("way", OPTIONS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_converted_classifier_answers_as_in_onnx_runtime(name: str, way: str) -> None:
    _, X, y = CLASSIFIERS[name]
    estimator = fitted("classifier", name)
    if way != "maps" and isinstance(estimator, LinearSVC | RidgeClassifier) is (way != "tensors"):
        return  # has no such form
    try:
        converted = to_onnx(estimator, X[:1].astype(np.float32), **OPTIONS[way])
    except (NameError, RuntimeError) as error:
        assert "option" in str(error).lower()
        return
    model = hermetic.compile(converted, X)
    rows = X[:: len(X) // 12]
    client, result = encrypted(model, rows)
    labels, *numbers = asked(converted, rows)
    assert set(model.signature.labels.tolist()) == set(y.tolist())
    given = columns_of(numbers, model.signature.labels)
    # The converter chooses the first of probabilities that are cut at 1; hermetic and scikit-learn, the largest score.
    ordered = np.sort(given, axis=1)
    sure = np.full(len(rows), True) if given.shape[1] == 1 else ordered[:, -1] > ordered[:, -2]
    assert (client.predict(result) == labels)[sure].all()
    assert np.mean(sure) > 0.25
    if model.signature.link is not None:
        assert np.abs(client.predict_proba(result) - given).max() <= model.signature.error + 1e-6
    elif given.shape[1] == model.signature.outputs:
        scores = client.decrypt(result).reshape(given.shape)
        assert np.abs(scores - given).max() <= model.signature.error


def columns_of(numbers: Sequence[Any], labels: Array) -> Array:
    """Probabilities or scores (n, columns) from maps, a tensor, or columns one by one."""
    if isinstance(numbers[0], list):
        return np.array([[row[label] for label in labels.tolist()] for row in numbers[0]])
    return np.stack(numbers, axis=1) if len(numbers) > 1 else numbers[0]


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_converted_regression_answers_as_in_onnx_runtime(name: str) -> None:
    _, X, _ = REGRESSORS[name]
    converted = to_onnx(fitted("regressor", name), X[:1].astype(np.float32))
    model = hermetic.compile(converted, X)
    client, result = encrypted(model, X[::15])
    (values,) = asked(converted, X[::15])
    found = client.predict(result)
    assert found.shape == values.shape
    allowed = model.signature.error if model.signature.link is None else values * np.expm1(model.signature.error) + 1e-5
    assert (np.abs(found - values) <= allowed).all()


def table() -> pd.DataFrame:
    sizes = pd.DataFrame(FLOWERS[:, :2].astype(np.float32), columns=["length", "width"])
    colours = np.array(["blue", "red", "white"])[KINDS - (FLOWERS[:, 1] > 3)]
    return sizes.assign(colour=colours, kind=np.where(FLOWERS[:, 3] > 1, "big", "small"))


def test_categories_of_a_table_are_public_and_the_rest_is_private() -> None:
    X = table()
    names = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("s", StandardScaler(), ["length", "width"]), ("n", names, ["colour", "kind"])])
    converted = to_onnx(make_pipeline(columns, LogisticRegression()).fit(X, NAMES), X[:1])
    with pytest.raises(hermetic.CompileError, match="3 categories of input 2 of 'OneHotEncoder'"):
        hermetic.compile(converted, X)
    model = hermetic.compile(converted, X, public=["onehotencoder"])
    assert model.signature.feature_names == ("length", "width", "colour", "kind")
    rows = X[::15].assign(kind=["big", "new"] * 5)
    client, result = encrypted(model, rows)
    labels, maps = asked(converted, rows.to_numpy(dtype=object))
    assert client.predict(result).tolist() == labels.tolist()
    apart = np.abs(client.predict_proba(result) - columns_of([maps], model.signature.labels))
    assert apart.max() <= model.signature.error + 1e-6


def test_categories_of_a_matrix_are_public() -> None:
    X = table()[["colour", "kind"]].to_numpy(dtype=object)
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="error"), LinearRegression()).fit(X, FLOWERS[:, 3])
    converted = to_onnx(pipeline, initial_types=[("x", StringTensorType([None, 2]))])
    model = hermetic.compile(converted, X, public=["onehotencoder"])
    client, result = encrypted(model, X[:20])
    assert np.abs(client.predict(result) - asked(converted, X[:20])[0]).max() <= model.signature.error


def test_whole_numbers_are_categories() -> None:
    X = np.rint(FLOWERS).astype(np.int64)
    names = OneHotEncoder(handle_unknown="ignore")
    converted = to_onnx(make_pipeline(names, LogisticRegression()).fit(X, KINDS), X[:1])
    model = hermetic.compile(converted, X, public=["onehotencoder"])
    rows = np.concatenate([X[::10], [[99, 99, 99, 99]]])
    client, result = encrypted(model, rows)
    assert client.predict(result).tolist() == asked(converted, rows)[0].tolist()


def test_what_stands_for_missing_values_is_public() -> None:
    X = FLOWERS[:, :3].copy()
    X[::5, 1] = np.nan
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), Ridge()).fit(X, FLOWERS[:, 3])
    converted = to_onnx(pipeline, X[:1].astype(np.float32))
    with pytest.raises(hermetic.CompileError, match="3 values that stand for missing ones of 'Imputer'"):
        hermetic.compile(converted, X)
    model = hermetic.compile(converted, X, public=["imputer"])
    client, result = encrypted(model, X[:20])
    assert np.abs(client.predict(result) - asked(converted, X[:20])[0]).max() <= model.signature.error


def test_a_public_node_takes_inputs_as_they_come() -> None:
    nodes = [
        node("Scaler", "x", "z", offset=[0.0] * 4, scale=[2.0] * 4),
        node("Imputer", "z", "u", imputed_value_floats=[1.0] * 4),
        node("MatMul", "u w"),
    ]
    with pytest.raises(hermetic.UnsupportedModelError, match=r"'imputer_u' \(Imputer\), before node 'matmul_y'"):
        read_onnx(made(nodes, X4, W))


def made(
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[int | str]],
    constants: dict[str, Array] | None = None,
    kind: int = TensorProto.FLOAT,
    rank: int = 2,
    opset: int = 18,
) -> ModelProto:
    """A model of nodes that end with y."""
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", kind, ["n", "k"][:rank])],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in (constants or {}).items()],
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3 if opset > 14 else 2)]
    return helper.make_model(graph, opset_imports=domains, ir_version=9)


def drawn(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    domain = (
        "ai.onnx.ml"
        if kind in ("Scaler", "LinearRegressor", "FeatureVectorizer", "ArrayFeatureExtractor", "Imputer")
        else ""
    )
    return helper.make_node(
        kind, inputs.split(), [output], name=f"{kind.lower()}_{output}", domain=domain, **attributes
    )


X4: dict[str, Sequence[int | str]] = {"x": ["n", 4]}
W = {"w": drawn(4, 3), "b": drawn(3)}
LAST = node("MatMul", "z w")

BY_HAND: dict[str, ModelProto] = {
    "gemm": made([node("Gemm", "x w b")], X4, W),
    "gemm with factors": made(
        [node("Gemm", "x w b", alpha=0.5, beta=2.0, transB=1)], X4, {"w": drawn(3, 4), "b": drawn(1, 3)}
    ),
    "gemm without bias": made([node("Gemm", "x w")], X4, W),
    "matmul and add": made([node("MatMul", "x w", "z"), node("Add", "b z")], X4, W),
    "matmul by a vector": made([node("MatMul", "x w")], X4, {"w": drawn(4)}, rank=1),
    "two layers": made([node("Gemm", "x v", "z"), node("Gemm", "z w b")], X4, {"v": drawn(4, 4), **W}),
    "scaled by hand": made(
        [node("Sub", "x m", "a"), node("Div", "a s", "c"), node("Mul", "t c", "z"), LAST],
        X4,
        {"m": drawn(4), "s": np.abs(drawn(1, 4)) + 1, "t": np.float32(3.0), **W},
    ),
    "scaler": made([node("Scaler", "x", "z", offset=[1.0, 2, 3, 4], scale=[2.0, 1, 3, 0.5]), LAST], X4, W),
    "subtracted from": made([node("Sub", "m x", "a"), node("Neg", "a", "z"), LAST], X4, {"m": drawn(4), **W}),
    "regressor": made(
        [node("LinearRegressor", "x", coefficients=drawn(8).tolist(), intercepts=[1.0, 2.0], targets=2)], X4
    ),
    "regressor without intercepts": made([node("LinearRegressor", "x", coefficients=drawn(4).tolist())], X4),
    "batch normalisation": made(
        [node("Gemm", "x w b", "z"), node("BatchNormalization", "z s b m v", epsilon=0.01)],
        X4,
        {**W, "s": drawn(3), "m": drawn(1, 3)[0], "v": np.abs(drawn(2, 3))[0]},
    ),
    "branches": made(
        [node("Gemm", "x w b", "p"), node("MatMul", "x v", "q"), node("Sum", "p q b")], X4, {**W, "v": drawn(4, 3) * 2}
    ),
    "the same twice": made([node("Add", "x x", "z"), LAST], X4, W),
    "columns": made(
        [node("Gather", "x i", "g", axis=1), node("MatMul", "g w")], X4, {"i": np.array([3, 0, 0]), "w": drawn(3, 2)}
    ),
    "columns by another operator": made(
        [node("ArrayFeatureExtractor", "x i", "g"), node("MatMul", "g w")],
        X4,
        {"i": np.array([[2, 1]]), "w": drawn(2, 2)},
    ),
    "slice": made(
        [node("Slice", "x s e a", "g"), node("MatMul", "g w")],
        X4,
        {"s": np.array([1]), "e": np.array([4]), "a": np.array([1]), "w": drawn(3, 2)},
    ),
    "several inputs": made([node("Concat", "p q", "z", axis=1), LAST], {"p": ["n", 1], "q": ["n", 3]}, W),
    "vectorised": made(
        [node("FeatureVectorizer", "p q", "z", inputdimensions=[1, 3]), LAST], {"p": ["n", 1], "q": ["n", 3]}, W
    ),
    "images": made([node("Flatten", "x", "z"), node("MatMul", "z w")], {"x": ["n", 1, 2, 3]}, {"w": drawn(6, 2)}),
    "reshaped": made(
        [
            node("Reshape", "x s", "a"),
            node("Unsqueeze", "a o", "c"),
            node("Squeeze", "c o", "e"),
            node("Reshape", "e t", "z"),
            LAST,
        ],
        X4,
        {"s": np.array([-1, 2, 2]), "t": np.array([-1, 4]), "o": np.array([1]), **W},
    ),
    "shape from shape": made(
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Concat", "n rest", "t", axis=0),
            node("Reshape", "x t", "z"),
            LAST,
        ],
        {"x": ["n", 2, 2]},
        {"zero": np.array([0]), "rest": np.array([-1]), **W},
    ),
    "constants computed": made(
        [node("Transpose", "w", "t"), node("Mul", "t t", "u"), node("MatMul", "x u")], X4, {"w": drawn(3, 4)}
    ),
    "rows of rows": made([node("MatMul", "x w", "z"), node("Flatten", "z")], {"x": ["n", 2, 4]}, W),
    "one column for all": made([node("Mul", "x f", "z"), LAST], {"x": ["n", 1]}, {"f": drawn(4), **W}),
    "no change": made(
        [node("Identity", "x", "a"), node("Dropout", "a", "c"), node("Cast", "c", "z", to=TensorProto.FLOAT), LAST],
        X4,
        W,
    ),
    "sums": made(
        [node("Reshape", "x s", "a"), node("ReduceSum", "a o", "z", keepdims=0), node("MatMul", "z v")],
        X4,
        {"s": np.array([-1, 2, 2]), "o": np.array([-1]), "v": drawn(2, 3)},
    ),
    "convolution": made(
        [
            node("Conv", "x k b", "a", group=2, pads=[1, 0, 1, 0], strides=[1, 2], dilations=[1, 2]),
            node("Transpose", "a", "t", perm=[0, 2, 3, 1]),
            node("Flatten", "t", "z"),
            node("MatMul", "z v"),
        ],
        {"x": ["n", 2, 3, 5]},
        {"k": drawn(4, 1, 2, 2) / 4, "b": drawn(4), "v": drawn(32, 3) / 4},
    ),
    "averages": made(
        [
            node("AveragePool", "x", "a", kernel_shape=[2, 3], pads=[1, 1, 1, 1], strides=[2, 1]),
            node("AveragePool", "a", "b", kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
            node("GlobalAveragePool", "b", "c"),
            node("Flatten", "c", "z"),
            node("MatMul", "z v"),
        ],
        {"x": ["n", 2, 4, 5]},
        {"v": drawn(2, 3)},
    ),
    "means": made([node("MatMul", "x w", "z"), node("ReduceMean", "z o")], X4, {"o": np.array([1]), **W}),
    "expanded": made([node("Expand", "x s", "z"), LAST], {"x": ["n", 1]}, {"s": np.array([1, 4]), **W}),
    "double": made([node("MatMul", "x w")], X4, {"w": drawn(4, 2).astype(np.float64)}, kind=TensorProto.DOUBLE),
    "sigmoid": made([node("MatMul", "x w", "z"), node("Sigmoid", "z")], X4, {"w": drawn(4, 1)}),
    "softmax": made([node("MatMul", "x w", "z"), node("Softmax", "z", axis=-1)], X4, W),
    "logarithm of softmax": made([node("MatMul", "x w", "z"), node("LogSoftmax", "z", axis=1)], X4, W),
}


def test_every_affine_operator_is_here() -> None:
    assert {one.op_type for model in BY_HAND.values() for one in model.graph.node} >= set(RULES)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_graph_is_read_as_what_onnx_runtime_computes(name: str) -> None:
    one = BY_HAND[name]
    linear, _ = read_onnx(one)
    X = np.random.default_rng(0).normal(size=(7, linear.inputs)) * 3
    scores = X @ linear.weights.T + linear.bias
    (given,) = asked(one, X)
    if linear.head.link is not None:
        scores = linear.head.probabilities(scores if linear.head.link == "softmax" else scores[:, 0])
        scores = np.log(scores) if "logarithm" in name else scores[:, -given.shape[1] :]
    assert np.allclose(given.reshape(scores.shape), scores, rtol=0, atol=2e-5)
    assert linear.head.squeeze == (given.ndim == 1 or name == "sigmoid")


@pytest.mark.parametrize("name", BY_HAND)
def test_rounding_in_float32_is_within_its_bound(name: str) -> None:
    linear, own = read_onnx(BY_HAND[name])
    X = np.random.default_rng(1).uniform(-100, 100, size=(200, linear.inputs))
    scores = own.decision_function(X).reshape(200, -1)
    apart = np.abs(scores - (X @ linear.weights.T + linear.bias)).max(axis=0)
    allowed = linear.rounding_of(lambda: linear.terms @ np.full(linear.inputs, 100.0))
    assert (apart <= allowed).all()
    assert (allowed <= 1e-2).all()


@pytest.mark.parametrize("name", ["gemm", "sigmoid", "softmax", "images", "several inputs", "matmul by a vector"])
def test_a_graph_answers_encrypted(name: str) -> None:
    one = BY_HAND[name]
    model = hermetic.compile(one, input_range=(-2, 2))
    X = np.random.default_rng(2).uniform(-2, 2, size=(5, model.signature.inputs))
    client, result = encrypted(model, X)
    (given,) = asked(one, X)
    if model.signature.link is None:
        assert client.predict(result).shape == given.shape
        assert np.abs(client.predict(result) - given).max() <= model.signature.error
    else:
        found = client.predict_proba(result)[:, -given.shape[1] :]
        assert np.abs(found - given).max() <= model.signature.error + 1e-6


def test_a_model_of_scores_has_the_labels_that_are_given() -> None:
    model = hermetic.compile(BY_HAND["gemm"], input_range=(-1, 1), labels=["red", "green", "blue"])
    X = drawn(6, 4).clip(-1, 1)
    client, result = encrypted(model, X)
    largest = asked(BY_HAND["gemm"], X)[0].argmax(axis=1)
    assert client.predict(result).tolist() == np.array(["red", "green", "blue"])[largest].tolist()
    softmax = hermetic.compile(BY_HAND["softmax"], input_range=(-1, 1), labels=[30, 10, 20])
    assert softmax.signature.labels.tolist() == [30, 10, 20]
    assert hermetic.compile(BY_HAND["softmax"], input_range=(-1, 1)).signature.labels.tolist() == [0, 1, 2]


def test_labels_by_the_largest_score_are_labels() -> None:
    nodes = [node("Gemm", "x w b", "z"), node("ArgMax", "z", "y", axis=1, keepdims=0)]
    one = made(nodes, X4, W, rank=1)
    one.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    model = hermetic.compile(one, input_range=(-1, 1))
    X = drawn(6, 4).clip(-1, 1)
    client, result = encrypted(model, X)
    assert client.predict(result).tolist() == asked(one, X)[0].tolist()


def test_a_file_has_its_name(tmp_path: Path) -> None:
    onnx.save(BY_HAND["several inputs"], tmp_path / "petals.onnx")
    model = hermetic.compile(tmp_path / "petals.onnx", input_range=(0, 1))
    assert model.signature.name == "petals"
    assert hermetic.compile(str(tmp_path / "petals.onnx"), input_range=(0, 1)).signature == model.signature


REFUSED: dict[str, tuple[ModelProto, str]] = {
    "activation": (
        made([node("Gemm", "x w", "z"), node("Elu", "z", "r"), node("Gemm", "r v")], X4, {"v": drawn(3, 2), **W}),
        r"'elu_r' \(Elu\), before node 'gemm_y' \(Gemm\).*features=",
    ),
    "skipped layer": (
        made(
            [
                *(node("Gemm", "x w", "z"), node("Relu", "z", "r"), node("Gemm", "r v", "s")),
                *(node("Gemm", "x u", "t"), node("Add", "s t")),
            ],
            X4,
            {"v": drawn(3, 2), "u": drawn(4, 2), **W},
        ),
        r"must take its values alone\. It takes x as well",
    ),
    "activation at the end": (made([node("Gemm", "x w", "z"), node("Tanh", "z")], X4, W), r"'tanh_y' \(Tanh\)"),
    "clipped": (
        made([node("Gemm", "x w", "z"), node("Clip", "z l")], X4, {"l": np.float32(-1), **W}),
        r"What comes of 'clip_y' \(Clip\) is something else",
    ),
    "several sigmoids": (
        made([node("Gemm", "x w", "z"), node("Sigmoid", "z")], X4, W),
        "let the model end with its scores",
    ),
    "product of inputs": (made([node("Mul", "x x", "z"), LAST], X4, W), r"'mul_z' \(Mul\), before node 'matmul_y'"),
    "fixed batch": (made([node("Gemm", "x w")], {"x": [1, 4]}, W), "dynamic first axis"),
    "unknown columns": (made([node("Gemm", "x w")], {"x": ["n", "d"]}, W), r"'x' has \(any, any\)"),
    "samples mixed": (
        made([node("Reshape", "x s", "z"), LAST], {"x": ["n", 8]}, {"s": np.array([-1, 4]), **W}),
        "keep samples apart",
    ),
    "samples by number": (
        made([node("Add", "x m", "z"), LAST], X4, {"m": drawn(13, 4), **W}),
        "must treat every sample alike",
    ),
    "transposed": (made([node("Gemm", "x w", transA=1)], X4, {"w": drawn(13, 2)}), "transA|samples apart"),
    "a custom operator": (
        made([helper.make_node("Gemm", ["x", "w"], ["y"], name="own", domain="com.example")], X4, W),
        r"'own' \(Gemm\)",
    ),
    "a loop": (made([node("Gemm", "x w", "z"), node("Einsum", "z", equation="ij->ij")], X4, W), r"\(Einsum\)"),
    "training": (
        made([node("Dropout", "x r t", "z"), LAST], X4, {"r": np.float32(0.5), "t": np.array(True), **W}),
        "inference mode",
    ),
    "half precision": (
        made([node("MatMul", "x h")], X4, {"h": drawn(4, 3).astype(np.float16)}, TensorProto.FLOAT16),
        r"Node 'matmul_y' \(MatMul\) gives float16, .*export the model in float32",
    ),
    "half precision inside": (
        made(
            [
                node("Cast", "x", "a", to=TensorProto.BFLOAT16),
                node("Cast", "a", "z", to=TensorProto.FLOAT),
                LAST,
            ],
            X4,
            W,
        ),
        r"Node 'cast_a' \(Cast\) gives bfloat16",
    ),
    "whole numbers": (
        made([node("MatMul", "x i")], X4, {"i": np.arange(12).reshape(4, 3)}, TensorProto.INT64),
        "scores must be reals. Tensor 'y' holds int64: end the model with a Cast",
    ),
    "sum of samples": (
        made([node("ReduceSum", "x o", "z"), LAST], X4, {"o": np.array([0]), **W}),
        "keep samples apart|treat every sample alike",
    ),
    "no inputs": (made([node("MatMul", "w b")], X4, W), "do not depend on them"),
    "not a number": (
        made([node("MatMul", "x w", "z"), node("Add", "z n")], X4, {"n": np.full(3, np.nan, np.float32), **W}),
        "intercepts must be finite",
    ),
    "not finite": (made([node("Div", "x o", "z"), LAST], X4, {"o": np.zeros(4, np.float32), **W}), "must be finite"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name: str) -> None:
    one, words = REFUSED[name]
    if name == "a custom operator":
        one.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(hermetic.CompileError, match=words):
        hermetic.compile(one, input_range=(-1, 1))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", "b"], "must be 3 different ones"),
        (["a", "a", "b"], "3 different"),
        ([1j, 2, 3], "numbers, booleans or strings"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: list[Any], words: str) -> None:
    with pytest.raises(hermetic.CompileError, match=words):
        hermetic.compile(BY_HAND["gemm"], input_range=(-1, 1), labels=labels)


def test_labels_of_a_model_that_has_its_own_are_refused() -> None:
    converted = to_onnx(fitted("classifier", "names"), FLOWERS[:1].astype(np.float32))
    with pytest.raises(hermetic.CompileError, match="names its classes itself"):
        hermetic.compile(converted, FLOWERS, labels=["a", "b", "c"])
    with pytest.raises(hermetic.CompileError, match="an estimator names its classes itself"):
        hermetic.compile(fitted("classifier", "names"), FLOWERS, labels=["a", "b", "c"])


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    for name, data in {"empty.onnx": b"", "noise.onnx": bytes(range(256)), "words.onnx": b"{}"}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(hermetic.CompileError, match=rf"{name} must be (a valid|an) ONNX model"):
            hermetic.compile(tmp_path / name, input_range=(0, 1))
    with pytest.raises(hermetic.CompileError, match="There is no such file"):
        hermetic.compile(tmp_path / "none.onnx", input_range=(0, 1))
    with pytest.raises(hermetic.CompileError, match=r"\.skops file with skops\.io\.load"):
        hermetic.compile("model.skops", input_range=(0, 1))


def test_inputs_of_whole_numbers_are_exact() -> None:
    nodes = [node("Cast", "x", "z", to=TensorProto.FLOAT), LAST]
    one = made(nodes, X4, W)
    one.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(hermetic.CompileError, match="'x' takes whole numbers: pass input_step=1"):
        hermetic.compile(one, input_range=(0, 9.5))
    model = hermetic.compile(one, input_range=(0, 9), input_step=1)
    X = np.random.default_rng(0).integers(0, 10, size=(5, 4))
    client, result = encrypted(model, X)
    assert np.abs(client.predict(result) - asked(one, X)[0]).max() <= model.signature.error


def test_a_tolerance_below_float32_asks_for_float64() -> None:
    flowers = LogisticRegression().fit(FLOWERS, KINDS)
    with pytest.raises(hermetic.PrecisionError, match=r"a model in float64 \(this one rounds by up to"):
        hermetic.compile(to_onnx(flowers, FLOWERS[:1].astype(np.float32)), FLOWERS, tolerance=1e-6)
    double = hermetic.compile(to_onnx(flowers, FLOWERS[:1]), FLOWERS, tolerance=1e-6)
    assert double.signature.error <= 1e-6
    client, result = encrypted(double, FLOWERS)
    assert np.abs(client.decrypt(result) - flowers.decision_function(FLOWERS)).max() <= 1e-6


def test_damaged_models_are_refused_or_read(tmp_path: Path) -> None:
    """Whatever a byte changes, no library's own error comes out."""
    random, refused = np.random.default_rng(0), 0
    models = [model.SerializeToString() for model in BY_HAND.values()]
    for i in range(300):
        data = bytearray(models[i % len(models)])
        data[random.integers(len(data))] = random.integers(256)
        (tmp_path / "damaged.onnx").write_bytes(data)
        try:
            read_onnx(tmp_path / "damaged.onnx")
        except hermetic.CompileError:
            refused += 1
    assert refused > 100


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    onnx.save(
        made([node("Gemm", "x w")], X4, {"w": drawn(4, 300)}),
        tmp_path / "parts.onnx",
        save_as_external_data=True,
        size_threshold=0,
    )
    with pytest.raises(hermetic.CompileError, match="must hold its weights itself"):
        hermetic.compile(tmp_path / "parts.onnx", input_range=(0, 1))


def test_functions_are_looked_into() -> None:
    inner = helper.make_function(
        "own",
        "Layer",
        ["p", "q"],
        ["r"],
        [helper.make_node("MatMul", ["p", "q"], ["r"])],
        [helper.make_opsetid("", 18)],
    )
    one = made([helper.make_node("Layer", ["x", "w"], ["y"], domain="own")], X4, W)
    one.functions.append(inner)
    one.opset_import.append(helper.make_opsetid("own", 1))
    assert np.array_equal(read_onnx(one)[0].weights, W["w"].T)
