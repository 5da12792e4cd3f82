"""Bins of missing values, and cells of pairs: against the definition, and through JSON that may be hostile."""

from __future__ import annotations

import json
import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic import InputError
from hermetic.errors import ParameterError
from hermetic.features import Bins, FeatureMap, PairBins

edges = st.lists(st.floats(-1e9, 1e9), max_size=4, unique=True).map(sorted)


def intervals(x: float, one: list[float], may_miss: bool) -> list[int]:
    """The definition: which interval holds x, and at the end whether it is missing."""
    borders = [-math.inf, *one, math.inf]
    found = [int(low <= x < high) for low, high in pairwise(borders)]
    return found + [int(math.isnan(x))] * may_miss


def values_of(one: list[float], may_miss: bool) -> list[float]:
    near = [value for edge in one for value in (edge, math.nextafter(edge, -math.inf))]
    return [0.0, *near, *([math.nan] * may_miss)]


@given(edges, st.booleans(), edges, st.booleans())
def test_bins_agree_with_the_definition(first: list[float], one: bool, second: list[float], other: bool) -> None:
    bins = Bins([first, second], [one, other])
    for x, y in product(values_of(first, one), values_of(second, other)):
        assert bins.apply(np.array([[x, y]])).tolist() == [intervals(x, first, one) + intervals(y, second, other)]
    assert bins.missing.tolist() == [one, other]


@given(edges, st.booleans(), edges, st.booleans())
def test_cells_are_products_of_intervals(first: list[float], one: bool, second: list[float], other: bool) -> None:
    cells = PairBins([first, second], [one, other])
    for x, y in product(values_of(first, one), values_of(second, other)):
        expected = np.outer(intervals(x, first, one), intervals(y, second, other)).reshape(1, -1)
        assert np.array_equal(cells.apply(np.array([[x, y]])), expected)
    assert cells.outputs == (len(first) + 1 + one) * (len(second) + 1 + other)


@pytest.mark.parametrize("block", [Bins([[0.0], [1.0]], [True, False]), PairBins([[0.0], [1.0]], [True, False])])
def test_only_what_may_be_missing_is_accepted(block: Any) -> None:
    features = FeatureMap(block)
    assert features.apply(np.array([[math.nan, 0.0]])).sum() == (2 if isinstance(block, Bins) else 1)
    for wrong in ([0.0, math.nan], [math.inf, 0.0]):
        with pytest.raises(InputError, match="must be finite"):
            features.apply(np.array([wrong]))


@pytest.mark.parametrize("block", [Bins([[0.0], [], [1.0]], [True, False, True]), PairBins([[], [2.0]], [True, True])])
def test_are_the_same_after_json(block: Any) -> None:
    again = FeatureMap.from_document(json.loads(json.dumps(FeatureMap(block).document()))).blocks[0]
    X = np.array(list(product([0.0, 1.5, math.nan], repeat=block.inputs)))[:: block.inputs - 1]
    X = X[~(np.isnan(X) & ~block.missing).any(axis=1)]
    assert np.array_equal(again.apply(X), block.apply(X))
    assert again.document() == block.document()
    assert np.array_equal(again.missing, block.missing)


def test_bins_of_earlier_versions_have_no_missing_values() -> None:
    assert "missing" not in Bins([[0.0]]).document()
    assert not Bins.from_document({"kind": "bins", "edges": [[0.0]]}).missing.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"edges": [[0.0], [1.0]], "missing": [True]},
        {"edges": [[0.0], [1.0]], "missing": [1, 0]},
        {"edges": [[0.0], [1.0]], "missing": "ab"},
        {"edges": [[0.0], [math.nan]], "missing": [False, False]},
        {"edges": [[1.0, 0.0], []], "missing": [False, False]},
        {"edges": [[0.0], "a"], "missing": [False, False]},
    ],
)
@pytest.mark.parametrize("kind", ["bins", "pair_bins"])
def test_hostile_documents_are_refused(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        FeatureMap.from_document([{"kind": kind, **wrong}])


@pytest.mark.parametrize(
    "wrong",
    [
        {"edges": [[0.0]], "missing": [False]},
        {"edges": [[0.0]] * 3, "missing": [False] * 3},
        {"edges": [list(range(300)), list(range(300))], "missing": [False, False]},
        {"edges": [[0.0], [1.0]]},
    ],
)
def test_pairs_are_two_inputs_of_few_cells(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        FeatureMap.from_document([{"kind": "pair_bins", **wrong}])
