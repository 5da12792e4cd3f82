"""Step functions: their sums are what they are the sums of, at every value, and edges are where float32 jumps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hermetic.compiler.ensembles.assembly import FLOAT64, additive_map
from hermetic.compiler.ensembles.pairs import PairFunction
from hermetic.compiler.ensembles.step_functions import StepFunction, after, joined, rounding_to, step
from hermetic.compiler.ensembles.trees import LEFT, RIGHT, Tree, branch, leaf
from hermetic.head import Head

numbers = st.integers(-3, 3).map(float)
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def functions(draw: st.DrawFn) -> StepFunction:
    edges = np.unique(draw(st.lists(numbers, max_size=4)))
    values = draw(st.lists(numbers, min_size=len(edges) + 1, max_size=len(edges) + 1))
    return StepFunction(draw(st.integers(0, 2)), edges, np.array(values)[:, None], np.array([draw(numbers)]))


def value(one: StepFunction, x: float) -> float:
    """The definition, in a loop."""
    if np.isnan(x):
        return float(one.missing[0])
    return float(one.values[sum(edge <= x for edge in one.edges)][0])


@given(st.lists(functions(), min_size=1, max_size=6))
@settings(max_examples=100)
def test_a_sum_of_functions_is_a_map_of_bins(drawn: list[StepFunction]) -> None:
    """All values are whole numbers, so that nothing rounds."""
    X = np.array([[a, b, -a] for a in (-9.0, -1.5, 0.0, 1.0, 3.0, np.nan) for b in (-3.0, 0.5, 2.0, np.nan)])
    expected = [sum(value(one, row[one.column]) for one in drawn) for row in X]
    constant = all(len(np.unique(one.rows)) == 1 for one in joined(drawn))
    if constant:
        drawn = [*drawn, step(0, 0.0, np.array([0.0]), np.array([1.0]), np.array([0.0]))]
        expected = [one + (row[0] >= 0) for one, row in zip(expected, X, strict=True)]
    found = additive_map(drawn, np.zeros(1), 3, Head("predict"), step="sum")
    assert np.array_equal(found.feature_map.apply(X) @ found.weights[0] + found.bias[0], expected)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[StepFunction, Callable[[float], float]]:
    """A tree of one input, and what it gives for a value."""
    if not depth or draw(st.booleans()):
        constant = draw(numbers)
        return leaf(np.array([constant])), lambda x: constant
    edge, missing_left = draw(numbers), draw(st.booleans())
    (left, to_left), (right, to_right) = draw(trees(depth=depth - 1)), draw(trees(depth=depth - 1))
    split = step(1, edge, LEFT, RIGHT, LEFT if missing_left else RIGHT)

    def descend(x: float) -> float:
        return (to_left if (missing_left if np.isnan(x) else x < edge) else to_right)(x)

    return branch(split, left, right), descend


@given(trees())
@settings(max_examples=200)
def test_a_tree_of_one_input_is_a_step_function(drawn: tuple[StepFunction, Callable[[float], float]]) -> None:
    one, descend = drawn
    for x in (*np.arange(-4.5, 4.5, 0.5), *([] if one.missing is None else [np.nan])):
        assert value(one, x) == descend(x)


def test_a_tree_of_lists_is_the_function_of_its_nodes_however_deep_it_is() -> None:
    """A chain: each split sends one interval to a leaf."""
    depth = 3000
    splits = [step(1, float(i), LEFT, RIGHT) for i in range(depth)] + [None] * (depth + 1)
    left, right = list(range(depth, 2 * depth)), [*range(1, depth), 2 * depth]
    one = Tree(splits, left, right, np.arange(2.0 * depth + 1)[:, None] - depth)
    found = one.as_function(1)
    assert one.columns == {1}
    assert np.array_equal(found.values[:, 0], np.arange(depth + 1.0))


@given(st.lists(functions(), min_size=1, max_size=6))
@settings(max_examples=50)
def test_every_edge_that_is_published_matters(drawn: list[StepFunction]) -> None:
    for one in joined(drawn):
        assert (np.diff(one.values, axis=0) != 0).all()


@given(floats32)
@example(0.0)
@example(1.0)
@example(float(np.float32(1) - np.float32(2**-24)))
@example(float(np.finfo(np.float32).tiny))
@example(-float(np.finfo(np.float32).tiny))
def test_an_edge_of_float32_is_where_its_rounding_gets_there(threshold: float) -> None:
    least = np.float32(threshold)
    edge = rounding_to(least)
    if abs(threshold) >= np.finfo(np.float32).max:
        return
    assert np.float32(edge) >= least
    assert np.float32(np.nextafter(edge, -np.inf)) < least


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_edge_after_a_threshold_is_the_next_number(threshold: float) -> None:
    edge = after(threshold)
    assert not edge <= threshold
    assert np.nextafter(edge, -np.inf) <= threshold


def test_a_split_that_sends_every_number_one_way_has_no_edge() -> None:
    low, high, nan = np.array([1.0]), np.array([2.0]), np.array([3.0])
    for edge, expected in ((np.inf, 1.0), (-np.inf, 2.0)):
        one = step(0, edge, low, high, nan)
        assert len(one.edges) == 0
        assert one.rows.tolist() == [[expected], [3.0]]


def test_a_pair_without_idle_edges_is_the_same_function() -> None:
    table = np.array([[1.0, 1, 5], [1, 1, 5], [2, 2, 2], [9, 9, 8]])[:, :, None]
    pair = PairFunction((2, 0), (np.array([0.0, 1.0]), np.array([4.0])), (True, True), table)
    fewer = pair.simplified()
    assert [one.tolist() for one in fewer.edges] == [[1.0], []]
    X = np.array([[y, 7.0, x] for x in (-1, 0, 0.5, 1, 2, np.nan) for y in (3.9, 4, np.nan)])
    for one in (pair, fewer):
        found = additive_map([], np.zeros(1), 3, Head("predict"), step="pair", pairs=[one])
        columns = np.searchsorted([0.0, 1.0], X[:, 2], side="right") + np.isnan(X[:, 2])
        rows = np.searchsorted([4.0], X[:, 0], side="right") + np.isnan(X[:, 0])
        assert np.array_equal(found.feature_map.apply(X) @ found.weights[0] + found.bias[0], table[columns, rows, 0])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
@settings(max_examples=50)
def test_rounding_of_a_sum_is_within_its_bound(leaves: list[float]) -> None:
    """The map's and the sum in order, against exact fractions; another input keeps the sum from being constant."""
    zero, one = np.array([0.0]), np.array([1.0])
    drawn = [step(0, 0.0, np.array([-leaf]), np.array([leaf]), zero) for leaf in leaves] + [step(1, 0.0, zero, one)]
    found = additive_map(drawn, np.array([0.1]), 2, Head("predict"), step="sum", unit=FLOAT64)
    exact = sum(map(Fraction, leaves), Fraction(0.1) + 1)
    mapped = (found.feature_map.apply(np.array([[5.0, 5.0]])) @ found.weights[0] + found.bias[0])[0]
    for rounded in (float(mapped), sum(leaves, 0.1) + 1.0):
        assert abs(Fraction(rounded) - exact) <= Fraction(float(found.own_error[0]))
