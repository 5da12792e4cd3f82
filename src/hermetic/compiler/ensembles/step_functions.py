"""Step functions of single inputs, and what their sum is made of: public edges, private values.

A tree that splits on one input is a step function of it. So a sum of such trees is a *generalised additive model*
(T. Hastie, R. Tibshirani: *Generalized additive models*, Statistical Science 1986), score = bias + sum of f_i(x_i), in
which each f_i is a step function, and as such linear in the indicators of its intervals. This holds for every x:
nothing is approximated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np

from ...arrays import Reals

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A function of one input: ``values[j]`` (k,) where edges[j-1] <= x < edges[j], for every finite float64 x.

    Attributes
    ----------
    column
        The number of the input.
    edges, values
        (m,), increasing, and (m + 1, k).
    missing
        (k,), the value where x is NaN; None where that has no meaning.
    """

    column: int
    edges: Reals
    values: Reals
    missing: Reals | None = None

    @property
    def reach(self) -> Reals:
        """Largest absolute value (k,)."""
        rows = self.values if self.missing is None else np.vstack([self.values, self.missing])
        return np.asarray(np.abs(rows).max(axis=0))

    def at(self, starts: Reals) -> Reals:
        """The values (n, k) of numbers (n,)."""
        return np.asarray(self.values[np.searchsorted(self.edges, starts, side="right")])

    @property
    def rows(self) -> Reals:
        """The values of all intervals, then that of NaN, if it has a meaning: (m + 1 or m + 2, k)."""
        return self.values if self.missing is None else np.vstack([self.values, self.missing])


def step(column: int, edge: float, below: Reals, above: Reals, missing: Reals | None = None) -> StepFunction:
    """``below`` (k,) where x < edge, ``above`` from there on; an infinite edge leaves one of them for every x."""
    if edge > LARGEST:
        return StepFunction(column, np.zeros(0), below[None], missing)
    if edge <= -LARGEST:
        return StepFunction(column, np.zeros(0), above[None], missing)
    return StepFunction(column, np.array([edge]), np.stack([below, above]), missing)


def of_numbers(
    column: int, numbers: Iterable[int], starts: Callable[[int], float], those: Reals, others: Reals, missing: Reals
) -> StepFunction:
    """``those`` (k,) where x is one of some whole numbers, ``others`` for all others.

    Each is from ``starts(number)`` up to the start of the next.
    """
    known = set(numbers)
    edges = sorted({one + next_ for one in known for next_ in (0, 1)})
    values = [others, *(those if one in known else others for one in edges)]
    return StepFunction(column, np.array([starts(one) for one in edges]), np.stack(values), missing)


def after(threshold: float) -> float:
    """The edge of a split by x <= threshold in float64: the next number."""
    return math.nextafter(threshold, math.inf)


def rounding_to(least: np.float32) -> float:
    """The edge of a split by float32(x) >= least: the smallest float64 that is rounded to ``least`` or more."""
    if abs(least) >= np.finfo(np.float32).max:
        return float(least)
    below = np.nextafter(least, np.float32(-np.inf))
    middle = (float(below) + float(least)) / 2
    return middle if np.float32(middle) >= least else after(middle)


def joined(functions: Iterable[StepFunction]) -> list[StepFunction]:
    """One function for each input, the sum of those that were given; edges that change nothing are left out.

    Either all functions of an input have a value for NaN, or none has; constants have theirs.
    """
    ordered = sorted(functions, key=attrgetter("column"))
    return [_without_idle_edges(_sum(list(group))) for _, group in groupby(ordered, key=attrgetter("column"))]


def _sum(functions: Sequence[StepFunction]) -> StepFunction:
    edges = np.unique(np.concatenate([function.edges for function in functions]))
    starts = np.append(-np.inf, edges)
    values = sum(function.at(starts) for function in functions)
    known = any(function.missing is not None for function in functions)
    missing = sum(function.values[0] if function.missing is None else function.missing for function in functions)
    return StepFunction(functions[0].column, edges, np.asarray(values), np.asarray(missing) if known else None)


def _without_idle_edges(one: StepFunction) -> StepFunction:
    acts = (np.diff(one.values, axis=0) != 0).any(axis=1)
    return StepFunction(one.column, one.edges[acts], one.values[np.append(True, acts)], one.missing)
