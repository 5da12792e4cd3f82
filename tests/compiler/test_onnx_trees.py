"""ONNX models of trees against ONNX Runtime: at every threshold, just below and above it, where values are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import hermetic
from hermetic.compiler.ensemble_map import EnsembleMap
from hermetic.compiler.linear import LinearMap
from hermetic.compiler.onnx import read_onnx
from known_weights import answered, client_of

from .onnx_forests import MODES, Leaf, Split, model_of, newer, older, random_tree

CANCER, DIABETES, WINE = (one(return_X_y=True) for one in (load_breast_cancer, load_diabetes, load_wine))
HOLES = np.where(np.random.default_rng(0).random(CANCER[0].shape) < 0.1, np.nan, CANCER[0]), CANCER[1]
NAMED = WINE[0], np.array(["red", "rose", "white"])[WINE[1]]
TARGETS = DIABETES[0], np.column_stack([DIABETES[1], DIABETES[1] ** 2])
WHOLE = np.rint(10 * WINE[0]).astype(np.int64), WINE[1]
FOREST = {"n_estimators": 5, "max_depth": 4, "random_state": 0}
BOOST = {"n_estimators": 4, "random_state": 0}

MODELS: list[tuple[str, Any, Any, Any, dict[str, Any]]] = [
    ("two classes", RandomForestClassifier(**FOREST), CANCER, np.float32, {}),
    ("two classes, float64", RandomForestClassifier(**FOREST), CANCER, np.float64, {}),
    ("names", RandomForestClassifier(**FOREST), NAMED, np.float32, {"options": {"zipmap": False}}),
    ("one tree", DecisionTreeClassifier(random_state=0), WINE, np.float32, {}),
    ("targets", RandomForestRegressor(**FOREST), TARGETS, np.float32, {}),
    ("whole numbers", ExtraTreesRegressor(**FOREST), WHOLE, np.int64, {}),
    ("boosted", GradientBoostingClassifier(**BOOST), CANCER, np.float32, {}),
    ("boosted, three", GradientBoostingClassifier(**BOOST), WINE, np.float32, {}),
    ("raw", GradientBoostingClassifier(**BOOST), WINE, np.float32, {"options": {"zipmap": False, "raw_scores": True}}),
    ("boosted stumps", GradientBoostingRegressor(max_depth=1, **BOOST), DIABETES, np.float32, {}),
    ("scaled", make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST)), CANCER, np.float32, {}),
    ("scaled, float64", make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST)), CANCER, np.float64, {}),
    ("imputed", make_pipeline(SimpleImputer(), MinMaxScaler(), RandomForestClassifier(**FOREST)), HOLES, np.float32,
     {}),
    ("twice", make_pipeline(RobustScaler(), MaxAbsScaler(), RandomForestRegressor(**FOREST)), DIABETES, np.float32,
     {}),
    ("voted", VotingRegressor([("a", RandomForestRegressor(**FOREST)), ("b", GradientBoostingRegressor(**BOOST))]),
     DIABETES, np.float32, {}),
]  # fmt: skip


def asked(model: ModelProto, X: np.ndarray) -> list[Any]:
    """What ONNX Runtime gives."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    if given.type == "tensor(int64)":
        return list(session.run(None, {given.name: np.clip(X, -(2.0**62), 2.0**62).astype(np.int64)}))
    with np.errstate(over="ignore"):
        rows = X.astype(np.float64 if "double" in given.type else np.float32)
    return list(session.run(None, {given.name: rows}))


def around(linear: LinearMap, X: np.ndarray) -> np.ndarray:
    """Rows of X in which one input is an edge, or a number next to it of float64 or of float32, or far from all."""
    rows = []
    for block in linear.feature_map.blocks:
        columns, bins = (block.columns, block.block) if hasattr(block, "columns") else (range(X.shape[1]), block)
        for column, edges in zip(columns, bins.edges, strict=True):
            with np.errstate(over="ignore", under="ignore"):
                near = np.float32(edges)
                numbers = [edges, near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
                numbers += [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), [-1e30, 1e30, 0.0, -0.0]]
                values = np.concatenate([np.asarray(one, dtype=np.float64) for one in numbers])
            for value in values[np.isfinite(values)]:
                row = X[len(rows) % len(X)].copy()
                row[column] = value
                rows.append(row)
    return np.array(rows)


def check(model: ModelProto, X: np.ndarray) -> LinearMap:
    """That scores, probabilities and labels of X, and of rows on and beside edges, are those of ONNX Runtime."""
    linear, _ = read_onnx(model)
    full = np.where(np.isnan(X), 1.0, X).astype(np.float64)
    rows = np.vstack([full, around(linear, full)])
    if (linear.feature_map.missing & linear.feature_map.used).any():
        holes = np.where(np.random.default_rng(0).random(full.shape) < 0.3, np.nan, full)
        rows = np.vstack([rows, holes, np.full((1, full.shape[1]), np.nan)])
    features = linear.feature_map.apply(rows)
    ensemble = isinstance(linear, EnsembleMap)
    shown = linear.head.shaped(linear.scores(features) if ensemble else features @ linear.weights.T + linear.bias)
    error = float(np.max(linear.own_rounding if ensemble else linear.own_error))
    given = [one for one in asked(model, rows) if not isinstance(one, list)]
    for numbers in (one for one in given if one.dtype.kind == "f"):
        linked = linear.head.link is not None
        found = linear.head.probabilities(shown) if linked else linear.head.respond(shown)
        # Two classes with one score have it and its negative.
        numbers = numbers[:, 1:] if found.size < numbers.size else numbers  # noqa: PLW2901
        assert (np.abs(found.reshape(numbers.shape) - numbers) <= error + (1e-6 if linked else 0.0)).all()
    for labels in (one for one in given if one.dtype.kind != "f"):
        certain = linear.head.certain(shown, max(error, 1e-6))
        assert certain.mean() > 0.5
        assert (linear.head.predict(shown)[certain] == labels[certain]).all()
    return linear


@pytest.mark.parametrize(("name", "estimator", "data", "dtype", "options"), MODELS, ids=[one[0] for one in MODELS])
def test_a_converted_forest_answers_as_in_onnx_runtime_at_every_threshold(
    name: str, estimator: BaseEstimator, data: Any, dtype: Any, options: dict[str, Any]
) -> None:
    X, y = data
    linear = check(to_onnx(estimator.fit(X, y), X[:1].astype(dtype), **options), X)
    assert isinstance(linear, EnsembleMap) is (name != "boosted stumps")
    assert linear.public[0].learned
    assert bool((linear.feature_map.missing & linear.feature_map.used).any()) is (name == "imputed")


def test_values_that_fall_or_come_twice_before_trees_move_edges() -> None:
    """Of six values, the first rises, the second falls, the last two come from one input."""
    factors, offsets = np.float32([-0.3, 2.0**20, 7.1, 1.0, 1e-3, -3.0]), np.float32([0.1, 0.2, 0.3, 0.0, 1.0, 0.7])
    places = np.array([0, 1, 2, 3, 4, 4])
    constants = [numpy_helper.from_array(one, name) for one, name in ((places, "p"), (factors, "f"), (offsets, "o"))]
    nodes = [
        helper.make_node("Gather", ["X", "p"], ["a"], axis=1),
        helper.make_node("Mul", ["a", "f"], ["b"]),
        helper.make_node("Sub", ["o", "b"], ["c"]),
    ]
    rng = np.random.default_rng(8)
    trees = [random_tree(rng, 4, [0], MODES[:-1]) for _ in range(12)]
    whole = model_of(newer(trees, n_targets=1), 1, opset=5)
    whole.graph.node[0].input[0] = "c"
    whole.graph.node.extend([*nodes, whole.graph.node[0]])
    del whole.graph.node[0]
    whole.graph.initializer.extend(constants)
    assert check(whole, six()).feature_map.missing.any()
    whole.graph.initializer[1].CopyFrom(numpy_helper.from_array(0 * factors, "f"))
    with pytest.raises(hermetic.UnsupportedModelError, match="products with 0"):
        read_onnx(whole)


def six(n: int = 200) -> np.ndarray:
    """Rows of six inputs, many of which are whole numbers."""
    rng = np.random.default_rng(1)
    return np.where(rng.random((n, 6)) < 0.5, rng.integers(-3, 40, size=(n, 6)), rng.normal(size=(n, 6)) * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tensors", [False, True])
def test_every_comparison_of_older_operators_is_that_of_onnx_runtime(dtype: Any, tensors: bool) -> None:
    rng = np.random.default_rng(2)
    trees = [random_tree(rng, 4, [0, 1], MODES[:-1]) for _ in range(5)]
    options = {"n_targets": 2, "base_values": [0.5, -1.25], "aggregate_function": "AVERAGE"}
    node = older("TreeEnsembleRegressor", trees, dtype, tensors=tensors, **options)
    assert check(model_of(node, 2, dtype), six()).feature_map.missing.all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("aggregate", [0, 1])
def test_every_comparison_of_the_newer_operator_is_that_of_onnx_runtime(dtype: Any, aggregate: int) -> None:
    rng = np.random.default_rng(3)
    trees = [random_tree(rng, 4, [i % 3], MODES[:-1], tracks=aggregate == 1) for i in range(9)]
    node = newer(trees, dtype, n_targets=3, aggregate_function=aggregate)
    linear = check(model_of(node, 3, dtype, 5), six())
    assert bool((linear.feature_map.missing & linear.feature_map.used).any()) is (aggregate == 1)


@pytest.mark.parametrize("mode", MODES[:-1])
def test_thresholds_are_exact_at_the_ends_of_float32(mode: str) -> None:
    largest, least = float(np.finfo(np.float32).max), float(np.finfo(np.float32).smallest_subnormal)
    numbers = [0.0, 1 / 3, least, -least, 2.0**-126, largest, -largest, np.inf]
    trees = [
        Split(mode, i % 6, one, Split(mode, (i + 1) % 6, one, Leaf({0: 1}), Leaf({0: 2})), Leaf({0: 4.0**i}))
        for i, one in enumerate(np.float32(numbers).tolist())
    ]
    check(model_of(newer(trees, n_targets=1), 1, opset=5), six(20))


def test_softmax_of_a_regression_is_a_link() -> None:
    trees = [random_tree(np.random.default_rng(4), 3, [0, 1, 2], MODES[:-1]) for i in range(3)]
    node = older("TreeEnsembleRegressor", trees, n_targets=3, post_transform="SOFTMAX")
    assert check(model_of(node, 3), six()).head.link == "softmax"


def test_a_set_is_equality_with_one_of_its_members() -> None:
    """Of ONNX Runtime 1.32, which forgets some members and takes 1.5 for 1, only sets of one member are asked."""
    sets = [[5.0], [0.0, 1.0, 33.0], [2.0, 5.0], [-1.0, 1.0, 2.0**30], [0.0]]
    check(model_of(newer([Split("BRANCH_MEMBER", i, 0, Leaf({0: 2.0}), Leaf({0: 3.0}), members=sets[4 * i])
                          for i in range(2)], n_targets=1), 1, opset=5), six(20))  # fmt: skip
    trees = [Split("BRANCH_MEMBER", i, 0, STUMP, Leaf({0: 2.0**i}), members=one) for i, one in enumerate(sets)]
    linear, _ = read_onnx(model_of(newer(trees[::-1], n_targets=1), 1, opset=5))
    X = np.vstack([six(20), around(linear, six(20))])
    inside = [np.isin(X[:, i].astype(np.float32), one) for i, one in enumerate(sets)]
    stump = np.where(X[:, 0].astype(np.float32) < 0, 1.0, -1.0)
    expected = sum(np.where(one, stump, 2.0**i) for i, one in enumerate(inside))
    assert (linear.scores(linear.feature_map.apply(X))[:, 0] == expected).all()


STUMP = Split("BRANCH_LT", 0, 0.0, Leaf({0: 1.0}), Leaf({0: -1.0}))


def regression(**options: Any) -> ModelProto:
    return model_of(older("TreeEnsembleRegressor", [STUMP], n_targets=1, **options), 1)


def classifier(*weights: float, ids: int = 0, **options: Any) -> ModelProto:
    trees = [
        Split("BRANCH_LT", 0, 0.0, Leaf({ids: one}), Split("BRANCH_LT", 1, 1.0, Leaf({ids: -one}), Leaf({ids: 0.5})))
        for one in weights
    ]
    node = older("TreeEnsembleClassifier", trees, classlabels_int64s=[5, 9], **options)
    return model_of(node, 2)


def test_one_score_of_two_classes_chooses_by_its_sign() -> None:
    for transform in ("NONE", "LOGISTIC"):
        linear = check(classifier(1.0, 0.25, post_transform=transform, base_values=[0.125]), six())
        assert linear.head.labels.tolist() == [5, 9]


REFUSED: list[tuple[str, ModelProto, str]] = [
    ("least", model_of(newer([STUMP], n_targets=1, aggregate_function=2), 1, opset=5), "takes MIN of its trees"),
    ("largest", regression(aggregate_function="MAX"), "takes MAX of its trees"),
    ("either", model_of(newer([STUMP], n_targets=2, post_transform=1), 2, opset=5), "ONNX Runtime takes SOFTMAX for"),
    ("probit", classifier(1.0, post_transform="PROBIT"), "has post_transform PROBIT"),
    ("zeros", classifier(1.0, post_transform="SOFTMAX_ZERO"), "has post_transform SOFTMAX_ZERO"),
    ("softmax of one", classifier(1.0, post_transform="SOFTMAX"), "runtimes differ"),
    ("the other class", classifier(1.0, ids=1), "class_ids 0"),
    ("logistic of one", regression(post_transform="LOGISTIC"), "runtimes differ"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "model", "message"), REFUSED, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_no_sum_or_no_link_is_refused_in_words(name: str, model: ModelProto, message: str) -> None:
    with pytest.raises(hermetic.UnsupportedModelError, match=message):
        hermetic.compile(model, six(), public=["treeensembleregressor"])


def test_what_mixes_inputs_before_trees_is_refused_in_words() -> None:
    X, y = WINE
    mixing = make_pipeline(Normalizer(), RandomForestClassifier(**FOREST)).fit(X, y)
    with pytest.raises(hermetic.UnsupportedModelError, match=r"take inputs one by one.*'Normalizer'.*compile that"):
        hermetic.compile(to_onnx(mixing, X[:1].astype(np.float32)), X)
    outliers = to_onnx(
        IsolationForest(n_estimators=2, max_samples=16, random_state=0).fit(X),
        X[:1].astype(np.float32),
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    with pytest.raises(hermetic.UnsupportedModelError, match="compile that"):
        hermetic.compile(outliers, X)


BROKEN: dict[str, tuple[str, Any, str]] = {
    "a cycle": ("nodes_truenodeids", [0, 2, 0, 0, 0], "must have one parent"),
    "a child that is not": ("nodes_falsenodeids", [9, 4, 0, 0, 0], "must be nodes of the tree"),
    "too few": ("nodes_values", [0.0], "must have 5 values|must be 5 numbers"),
    "not a number": ("nodes_values", [float("nan")] * 5, "must be 5 numbers"),
    "an unknown mode": ("nodes_modes", ["BRANCH_X"] * 5, "nodes_modes must be"),
    "a negative feature": ("nodes_featureids", [-1, 0, 0, 0, 0], "nodes_featureids must be a whole number from 0"),
    "a feature that is not": ("nodes_featureids", [6, 1, 0, 0, 0], "nodes_featureids must be .* 0 to 5"),
    "weights of a split": ("class_nodeids", [0, 1, 2], "weights must be of leaves"),
    "weights of no tree": ("class_treeids", [7, 7, 7], "class_treeids must be those of trees"),
    "infinite weights": ("class_weights", [float("inf"), 0.0, 0.0], "class_weights must be finite"),
    "a node twice": ("nodes_nodeids", [0, 1, 1, 3, 4], "numbers of their own"),
    "a tree in two places": ("nodes_treeids", [0, 1, 0, 1, 0], "must be nodes of the tree"),
    "too many base values": ("base_values", [0.0] * 3, "two base_values"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_tampered_attributes_are_refused_in_words(name: str) -> None:
    attribute, value, message = BROKEN[name]
    model = classifier(1.0)
    node = model.graph.node[0]
    kept = [one for one in node.attribute if one.name != attribute]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(attribute, value)])
    with pytest.raises(hermetic.CompileError, match=message):
        hermetic.compile(model, six())


def test_a_newer_ensemble_that_is_tampered_with_is_refused_in_words() -> None:
    trees = [random_tree(np.random.default_rng(5), 3, [0]) for _ in range(3)]
    whole = newer(trees, n_targets=1)
    tampered: dict[str, tuple[Any, str]] = {
        "tree_roots": ([0, 0], "one parent"),
        "n_targets": (1 << 20, "n_targets must be"),
        "nodes_truenodeids": ([0] * len(helper.get_node_attr_value(whole, "nodes_truenodeids")), "one parent|must be"),
        "leaf_targetids": ([3], "leaf_targetids must have"),
        "aggregate_function": (9, "aggregate_function must be"),
    }
    for attribute, (value, message) in tampered.items():
        node = type(whole).FromString(whole.SerializeToString())
        kept = [one for one in node.attribute if one.name != attribute]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(attribute, value)])
        with pytest.raises(hermetic.CompileError, match=message):
            hermetic.compile(model_of(node, 1, opset=5), six())


def test_thresholds_of_too_many_inputs_are_refused_before_they_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermetic.compiler.onnx.tree_edges._MAX_CELLS", 5)
    with pytest.raises(hermetic.UnsupportedModelError, match="at most 0 thresholds of one of 6 inputs"):
        read_onnx(regression())


@pytest.mark.parametrize("kind", ["forest", "regression"])
def test_a_file_of_trees_is_answered_encrypted_as_in_onnx_runtime(kind: str, tmp_path: Path) -> None:
    if kind == "forest":
        X, y = WINE
        pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST)).fit(X, y)
        converted, step = (
            to_onnx(pipeline, X[:1].astype(np.float32), options={"zipmap": False}),
            "TreeEnsembleClassifier",
        )
    else:
        X, rng = six(), np.random.default_rng(6)
        node = newer([random_tree(rng, 3, [0]) for _ in range(4)], n_targets=1)
        converted, step = model_of(node, 1, opset=5), "TreeEnsemble"
    (tmp_path / "trees.onnx").write_bytes(converted.SerializeToString())
    with pytest.raises(hermetic.CompileError, match=f"thresholds of .*'{step.lower()}'"):
        hermetic.compile(tmp_path / "trees.onnx", X)
    model = hermetic.compile(tmp_path / "trees.onnx", X, public=[step])
    client = client_of(model)
    result = answered(model, client, X[:3])
    given = asked(converted, X[:3])
    if kind == "forest":
        assert client.predict(result).tolist() == given[0].tolist()
        assert np.abs(client.predict_proba(result) - given[1]).max() <= model.signature.error + 1e-6
    else:
        assert np.abs(client.predict(result) - given[0]).max() <= model.signature.error
