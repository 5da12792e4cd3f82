"""Which values of a step are inputs as they come: those may be categories, which later steps read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Reals
from ..errors import CompileError
from ..features import Categories


@dataclass(frozen=True)
class Passed:
    """An input that a step passes on: ``column`` is its number, ``fills`` what stands for a missing value of it."""

    column: int
    fills: Mapping[Any, Any] = field(default_factory=dict)

    def after(self, first: Passed) -> Passed:
        """The input that ``first`` passes on to this one."""
        return Passed(first.column, {**self.fills, **first.fills})


Passes = Mapping[int, Passed]
"""The number of a value of a step -> the input that it is."""


def of_weights(weights: Any, bias: Reals) -> Passes:
    """The values of an affine step that are one of its inputs."""
    rows, columns = weights.nonzero()
    alone = (np.bincount(rows, minlength=weights.shape[0]) == 1) & (bias == 0)
    single = alone[rows]
    rows, columns = rows[single], columns[single]
    if not len(rows):
        return {}
    values = np.asarray(weights[rows, columns]).reshape(-1)
    pairs = zip(rows[values == 1].tolist(), columns[values == 1].tolist(), strict=True)
    return {row: Passed(column) for row, column in pairs}


def chained(first: Passes, second: Passes) -> Passes:
    """What two steps pass on, one after the other."""
    return {value: one.after(first[one.column]) for value, one in second.items() if one.column in first}


def merged(*tables: Mapping[int, Categories]) -> dict[int, Categories]:
    """The categories of inputs, where several steps read the same.

    Raises
    ------
    CompileError
        If two steps read an input as different categories.
    """
    found: dict[int, Categories] = {}
    for column, one in (item for table in tables for item in table.items()):
        if column in found and found[column].document() != one.document():
            raise CompileError(
                f"every step must read an input as the same categories. Two read input {column} as different ones, "
                f"such as {found[column]} and {one}: give them the same categories= and handle_unknown=."
            )
        found[column] = one
    return found


def moved(categories: Mapping[int, Categories], passes: Passes) -> dict[int, Categories]:
    """The categories of a step's values, as those of its inputs.

    Raises
    ------
    CompileError
        If one of these values is not an input.
    """
    tables = []
    for value, one in categories.items():
        if value not in passes:
            raise CompileError(
                "categories must be read from inputs as they come, or from those whose missing values a SimpleImputer "
                f"filled. Value {value} before a step with categories was computed: encode it before that."
            )
        passed, found = passes[value], one
        for missing, fill in passed.fills.items():
            found = found.filled(missing, fill)
        tables.append({passed.column: found})
    return merged(*tables)
