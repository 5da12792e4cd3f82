"""LightGBM's model files, .txt: checked, and only then read by LightGBM, which crashes on others.

Of a file, what LightGBM predicts with is written anew. What it does not need is left out, such as the sizes of trees in
bytes, by which it finds them, and the ranges of inputs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from ...errors import CompileError
from .tree_files import MAX_NODES, MAX_TREES, bytes_of, check_reachable, reals, whole, wholes

_OBJECTIVE = re.compile(r"[a-z0-9_]+( ([a-z_]+:[0-9.e+-]+|sqrt))*")
_DECISIONS = range(16)
"""Bit 0 says that a split is by categories, bit 1 where missing values go, bits 2 and 3 what is missing."""

_CODES = re.compile(r"-?[0-9]{1,9}(:-?[0-9]{1,9})*")
_WORD = (1 << 32) - 1
_END = "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\n"
_NAMES = "\npandas_categorical:"


def load(path: Path) -> Any:
    """The booster that LightGBM's ``save_model`` wrote.

    Raises
    ------
    CompileError
        If the file is missing, damaged, or no such model, or LightGBM is not there.
    """
    data = bytes_of(path)
    try:
        checked = "\n".join(_lines(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise CompileError(
            f"{path} must be a model that LightGBM's save_model wrote. It is not: {error}. Save it again from the "
            "booster."
        ) from error
    try:
        import lightgbm
    except ModuleNotFoundError as error:
        raise CompileError(f"reading {path} needs LightGBM. Install it with: pip install lightgbm") from error
    try:
        return lightgbm.Booster(model_str=checked)
    except lightgbm.basic.LightGBMError as error:
        raise CompileError(f"{path} must be a model of the installed LightGBM. It is refused: {error}") from error


def _lines(text: str) -> Iterator[str]:
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    first, *lines = head.splitlines() or [""]
    if first.strip() != "tree" or not 1 <= len(blocks) <= MAX_TREES:
        raise ValueError(f"it must start with 'tree', and have 1 to {MAX_TREES} trees")
    shape = _header(_values(lines))
    if len(blocks) % int(shape["num_tree_per_iteration"]):
        raise ValueError("it must have as many trees in every iteration")
    yield "tree"
    yield from _written(shape)
    if "average_output" in lines:
        yield "average_output"
    for number, block in enumerate(blocks):
        own, *rest = block.splitlines() or [""]
        whole(own, "Tree", number, number)
        yield f"\nTree={number}"
        yield from _written(_tree(_values(rest), int(shape["max_feature_idx"])))
        yield ""
    yield _END + _names(text)


def _names(text: str) -> str:
    """The names of the categories of columns of a DataFrame, in the last line."""
    _, found, line = text.rpartition(_NAMES)
    known = json.loads(line) if found else None
    columns = [] if known is None else known
    plain = isinstance(columns, list) and all(isinstance(column, list) for column in columns)
    if not plain or not all(isinstance(value, str | int | float) for column in columns for value in column):
        raise ValueError("pandas_categorical must be lists of texts and numbers")
    return f"pandas_categorical:{json.dumps(known)}\n"


def _values(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _written(values: dict[str, str]) -> Iterator[str]:
    return (f"{name}={value}" for name, value in values.items())


def _header(given: dict[str, str]) -> dict[str, str]:
    inputs = whole(given.get("max_feature_idx"), "max_feature_idx", 0, MAX_FEATURES - 1) + 1
    classes = whole(given.get("num_class"), "num_class", 1, MAX_OUTPUTS)
    whole(given.get("num_tree_per_iteration"), "num_tree_per_iteration", classes, classes)
    whole(given.get("label_index", "0"), "label_index", 0, 1 << 30)
    if given.get("version") not in ("v2", "v3", "v4"):
        raise ValueError("its version must be v2, v3 or v4")
    names = given.get("feature_names", "")
    if len(names.split()) != inputs or not names.isprintable():
        raise ValueError(f"feature_names must be {inputs} texts")
    kept = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")
    return {
        **{name: given[name] for name in kept if name in given},
        "objective": _objective(given.get("objective", ""), classes),
        "feature_names": names,
        "feature_infos": " ".join(_codes(given.get("feature_infos", "").split(), inputs)),
    }


def _codes(infos: list[str], inputs: int) -> list[str]:
    """The numbers of categories of each input that has some."""
    if len(infos) != inputs:
        return ["none"] * inputs
    return [info if _CODES.fullmatch(info) else "none" for info in infos]


def _objective(given: str, classes: int) -> str:
    """An objective with its options; those of a function of the caller's own are unknown."""
    if not _OBJECTIVE.fullmatch(given):
        raise ValueError(f"its objective must be a name with options, not {given[:40]!r}")
    said = re.search(r"num_class:(\S+)", given)
    if (classes > 1) != (said is not None):
        raise ValueError("its objective must say the number of classes, if there are several")
    if said:
        whole(said[1], "num_class", classes, classes)
    return given


def _tree(given: dict[str, str], last: int) -> dict[str, str]:
    leaves = whole(given.get("num_leaves"), "num_leaves", 1, MAX_NODES)
    if given.get("is_linear", "0") != "0":
        raise ValueError("leaves must be numbers: fit it with linear_tree=False")
    split = leaves - 1
    left, right = (_numbers(given, name, -leaves, split - 1, split) for name in ("left_child", "right_child"))
    check_reachable(left, right)
    decisions = _numbers(given, "decision_type", 0, max(_DECISIONS), split)
    _check_sets(given, [decision & 1 for decision in decisions])
    _numbers(given, "split_feature", 0, last, split)
    for name in ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count"):
        if name == "threshold" or name in given:
            reals(_words(given, name), name, split)
    for name in ("leaf_value", "leaf_weight", "leaf_count"):
        if name == "leaf_value" or (name in given and (split or given[name])):
            reals(_words(given, name), name, leaves)
    reals([given.get("shrinkage", "1")], "shrinkage", 1)
    return {name: given[name] for name in _OF_A_TREE if name in given}


def _check_sets(given: dict[str, str], by_category: list[int]) -> None:
    """That splits by categories name a set, which is some words of bits."""
    sets = whole(given.get("num_cat", "0"), "num_cat", 0, sum(by_category))
    if any(by_category) and not sets:
        raise ValueError("num_cat must count the sets of splits by categories")
    thresholds = _words(given, "threshold")
    named = [one for one, is_set in zip(thresholds, by_category, strict=False) if is_set]
    wholes(named, "threshold of categories", 0, sets - 1, sum(by_category))
    if sets:
        words = _words(given, "cat_threshold")
        wholes(words, "cat_threshold", 0, _WORD)
        bounds = _numbers(given, "cat_boundaries", 0, len(words), sets + 1)
        if bounds != sorted(set(bounds)) or [bounds[0], bounds[-1]] != [0, len(words)]:
            raise ValueError(f"cat_boundaries must rise from 0 to {len(words)}")


def _numbers(given: dict[str, str], name: str, low: int, high: int, count: int) -> list[int]:
    return wholes(_words(given, name), name, low, high, count)


def _words(given: dict[str, str], name: str) -> list[str]:
    return given.get(name, "").split()


_OF_A_TREE = (
    *("num_leaves", "num_cat", "cat_boundaries", "cat_threshold", "split_feature", "split_gain", "threshold"),
    *("decision_type", "left_child", "right_child", "leaf_value", "leaf_weight", "leaf_count", "internal_value"),
    *("internal_weight", "internal_count", "is_linear", "shrinkage"),
)
