"""ONNX models of trees by hand, of both families of operators: random trees of every comparison, and small ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")


@dataclass
class Leaf:
    """What is added to outputs, by their numbers."""

    weights: dict[int, float]


@dataclass
class Split:
    """``feature`` compared by ``mode`` with ``number``, or with ``members``."""

    mode: str
    feature: int
    number: float
    yes: Split | Leaf
    no: Split | Leaf
    tracks: bool = False
    members: Sequence[float] = field(default_factory=tuple)


def random_tree(
    rng: np.random.Generator, depth: int, outputs: Sequence[int], modes: Sequence[str] = MODES, *, tracks: bool = True
) -> Split | Leaf:
    """A tree on six inputs, whose numbers are small whole ones and halves, and values of float32."""
    if depth == 0 or rng.random() < 0.1:
        return Leaf({one: float(np.float32(rng.normal())) for one in outputs})
    mode = str(rng.choice(modes))
    number = float(np.float32(rng.choice([rng.integers(-2, 3), 0.5, rng.normal()])))
    members = rng.choice(np.arange(-3.0, 40.0), size=3, replace=False) if mode == "BRANCH_MEMBER" else ()
    below = [random_tree(rng, depth - 1, outputs, modes, tracks=tracks) for _ in range(2)]
    return Split(mode, int(rng.integers(6)), number, *below, tracks and bool(rng.random() < 0.5), members)


def older(
    kind: str, trees: Sequence[Split | Leaf], dtype: Any = np.float32, *, tensors: bool = False, **options: Any
) -> NodeProto:
    """A TreeEnsembleClassifier or -Regressor; ``tensors`` gives numbers as tensors of the type."""
    prefix = "class" if kind.endswith("Classifier") else "target"
    rows: list[dict[str, Any]] = []
    weights: list[tuple[int, int, int, float]] = []

    def put(tree: int, one: Split | Leaf) -> int:
        number = sum(row["treeids"] == tree for row in rows)
        row = {"treeids": tree, "nodeids": number, "modes": "LEAF", "featureids": 0, "values": 0.0}
        rows.append({**row, "truenodeids": 0, "falsenodeids": 0, "missing_value_tracks_true": 0})
        place = len(rows) - 1
        if isinstance(one, Leaf):
            weights.extend((tree, number, output, weight) for output, weight in one.weights.items())
            return number
        yes, no = put(tree, one.yes), put(tree, one.no)
        rows[place].update(modes=one.mode, featureids=one.feature, values=one.number, truenodeids=yes, falsenodeids=no)
        rows[place]["missing_value_tracks_true"] = int(one.tracks)
        return number

    for tree, one in enumerate(trees):
        put(tree, one)
    given: dict[str, Any] = {f"nodes_{name}": [row[name] for row in rows] for name in rows[0]}
    columns = zip(*weights, strict=True)
    given |= dict(zip((f"{prefix}_{name}" for name in ("treeids", "nodeids", "ids", "weights")), columns, strict=True))
    given |= options
    if tensors:
        for name in ("nodes_values", f"{prefix}_weights", "base_values"):
            if name in given:
                given[f"{name}_as_tensor"] = numpy_helper.from_array(np.array(given.pop(name), dtype=dtype))
    outputs = ["label", "numbers"] if prefix == "class" else ["numbers"]
    return helper.make_node(kind, ["X"], outputs, name="trees", domain="ai.onnx.ml", **given)


def newer(trees: Sequence[Split | Leaf], dtype: Any = np.float32, **options: Any) -> NodeProto:
    """A TreeEnsemble of opset 5."""
    nodes: list[Split] = []
    ends: list[list[tuple[int, int]]] = []
    leaves: list[tuple[int, float]] = []

    def put(one: Split | Leaf) -> tuple[int, int]:
        if isinstance(one, Leaf):
            leaves.extend(one.weights.items())
            return len(leaves) - 1, 1
        place = len(nodes)
        nodes.append(one)
        ends.append([])
        # The other side first: sets stand in the order of nodes, which is not that of a walk.
        no, yes = put(one.no), put(one.yes)
        ends[place] = [yes, no]
        return place, 0

    def root(one: Split | Leaf) -> int:
        """A tree that is a leaf has a node that leads to it either way."""
        place, leaf = put(one)
        if leaf:
            nodes.append(Split("BRANCH_LEQ", 0, 0.0, one, one))
            ends.append([(place, leaf)] * 2)
        return len(nodes) - 1 if leaf else place

    roots = [root(one) for one in trees]
    sets = [[*one.members, np.nan] for one in nodes if one.mode == "BRANCH_MEMBER"]

    def tensor(values: Any, kind: Any = dtype) -> Any:
        return numpy_helper.from_array(np.array(values, dtype=kind))

    given = {
        "nodes_splits": tensor([one.number for one in nodes]),
        "nodes_featureids": [one.feature for one in nodes],
        "nodes_modes": tensor([MODES.index(one.mode) for one in nodes], np.uint8),
        "nodes_missing_value_tracks_true": [int(one.tracks) for one in nodes],
        "nodes_truenodeids": [yes for (yes, _), _ in ends],
        "nodes_trueleafs": [leaf for (_, leaf), _ in ends],
        "nodes_falsenodeids": [no for _, (no, _) in ends],
        "nodes_falseleafs": [leaf for _, (_, leaf) in ends],
        "leaf_targetids": [output for output, _ in leaves],
        "leaf_weights": tensor([weight for _, weight in leaves]),
        "tree_roots": roots,
        **({"membership_values": tensor(np.concatenate(sets))} if sets else {}),
        **options,
    }
    return helper.make_node("TreeEnsemble", ["X"], ["numbers"], name="trees", domain="ai.onnx.ml", **given)


def model_of(node: NodeProto, outputs: int, dtype: Any = np.float32, opset: int = 3) -> ModelProto:
    """A model of one node on six inputs."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    real = kind if node.op_type == "TreeEnsemble" else helper.np_dtype_to_tensor_dtype(np.dtype(np.float32))
    shapes = {"label": (helper.np_dtype_to_tensor_dtype(np.dtype(np.int64)), ["n"]), "numbers": (real, ["n", outputs])}
    ends = [helper.make_tensor_value_info(name, *shapes[name]) for name in node.output]
    given = [helper.make_tensor_value_info("X", kind, ["n", 6])]
    opsets = [helper.make_opsetid("ai.onnx.ml", opset), helper.make_opsetid("", 15)]
    return helper.make_model(helper.make_graph([node], "trees", given, ends), opset_imports=opsets, ir_version=8)
