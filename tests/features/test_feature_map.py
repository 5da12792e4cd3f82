"""Public features: computed as their definition says, the same after a round trip, and in the range they promise."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.errors import InputError, ParameterError
from hermetic.features import Bins, FeatureMap, LocalFilters

PINNED = [-0.20560143887996674, 0.20360824465751648, 0.036247313022613525]
SMALL = LocalFilters(side=6, size=3, filters=4, cells=2, padding=1, seed=3)


def by_hand(filters: LocalFilters, image: np.ndarray) -> np.ndarray:
    """The features of one image, patch by patch."""
    padded = np.pad(image.reshape(filters.side, filters.side), filters.padding)
    positions = len(padded) - filters.size + 1
    responses = np.zeros((positions, positions, filters.filters))
    for i in range(positions):
        for j in range(positions):
            patch = padded[i : i + filters.size, j : j + filters.size].reshape(-1)
            patch = patch - patch.mean()
            patch = patch / math.sqrt(patch @ patch + filters.epsilon)
            responses[i, j] = np.maximum(patch @ filters._filters - filters.threshold, 0)
    edges = [c * positions // filters.cells for c in range(filters.cells + 1)]
    cells = [
        responses[edges[a] : edges[a + 1], edges[b] : edges[b + 1]].mean(axis=(0, 1))
        for a in range(filters.cells)
        for b in range(filters.cells)
    ]
    return np.minimum(np.concatenate(cells), filters.ceiling)


class TestLocalFilters:
    def test_are_what_the_definition_says(self) -> None:
        images = np.random.default_rng(0).random((5, 36))
        expected = [by_hand(SMALL, image) for image in images]
        np.testing.assert_allclose(
            SMALL.apply(images), expected, atol=SMALL.rounding(images.min(axis=0), images.max(axis=0)).max()
        )

    def test_the_ceiling_cuts_them_and_ends_their_range(self) -> None:
        images = np.random.default_rng(0).random((5, 36))
        cut = replace(SMALL, ceiling=0.1)
        assert (SMALL.apply(images) > 0.1).any()
        np.testing.assert_allclose(cut.apply(images), [by_hand(cut, image) for image in images], atol=1e-6)
        _, upper = cut.limits(np.zeros(36), np.ones(36))
        assert cut.apply(images).max() == upper.max() == upper.min() == 0.1

    def test_filters_have_no_mean_and_length_one(self) -> None:
        filters = LocalFilters(side=28, size=7, filters=256, cells=4)._filters
        np.testing.assert_allclose(filters.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(filters, axis=0), 1, atol=1e-6)

    def test_the_filters_of_a_seed_never_change(self) -> None:
        """A signature names them by their seed: other values would be another model."""
        first = LocalFilters(side=28, size=7, filters=2, cells=4, seed=1)._filters[:3, 0]
        np.testing.assert_allclose(first, PINNED, rtol=1e-6)

    def test_a_sample_has_the_same_features_in_every_batch(self) -> None:
        images = np.random.default_rng(1).random((150, 36))
        np.testing.assert_allclose(SMALL.apply(images)[149], SMALL.apply(images[149:])[0], atol=1e-7)

    @given(st.lists(st.floats(-1e6, 1e6), min_size=36, max_size=36))
    def test_stay_in_their_limits(self, pixels: list[float]) -> None:
        features = SMALL.apply(np.array([pixels]))
        assert features.min() >= 0
        assert features.max() <= 1

    @pytest.mark.parametrize(
        "wrong",
        [{"side": 1}, {"size": 9}, {"size": True}, {"filters": 0}, {"cells": 9}, {"epsilon": 0.0}, {"seed": -1},
         {"threshold": math.nan}, {"ceiling": 0}, {"ceiling": 1.5}, {"padding": 1 << 20}, {"filters": 1.5}],
    )  # fmt: skip
    def test_wrong_parameters_are_named(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ParameterError, match=f"{next(iter(wrong))} must be"):
            LocalFilters.from_document({**SMALL.document(), **wrong})

    def test_images_that_would_fill_the_memory_are_refused(self) -> None:
        with pytest.raises(ParameterError, match="filters at all positions of the image must be"):
            LocalFilters(side=256, size=2, filters=4096, cells=4)


class TestBins:
    def test_one_feature_of_each_input_is_one(self) -> None:
        bins = Bins([[0.0, 1.0], [], [5.0]])
        features = bins.apply(np.array([[-1.0, 7.0, 5.0], [0.0, 7.0, 4.9], [1.0, 7.0, 6.0]]))
        np.testing.assert_array_equal(features, [[1, 0, 0, 1, 0, 1], [0, 1, 0, 1, 1, 0], [0, 0, 1, 1, 0, 1]])

    @given(
        st.lists(st.lists(st.floats(-1e9, 1e9), max_size=5, unique=True).map(sorted), min_size=1, max_size=4),
        st.integers(0, 100),
    )
    def test_agree_with_the_definition(self, edges: list[list[float]], seed: int) -> None:
        pool = [value for row in edges for value in row] or [0.0]
        values = np.random.default_rng(seed).choice(pool, (10, len(edges)))
        rows = Bins(edges).apply(values)
        for row, sample in zip(rows, values, strict=True):
            wanted: list[int] = []
            for x, one in zip(sample, edges, strict=True):
                borders = [-math.inf, *one, math.inf]
                wanted += [int(low <= x < high) for low, high in pairwise(borders)]
            assert row.tolist() == wanted

    @pytest.mark.parametrize("edges", [[[1.0, 1.0]], [[2.0, 1.0]], [[math.inf]], []])
    def test_wrong_edges_are_refused(self, edges: list[list[float]]) -> None:
        with pytest.raises(ParameterError, match="must be"):
            Bins(edges)


class TestFeatureMap:
    both = FeatureMap(Bins([[0.5]] * 36), SMALL)

    def test_blocks_stand_side_by_side(self) -> None:
        X = np.random.default_rng(0).random((3, 36))
        assert self.both.outputs == 72 + 16
        np.testing.assert_array_equal(self.both.apply(X), np.hstack([block.apply(X) for block in self.both.blocks]))

    def test_is_the_same_after_json(self) -> None:
        X = np.random.default_rng(0).random((3, 36))
        again = FeatureMap.from_document(json.loads(json.dumps(self.both.document())))
        np.testing.assert_array_equal(again.apply(X), self.both.apply(X))
        assert again.document() == self.both.document()

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_finite_inputs_are_refused(self, value: float) -> None:
        X = np.zeros((2, 36))
        X[1, 7] = value
        with pytest.raises(InputError, match=r"sample 1, feature 7"):
            self.both.apply(X)

    def test_blocks_must_take_the_same_inputs(self) -> None:
        with pytest.raises(ParameterError, match=r"\[2, 36\]"):
            FeatureMap(Bins([[0.5]] * 2), SMALL)

    @pytest.mark.parametrize(
        "document",
        [{}, [1], [], [{}], [{"kind": "eval"}], [{"kind": "bins"}], [{"kind": "bins", "edges": 3}],
         [{"kind": "bins", "edges": [["a"]]}], [{"kind": "local_filters", "side": 28}],
         [{**SMALL.document(), "more": 1}], [SMALL.document()] * 4097, [{"kind": ["bins"]}]],
    )  # fmt: skip
    def test_hostile_documents_are_refused(self, document: object) -> None:
        with pytest.raises(ParameterError, match="must"):
            FeatureMap.from_document(document)
