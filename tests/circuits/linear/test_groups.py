"""Features that exclude each other: bounds that count one of each group hold, and no longer hold for more than one."""

from __future__ import annotations

from itertools import chain, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermetic.circuits.linear.integers import guaranteed_error, quantize_map, recombine, worst_case
from hermetic.features import Beside, Bins, Chain, Columns, FeatureMap, Identity, PairBins
from hermetic.inputs.grid import Grid

SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def grid_of(sizes: list[int]) -> Grid:
    """Groups of 0 or 1; those of a single feature have integers from -2 to 3."""
    alone = np.repeat(np.array(sizes) == 1, sizes)
    low, high = np.where(alone, -2, 0), np.where(alone, 3, 1)
    ones = np.ones(len(alone))
    return Grid(0 * ones, ones, low, high, exact=True, groups=np.repeat(np.arange(len(sizes)), sizes))


def every_input(sizes: list[int]) -> np.ndarray:
    """Each group in each of its states: all 0, or one of them 1; a feature alone at its ends."""
    states = [[[-2], [0], [3]] if n == 1 else [[0] * n, *np.eye(n, dtype=int).tolist()] for n in sizes]
    return np.array([[*chain.from_iterable(row)] for row in product(*states)])


@given(SIZES, st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(12, 24))
@settings(max_examples=80)
def test_no_input_exceeds_the_bounds(sizes: list[int], seed: int, limbs: int, result_bits: int) -> None:
    rng = np.random.default_rng(seed)
    grid, X = grid_of(sizes), every_input(sizes)
    weights, bias = rng.normal(size=(2, len(X[0]))), rng.normal(size=2)
    integers = quantize_map(weights, bias, grid, result_bits, limbs)
    results = integers.apply(X)
    bound = worst_case(integers.weights, integers.bias, grid)
    assert np.abs(results).max() <= bound < 2 ** (result_bits - 1)
    scores = recombine(results, integers.limbs, integers.limb_bits, integers.scale_exponent)
    error = guaranteed_error(weights, bias, np.zeros(2), integers, grid)
    assert np.abs(scores - (X @ weights.T + bias)).max() <= error


@given(SIZES, st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_the_bound_is_reached(sizes: list[int], seed: int) -> None:
    grid = grid_of(sizes)
    weights = np.random.default_rng(seed).integers(-1000, 1000, (1, sum(sizes)))
    found = np.abs(every_input(sizes) @ weights[0]).max()
    assert found <= worst_case(weights, np.zeros(1, dtype=np.int64), grid) <= found + 1


def test_groups_make_weights_finer_and_errors_smaller() -> None:
    sizes, rng = [100] * 4, np.random.default_rng(0)
    grid = grid_of(sizes)
    plain = Grid(grid.offset, grid.step, grid.low, grid.high, exact=True)
    map_ = rng.normal(size=(1, 400)), np.zeros(1)
    fine, coarse = (quantize_map(*map_, one, 30, 1) for one in (grid, plain))
    assert fine.scale_exponent > coarse.scale_exponent + 3
    small, large = (guaranteed_error(*map_, np.zeros(1), one, where) for one, where in ((fine, grid), (coarse, plain)))
    assert small < large / 100


def test_features_on_another_grid_do_not_exclude_each_other() -> None:
    ones = np.ones(4)
    groups = np.array([0, 0, 1, 1])
    halves = Grid(0.5 * ones, ones / 4, -2 * ones.astype(int), 2 * ones.astype(int), exact=False, groups=groups)
    mixed = Grid(0 * ones, ones, 0 * ones.astype(int), np.array([1, 1, 1, 5]), exact=True, groups=groups)
    assert halves.starts is None
    assert mixed.starts is not None
    assert mixed.starts.tolist() == [0, 2, 3]


PAIR = PairBins([[0.0], [0.0]], [True, False])


@pytest.mark.parametrize(
    ("block", "groups"),
    [
        (Bins([[0.0], [], [1.0]], [True, False, False]), [0, 0, 0, 1, 2, 2]),
        (PAIR, [0] * 6),
        (Columns(Bins([[0.0], [1.0]]), [4, 2], 5), [0, 0, 1, 1]),
        (Beside(Identity(2), PAIR, Bins([[0.0], [0.0]])), [0, 1, *[2] * 6, 3, 3, 4, 4]),
        (Chain(Identity(2), PAIR), [0] * 6),
        (Chain(PAIR, Identity(6)), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_blocks_say_which_features_exclude_each_other(block: Bins, groups: list[int]) -> None:
    assert block.groups.tolist() == groups
    values = np.random.default_rng(0).choice([-1.0, 0.0, 2.0], (50, block.inputs))
    features = FeatureMap(block).apply(values)
    for number in set(groups):
        mine = features[:, np.array(groups) == number]
        assert mine.shape[1] == 1 or (((mine == 0) | (mine == 1)).all() and mine.sum(axis=1).max() <= 1)
