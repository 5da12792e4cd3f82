"""XGBoost's model files, .json and .ubj: checked, and only then read by XGBoost, which crashes on others."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from ...errors import CompileError
from .tree_files import MAX_NODES, MAX_TREES, bytes_of, check_reachable, reals, whole, wholes
from .ubjson import decode

_NO_PARENT = (1 << 31) - 1
_TREES = ("gbtree", "dart")


def load(path: Path) -> Any:
    """The booster that XGBoost's ``save_model`` wrote.

    Raises
    ------
    CompileError
        If the file is missing, damaged, or no such model, or XGBoost is not there.
    """
    data = bytes_of(path)
    try:
        model = decode(data) if path.suffix == ".ubj" else json.loads(data)
        checked = json.dumps({"learner": _learner(_part(model, "learner")), "version": _version(model)})
    except (ValueError, RecursionError) as error:
        raise CompileError(
            f"{path} must be a model that XGBoost's save_model wrote. It is not: {error}. Save it again from the "
            "booster."
        ) from error
    return _booster(path, checked)


def _booster(path: Path, checked: str) -> Any:
    try:
        import xgboost
    except ModuleNotFoundError as error:
        raise CompileError(f"reading {path} needs XGBoost. Install it with: pip install xgboost") from error
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(checked.encode()))
    except ValueError as error:
        words = (str(error).splitlines() or ["no reason given"])[0]
        raise CompileError(f"{path} must be a model of the installed XGBoost. It is refused: {words}") from error
    return booster


def _part(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"it has no {name!r}")
    return found


def _version(model: dict[str, Any]) -> list[int]:
    return wholes(model.get("version"), "version", 0, 1000, 3)


def _learner(learner: dict[str, Any]) -> dict[str, Any]:
    shape = _texts(_part(learner, "learner_model_param"), "learner_model_param")
    inputs = whole(shape.get("num_feature"), "num_feature", 1, MAX_FEATURES)
    classes = whole(shape.get("num_class", "0"), "num_class", 0, MAX_OUTPUTS)
    targets = whole(shape.get("num_target", "1"), "num_target", 1, MAX_OUTPUTS)
    if classes > 1 and targets > 1:
        raise ValueError("num_target must be 1 where num_class is more")
    outputs = max(1, classes) * targets
    scores = json.loads(shape.get("base_score", ""))
    reals(scores if isinstance(scores, list) else [scores], "base_score")
    return {
        "attributes": _texts(learner.get("attributes", {}), "attributes"),
        "feature_names": _names(learner.get("feature_names", []), inputs),
        "feature_types": _names(learner.get("feature_types", []), inputs),
        "gradient_booster": _gradient_booster(_part(learner, "gradient_booster"), inputs, outputs),
        "learner_model_param": shape,
        "objective": _objective(_part(learner, "objective")),
    }


def _texts(values: Any, name: str) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
        raise ValueError(f"{name} must hold texts")
    return values


def _names(values: Any, inputs: int) -> list[str]:
    found = [one for one in values if isinstance(one, str)] if isinstance(values, list) else None
    if found is None or len(found) != len(values) or len(found) not in (0, inputs):
        raise ValueError(f"names and types of features must be {inputs} texts, or none")
    return found


def _objective(objective: dict[str, Any]) -> dict[str, Any]:
    name = objective.get("name")
    if not isinstance(name, str):
        raise ValueError("the objective has no name")
    return {"name": name, **{key: _texts(one, key) for key, one in objective.items() if key != "name"}}


def _gradient_booster(booster: dict[str, Any], inputs: int, outputs: int) -> dict[str, Any]:
    name = booster.get("name")
    if name == "gblinear":
        weights = reals(_part(booster, "model").get("weights"), "weights", (inputs + 1) * outputs)
        return {"name": name, "model": {**_part(booster, "model"), "weights": weights}}
    if name not in _TREES:
        raise ValueError(f"the booster must be one of {', '.join(_TREES)} or gblinear, not {str(name)[:40]!r}")
    if name == "gbtree":
        model = _part(booster, "model")
        trees = _forest(model, inputs, outputs)
        if "weight_drop" in model:  # of DART since XGBoost 3.4
            trees["weight_drop"] = reals(model["weight_drop"], "weight_drop", len(trees["trees"]))
        return {"name": name, "model": trees}
    forest = _forest(_part(_part(booster, "gbtree"), "model"), inputs, outputs)
    dropped = reals(booster.get("weight_drop"), "weight_drop", len(forest["trees"]))
    return {"name": name, "gbtree": {"name": "gbtree", "model": forest}, "weight_drop": dropped}


def _forest(model: dict[str, Any], inputs: int, outputs: int) -> dict[str, Any]:
    trees, counts = model.get("trees"), _texts(_part(model, "gbtree_model_param"), "gbtree_model_param")
    if not isinstance(trees, list) or not all(isinstance(one, dict) for one in trees):
        raise ValueError("trees must be a list of trees")
    count = whole(counts.get("num_trees"), "num_trees", len(trees), min(len(trees), MAX_TREES))
    whole(counts.get("num_parallel_tree", "1"), "num_parallel_tree", 0, MAX_TREES)
    found = {
        "gbtree_model_param": counts,
        "trees": [_tree(one, number, inputs) for number, one in enumerate(trees)],
        "tree_info": wholes(model.get("tree_info"), "tree_info", 0, outputs - 1, count),
    }
    if "iteration_indptr" in model:
        found["iteration_indptr"] = _starts(model["iteration_indptr"], "iteration_indptr", count)
    return found if "cats" not in model else {**found, "cats": _categories(_part(model, "cats"), inputs)}


def _starts(values: Any, name: str, end: int, count: int | None = None) -> list[int]:
    """Where parts of a list start, such as the trees of every iteration, and the end of the last."""
    starts = wholes(values, name, 0, end, count)
    if starts != sorted(starts) or [starts[:1], starts[-1:]] != [[0], [end]]:
        raise ValueError(f"{name} must rise from 0 to {end}")
    return starts


def _categories(cats: dict[str, Any], inputs: int) -> dict[str, Any]:
    """The names of the categories of columns of a DataFrame; all empty where it had none."""
    known = cats.get("enc")
    if known == []:
        return {"enc": [], "feature_segments": [], "sorted_idx": []}
    if not isinstance(known, list) or len(known) != inputs or not all(isinstance(one, dict) for one in known):
        raise ValueError(f"the names of categories must be of {inputs} inputs")
    found = [_names_of_categories(one) for one in known]
    counts = [len(one["offsets"]) - 1 if one.get("offsets") else len(one["values"]) for one in found]
    order = wholes(cats.get("sorted_idx"), "sorted_idx", 0, MAX_NODES, sum(counts))
    segments = _starts(cats.get("feature_segments"), "feature_segments", sum(counts), inputs + 1)
    if [end - start for start, end in pairwise(segments)] != counts or any(
        sorted(order[start:end]) != list(range(end - start)) for start, end in pairwise(segments)
    ):
        raise ValueError("the order of categories must be of all of them")
    return {"enc": found, "feature_segments": segments, "sorted_idx": order}


def _names_of_categories(one: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers of a type, or the bytes of texts and where each starts; none has no bytes and no start."""
    if "offsets" not in one:
        kind = whole(one.get("type"), "type of categories", _WHOLE_NUMBERS[0], _WHOLE_NUMBERS[-1])
        values = wholes(one.get("values"), "categories", -(1 << 63) + 1, (1 << 63) - 1)
        return {"type": kind, "values": values}
    values = wholes(one.get("values"), "bytes of categories", -128, 127)
    return {"offsets": _starts(one["offsets"], "offsets", len(values)) if one["offsets"] else [], "values": values}


def _sets_of_categories(tree: dict[str, Any], by_category: list[int]) -> dict[str, list[int]]:
    """The categories that go right at every node that splits by some."""
    chosen = [node for node, one in enumerate(by_category) if one]
    if wholes(tree.get("categories_nodes", []), "categories_nodes", 0, MAX_NODES) != chosen:
        raise ValueError("categories_nodes must be those whose split_type is 1")
    found = wholes(tree.get("categories", []), "categories", 0, _MOST_CATEGORIES)
    starts = wholes(tree.get("categories_segments", []), "categories_segments", 0, len(found), len(chosen))
    sizes = wholes(tree.get("categories_sizes", []), "categories_sizes", 1, len(found), len(chosen))
    if [*starts, len(found)] != [0, *(start + size for start, size in zip(starts, sizes, strict=True))]:
        raise ValueError("categories_segments and categories_sizes must say which categories are of which node")
    return {
        "categories": found,
        "categories_nodes": chosen,
        "categories_segments": starts,
        "categories_sizes": sizes,
    }


def _as_numbers(values: Any) -> Any:
    """Booleans, which older versions write, as 0 and 1."""
    return [int(one) if isinstance(one, bool) else one for one in values] if isinstance(values, list) else values


def _tree(tree: dict[str, Any], number: int, inputs: int) -> dict[str, Any]:
    shape = _texts(_part(tree, "tree_param"), "tree_param")
    n = whole(shape.get("num_nodes"), "num_nodes", 1, MAX_NODES)
    whole(shape.get("num_feature"), "num_feature", inputs, inputs)
    whole(shape.get("num_deleted", "0"), "num_deleted", 0, n)
    whole(shape.get("size_leaf_vector", "1"), "size_leaf_vector", 0, 1)
    children = {name: wholes(tree.get(name), name, -1, n - 1, n) for name in ("left_children", "right_children")}
    if any((one < 0) != (other < 0) for one, other in zip(*children.values(), strict=True)):
        raise ValueError("a node must have two children, or none")
    check_reachable(*children.values())
    by_category = wholes(tree.get("split_type", [0] * n), "split_type (1: by categories)", 0, 1, n)
    return {
        "id": number,
        "tree_param": shape,
        **children,
        "parents": _parents(*children.values()),
        "split_indices": wholes(tree.get("split_indices"), "split_indices", 0, inputs - 1, n),
        "split_type": by_category,
        "default_left": wholes(_as_numbers(tree.get("default_left")), "default_left", 0, 1, n),
        **{name: reals(tree.get(name), name, n) for name in _REALS},
        **_sets_of_categories(tree, by_category),
    }


def _parents(left: list[int], right: list[int]) -> list[int]:
    """The parent of every node."""
    found = [_NO_PARENT] * len(left)
    for children in (left, right):
        for node, child in enumerate(children):
            if child >= 0:
                found[child] = node
    return found


_REALS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_WHOLE_NUMBERS = range(9, 17)
"""XGBoost's numbers of types: int8, uint8, …, uint64."""

_MOST_CATEGORIES = 1 << 16
