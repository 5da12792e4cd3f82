"""Rule lists and scorecards: every rule is a tree of one path; rules that are tried in order are one tree together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import UnsupportedModelError
from ...features import Categories
from ...head import Head
from ...rules import Condition, Rules
from ..linear import LinearMap
from .assembly import map_of_trees
from .slot_masks import Axes, Mask, SplitMasks
from .step_functions import StepFunction, of_numbers
from .trees import LEFT, RIGHT, Tree

STEP = "rules"
_MAX_NODES = 1 << 16


def read_rules(rules: Rules) -> LinearMap:
    """The scores of rules.

    Raises
    ------
    UnsupportedModelError
        If rules that are tried in order make too large a tree.
    """
    columns = {name: number for number, name in enumerate(rules.columns)}
    categories = {columns[name]: one for name in rules.columns if (one := _categories(rules, name)) is not None}
    splits = _Splits(rules, columns, categories)
    if rules.first:
        trees = [_tried_in_order(rules, splits)]
    else:
        trees = [_one_path([splits.of(one) for one in rule.conditions], rule.value) for rule in rules.rules]
    if rules.decides:
        head = Head("decision_function", labels=np.array([False, True]), squeeze=True)
    else:
        head = Head("predict", squeeze=True)
    bias = np.array([rules.start])
    linear = map_of_trees(trees, bias, len(columns), head, step=STEP, categories=categories)
    return replace(linear, feature_names=rules.columns)


def _categories(rules: Rules, column: str) -> Categories | None:
    """The texts that conditions name, everything else as one more; None for a column of numbers."""
    if any(one.intervals for one in rules.conditions_on(column)):
        return None
    texts = sorted({text for one in rules.conditions_on(column) for text in one.texts or ()})
    others = len(texts)
    missing = others + 1 if any(one.missing for one in rules.conditions_on(column)) else others
    return Categories([*texts, None], [*range(others), missing], unknown=others, nan=missing)


class _Splits:
    """Conditions as splits: what holds goes to the left."""

    def __init__(self, rules: Rules, columns: dict[str, int], categories: dict[int, Categories]) -> None:
        self._columns, self._categories = columns, categories
        self._missing = {name: any(one.missing for one in rules.conditions_on(name)) for name in rules.columns}

    def of(self, condition: Condition) -> StepFunction:
        column = self._columns[condition.column]
        if column in self._categories:
            return self._of_texts(column, condition)
        missing = (LEFT if condition.missing else RIGHT) if self._missing[condition.column] else None
        inside = sorted({end for interval in condition.intervals for end in interval if math.isfinite(end)})
        starts = np.array([-math.inf, *inside])
        holds = np.zeros(len(starts), dtype=np.bool_)
        for low, high in condition.intervals:
            holds |= (starts >= low) & (starts < high)
        return StepFunction(column, starts[1:], np.where(holds[:, None], LEFT, RIGHT), missing)

    def _of_texts(self, column: int, condition: Condition) -> StepFunction:
        categories = self._categories[column]
        numbers = dict(zip(categories.values, categories.numbers, strict=True))
        chosen = [int(numbers[one]) for one in condition.texts or ()]
        chosen += [int(categories.nan or 0)] if condition.missing else []
        found = of_numbers(column, chosen, float, LEFT, RIGHT, RIGHT)
        return StepFunction(column, found.edges, found.values)


def _one_path(splits: Sequence[StepFunction], value: float) -> Tree:
    """``value`` where all conditions hold, 0 elsewhere."""
    count = len(splits)
    return Tree(
        splits=[*splits, None, None],
        left=[*range(1, count + 1), 0, 0],
        right=[*([count + 1] * count), 0, 0],
        values=np.array([0.0] * count + [value, 0.0])[:, None],
    )


def _tried_in_order(rules: Rules, splits: _Splits) -> Tree:
    """The value of the first rule that holds. What earlier conditions decided is not asked again."""
    conditions = [[splits.of(one) for one in rule.conditions] for rule in rules.rules]
    values = [*(rule.value for rule in rules.rules), rules.otherwise]
    masks = SplitMasks(Axes.of(one for each in conditions for one in each))
    nodes: list[StepFunction | None] = []
    leaves: list[float] = []
    children: tuple[list[int], list[int]] = [], []
    waiting: list[tuple[_State, int, int]] = [((0, 0, {}), -1, 0)]
    while waiting:
        state, parent, side = waiting.pop()
        number, (rule, place, path) = len(nodes), _next(conditions, masks, state)
        if number > _MAX_NODES:
            raise UnsupportedModelError(
                f"rules that are tried in order must make a tree of at most {_MAX_NODES} nodes. These make more: use "
                "fewer columns a rule, or match='all'."
            )
        if parent >= 0:
            children[side][parent] = number
        split = conditions[rule][place] if rule < len(conditions) and place < len(conditions[rule]) else None
        nodes.append(split)
        leaves.append(values[rule])
        for one in children:
            one.append(0)
        if split is not None:
            holds, fails = _ways(masks, split, path)
            waiting.append(((rule + 1, 0, {**path, split.column: fails}), number, 1))
            waiting.append(((rule, place + 1, {**path, split.column: holds}), number, 0))
    return Tree(splits=nodes, left=children[0], right=children[1], values=np.array(leaves)[:, None])


_State = tuple[int, int, dict[int, Mask]]
"""The rule and the condition that are asked next, and the slots of every input that lead there."""


def _next(conditions: Sequence[Sequence[StepFunction]], masks: SplitMasks, state: _State) -> _State:
    """The next condition that is not decided yet, or the end of a rule, or of all."""
    rule, place, path = state
    while rule < len(conditions) and place < len(conditions[rule]):
        holds, fails = _ways(masks, conditions[rule][place], path)
        if holds.any() and fails.any():
            break
        rule, place = (rule, place + 1) if holds.any() else (rule + 1, 0)
    return rule, place, path


def _ways(masks: SplitMasks, split: StepFunction, path: dict[int, Mask]) -> tuple[Mask, Mask]:
    goes_left = masks.goes_left(split)
    allowed = path.get(split.column, np.ones(len(goes_left), dtype=np.bool_))
    return allowed & goes_left, allowed & ~goes_left
