"""The attributes of operators that are trees, checked and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, numpy_helper

from ...arrays import Integers, Reals
from ...circuits.trees.document import MAX_OUTPUTS
from ...errors import CompileError
from ..ensembles.tree_files import MAX_NODES, MAX_TREES, check_reachable, whole, wholes
from .files import attributes
from .graph import Array
from .tree_nodes import LEAF, MEMBER, MODES, OnnxTree, TreeNode, refuse

_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_MAX_VALUES = 1 << 26
"""The most values of all leaves: 0.5 GiB of float64."""


def read_node(node: NodeProto, given: Array) -> TreeNode:
    """A node whose input is like ``given`` (rows, d).

    Raises
    ------
    CompileError
        If its attributes are no trees.
    UnsupportedModelError
        For what is not read.
    """
    try:
        if given.ndim != 2 or given.dtype.name not in ("float32", "float64", "int32", "int64"):
            raise ValueError(f"its input must be rows of float32, float64 or integers, not {given.dtype} {given.shape}")
        return _READERS[node.op_type](node, attributes(node), given)
    except CompileError:
        raise
    except ValueError as error:
        raise CompileError(f"node {node.name!r} ({node.op_type}) must be valid. It is not: {error}.") from error


def _classifier(node: NodeProto, values: dict[str, Any], given: Array) -> TreeNode:
    labels = [one.decode() for one in values.get("classlabels_strings", ())] or values.get("classlabels_int64s", [])
    if not 2 <= len(labels) <= MAX_OUTPUTS:
        raise refuse(node, f"has {len(labels)} classes", f"export a classifier of 2 to {MAX_OUTPUTS}")
    binary = len(labels) == 2
    if binary and set(values.get("class_ids", ())) - {0}:
        advice = "ONNX does not say what labels these have. Give the weights of the second class, all with class_ids 0"
        raise refuse(node, "gives two classes weights each", advice)
    if binary and len(_numbers(values, "base_values", _type(given))) > 1:
        raise refuse(node, "has two base_values for one score", "give one")
    found = _older(node, values, given, "class", 1 if binary else len(labels))
    return replace(found, labels=labels)


def _regressor(node: NodeProto, values: dict[str, Any], given: Array) -> TreeNode:
    return _older(node, values, given, "target", whole(values.get("n_targets"), "n_targets", 1, MAX_OUTPUTS))


def _older(node: NodeProto, values: dict[str, Any], given: Array, prefix: str, outputs: int) -> TreeNode:
    """The operators with an attribute for every detail of all nodes."""
    dtype = _type(given)
    ids = wholes(values.get("nodes_treeids"), "nodes_treeids", 0, MAX_TREES)
    n = len(ids)
    names = [str(one.decode()) if isinstance(one, bytes) else "" for one in _listed(values, "nodes_modes", n)]
    if not n or set(names) - {*MODES[:-1], "LEAF"}:
        raise ValueError(f"nodes_modes must be {', '.join(MODES[:-1])} or LEAF")
    modes = np.array([LEAF if one == "LEAF" else MODES.index(one) for one in names])
    arrays = {
        "modes": modes,
        "features": _features(values, modes, given),
        "numbers": _numbers(values, "nodes_values", dtype, n),
        "tracks": _tracks(values, n),
    }
    children = [_wholes(values, f"nodes_{side}nodeids", n, (1 << 31) - 1) for side in ("true", "false")]
    own = _wholes(values, "nodes_nodeids", n, (1 << 31) - 1)
    leaves = _leaves(values, prefix, outputs, dtype)
    trees, start = [], 0
    seen: set[int] = set()
    for number, group in groupby(ids):
        stop = start + len(list(group))
        found = {name: one[start:stop] for name, one in arrays.items()}
        places = {node: place for place, node in enumerate(own[start:stop].tolist())}
        if len(places) != stop - start or number in seen:
            raise ValueError("the nodes of a tree must stand together, and have numbers of their own")
        seen.add(number)
        ends = [_children(one[start:stop], found["modes"], places) for one in children]
        values_of = _placed(leaves.pop(number, []), places, found["modes"], outputs)
        trees.append(_tree(found, ends[0], ends[1], {}, values_of))
        start = stop
    if leaves:
        raise ValueError(f"{prefix}_treeids must be those of trees")
    transform, aggregate = (
        values.get(name, default).decode()
        for name, default in (("post_transform", b"NONE"), ("aggregate_function", b"SUM"))
    )
    return _ensemble(node, values, trees, outputs, dtype, transform, aggregate)


def _features(values: dict[str, Any], modes: Integers, given: Array) -> Integers:
    """Which value each node compares; those of leaves mean nothing."""
    found = np.array(_listed(values, "nodes_featureids", len(modes)), dtype=np.int64)
    found[modes == LEAF] = 0
    wholes(found.tolist(), "nodes_featureids", 0, given.shape[1] - 1)
    return found


def _tracks(values: dict[str, Any], n: int) -> npt.NDArray[np.bool_]:
    name = "nodes_missing_value_tracks_true"
    return _wholes(values, name, n, 1).astype(np.bool_) if values.get(name) else np.zeros(n, dtype=np.bool_)


def _children(given: Integers, modes: Integers, places: Mapping[int, int]) -> Integers:
    """Places in the tree, where the tree's own numbers are given; -1 for leaves."""
    found = np.full(len(given), -1)
    for place in np.flatnonzero(modes != LEAF).tolist():
        if int(given[place]) not in places:
            raise ValueError(f"nodes_truenodeids and nodes_falsenodeids must be nodes of the tree, not {given[place]}")
        found[place] = places[int(given[place])]
    return found


_Weight = tuple[int, int, float]
"""Node, output, and what it adds."""


def _leaves(values: dict[str, Any], prefix: str, outputs: int, dtype: np.dtype[Any]) -> dict[int, list[_Weight]]:
    trees = wholes(values.get(f"{prefix}_treeids"), f"{prefix}_treeids", 0, MAX_TREES)
    nodes = _wholes(values, f"{prefix}_nodeids", len(trees), (1 << 31) - 1).tolist()
    ids = _wholes(values, f"{prefix}_ids", len(trees), outputs - 1).tolist()
    weights = _numbers(values, f"{prefix}_weights", dtype, len(trees)).astype(np.float64)
    if not np.isfinite(weights).all():
        raise ValueError(f"{prefix}_weights must be finite")
    found: dict[int, list[_Weight]] = {}
    for tree, node, output, weight in zip(trees, nodes, ids, weights.tolist(), strict=True):
        found.setdefault(tree, []).append((node, output, weight))
    return found


def _placed(weights: list[_Weight], places: Mapping[int, int], modes: Integers, outputs: int) -> tuple[Reals, int]:
    """Values of the nodes of a tree, of one output where it has one alone."""
    used = {output for _, output, _ in weights}
    alone = len(used) <= 1
    if len(modes) * (1 if alone else outputs) > _MAX_VALUES:
        raise ValueError(f"leaves must have at most {_MAX_VALUES} values together")
    found = np.zeros((len(modes), 1 if alone else outputs))
    for node, output, weight in weights:
        place = places.get(node)
        if place is None or modes[place] != LEAF:
            raise ValueError(f"weights must be of leaves, not of node {node}")
        found[place, 0 if alone else output] += weight
    return found, min(used, default=0)


def _newer(node: NodeProto, values: dict[str, Any], given: Array) -> TreeNode:
    """TreeEnsemble, of ai.onnx.ml 5: splits and leaves in lists of their own, trees by their roots."""
    dtype, outputs = _type(given), whole(values.get("n_targets"), "n_targets", 1, MAX_OUTPUTS)
    if given.dtype != dtype:
        raise ValueError("its input must be float32 or float64")
    modes = _tensor(values, "nodes_modes", np.dtype(np.uint8)).astype(np.int64)
    n = len(modes)
    if n and modes.max() >= LEAF:
        raise ValueError(f"nodes_modes must be from 0 to {LEAF - 1}")
    numbers, weights = (_tensor(values, name, dtype) for name in ("nodes_splits", "leaf_weights"))
    if len(numbers) != n or not np.isfinite(weights).all() or np.isnan(numbers[modes != MEMBER]).any():
        raise ValueError(f"nodes_splits must be {n} numbers, and leaf_weights finite")
    leaves, targets = len(weights), _wholes(values, "leaf_targetids", len(weights), outputs - 1)
    ends = []
    for side in ("true", "false"):
        is_leaf = _wholes(values, f"nodes_{side}leafs", n, 1).astype(np.bool_)
        place = _wholes(values, f"nodes_{side}nodeids", n, max(n, leaves) - 1)
        if (place >= np.where(is_leaf, leaves, n)).any():
            raise ValueError(f"nodes_{side}nodeids must be those of nodes and of leaves")
        ends.append(np.where(is_leaf, n + place, place))
    details = {
        "modes": modes,
        "features": _features(values, modes, given),
        "numbers": numbers,
        "tracks": _tracks(values, n),
    }
    sets = _sets(values, modes, dtype)
    roots = wholes(values.get("tree_roots"), "tree_roots", 0, n - 1)
    trees, seen = [], np.zeros(n, dtype=np.bool_)
    for root in roots:
        order = _below(root, ends[0], ends[1], seen)
        trees.append(_renumbered(order, details, ends, sets, targets, weights.astype(np.float64), outputs))
    transform, aggregate = (
        known[whole(values.get(name, default), name, 0, len(known) - 1)]
        for name, known, default in (("post_transform", _TRANSFORMS, 0), ("aggregate_function", _AGGREGATES, 1))
    )
    if transform in ("SOFTMAX", "LOGISTIC"):
        advice = (
            "ONNX Runtime takes SOFTMAX for LOGISTIC and the other way round. Export it with NONE, and a node after it"
        )
        raise refuse(node, f"has post_transform {transform}", advice)
    return _ensemble(node, values, trees, outputs, dtype, transform, aggregate)


def _below(root: int, true: Integers, false: Integers, seen: npt.NDArray[np.bool_]) -> list[int]:
    """The nodes and leaves of a tree, the root first; each node is of one tree, in one place."""
    found, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        found.append(one)
        if one < len(seen):
            if seen[one]:
                raise ValueError(f"node {one} must have one parent")
            seen[one] = True
            waiting += [int(false[one]), int(true[one])]
    return found


def _renumbered(
    order: list[int],
    details: dict[str, Array],
    ends: list[Integers],
    sets: Mapping[int, Array],
    targets: Integers,
    weights: Reals,
    outputs: int,
) -> OnnxTree:
    """One tree with numbers of its own; a leaf is as many nodes as lead to it."""
    n = len(details["modes"])
    nodes = np.array(order)
    inner = nodes < n
    found = {name: np.zeros(len(nodes), dtype=one.dtype) for name, one in details.items()}
    for name, one in details.items():
        found[name][inner] = one[nodes[inner]]
    found["modes"][~inner] = LEAF
    children = [np.full(len(nodes), -1) for _ in ends]
    waiting: list[tuple[int, int]] = []
    # In the order of _below, a node follows its parent's side that is still open last.
    for place, number in enumerate(order):
        if waiting:
            parent, side = waiting.pop()
            children[side][parent] = place
        if number < n:
            waiting += [(place, 1), (place, 0)]
    leaves = [(place, int(targets[one - n]), float(weights[one - n])) for place, one in enumerate(order) if one >= n]
    members = {place: sets[one] for place, one in enumerate(order) if one in sets}
    places = {place: place for place in range(len(nodes))}
    return _tree(found, children[0], children[1], members, _placed(leaves, places, found["modes"], outputs))


def _sets(values: dict[str, Any], modes: Integers, dtype: np.dtype[Any]) -> dict[int, Array]:
    """The members of every node of the mode BRANCH_MEMBER, which NaN ends."""
    nodes = np.flatnonzero(modes == MEMBER).tolist()
    members = _tensor(values, "membership_values", dtype) if nodes or "membership_values" in values else np.zeros(0)
    ends = np.flatnonzero(np.isnan(members))
    if len(ends) != len(nodes) or (len(ends) and ends[-1] != len(members) - 1):
        raise ValueError(f"membership_values must be {len(nodes)} sets, each with a NaN after it")
    return {node: one[:-1] for node, one in zip(nodes, np.split(members, ends + 1), strict=False)}


def _tree(
    details: dict[str, Array], true: Integers, false: Integers, sets: Mapping[int, Array], values: tuple[Reals, int]
) -> OnnxTree:
    if len(true) > MAX_NODES:
        raise ValueError(f"a tree must have at most {MAX_NODES} nodes, not {len(true)}")
    check_reachable(true.tolist(), false.tolist())
    return OnnxTree(**details, true=true, false=false, members=sets, values=values[0], output=values[1])


def _ensemble(
    node: NodeProto,
    values: dict[str, Any],
    trees: list[OnnxTree],
    outputs: int,
    dtype: np.dtype[Any],
    transform: str,
    aggregate: str,
) -> TreeNode:
    """All trees, with one value each or one of each output."""
    if not 1 <= len(trees) <= MAX_TREES:
        raise ValueError(f"it must have 1 to {MAX_TREES} trees, not {len(trees)}")
    if aggregate not in ("SUM", "AVERAGE"):
        raise refuse(node, f"takes {aggregate} of its trees", "what is private is a sum. Use SUM or AVERAGE")
    if transform not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise refuse(node, f"has post_transform {transform}", "export it with NONE, SOFTMAX or LOGISTIC")
    base = _numbers(values, "base_values", dtype).astype(np.float64)
    if len(base) not in (0, outputs) or not np.isfinite(base).all():
        raise ValueError(f"base_values must be {outputs} finite numbers, or none")
    share = 1.0 / len(trees) if aggregate == "AVERAGE" else 1.0
    mixed = any(one.values.shape[1] > 1 for one in trees)
    found = [_widened(one, outputs if mixed else 1, share) for one in trees]
    return TreeNode(node, found, base if len(base) else np.zeros(outputs), dtype, transform)


def _widened(one: OnnxTree, columns: int, share: float) -> OnnxTree:
    values = one.values * share
    if values.shape[1] == columns:
        return replace(one, values=values)
    if len(values) * columns > _MAX_VALUES:
        raise ValueError(f"leaves must have at most {_MAX_VALUES} values together")
    return replace(one, values=values * np.eye(columns)[one.output])


def _type(given: Array) -> np.dtype[Any]:
    """What a node compares in; whole numbers are compared as float32."""
    return np.dtype(np.float64 if given.dtype == np.float64 else np.float32)


def _listed(values: dict[str, Any], name: str, count: int) -> Sequence[Any]:
    found: Sequence[Any] = values.get(name, ())
    if len(found) != count:
        raise ValueError(f"{name} must have {count} values, not {len(found)}")
    return found


def _wholes(values: dict[str, Any], name: str, count: int, high: int) -> Integers:
    return np.array(wholes(list(_listed(values, name, count)), name, 0, high), dtype=np.int64)


def _numbers(values: dict[str, Any], name: str, dtype: np.dtype[Any], count: int | None = None) -> Array:
    """An attribute of float32, or that of the same name as a tensor of the type of the inputs; none is empty."""
    if f"{name}_as_tensor" in values:
        found = _tensor(values, f"{name}_as_tensor", dtype)
    else:
        found = np.array(values.get(name, ()), dtype=dtype)
    if count is not None and (len(found) != count or np.isnan(found).any()):
        raise ValueError(f"{name} must be {count} numbers, not {len(found)}")
    return found


def _tensor(values: dict[str, Any], name: str, dtype: np.dtype[Any]) -> Array:
    found = values.get(name)
    if not isinstance(found, TensorProto) or found.data_location == TensorProto.EXTERNAL:
        raise ValueError(f"{name} must be a tensor")
    array = numpy_helper.to_array(found)
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(f"{name} must be a list of {dtype}, not {array.dtype} of shape {array.shape}")
    return array


_READERS: Mapping[str, Callable[[NodeProto, dict[str, Any], Array], TreeNode]] = {
    "TreeEnsemble": _newer,
    "TreeEnsembleClassifier": _classifier,
    "TreeEnsembleRegressor": _regressor,
}
