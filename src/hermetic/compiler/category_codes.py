"""Category numbers that a step computes: they need not be read as categories again."""

from __future__ import annotations

import numpy as np

from ..features import Categories, FeatureMap


def without_codes(features: FeatureMap, before: FeatureMap | None) -> FeatureMap:
    """The same without categories of values that are their numbers 0, 1, … for every input, as encoders give them."""
    if before is None or not features.categories:
        return features
    low, high = before.limits(*before.widest_limits())
    whole = before.steps(np.isin(np.arange(before.inputs), list(before.categories)).astype(np.float64)) == 1
    fit = whole & (low >= 0)
    kept = {
        value: one
        for value, one in features.categories.items()
        if not (_are_codes(one) and fit[value] and high[value] < len(one.values))
    }
    return FeatureMap(*features.blocks, categories=kept)


def _are_codes(one: Categories) -> bool:
    """Whether each category is its own number, from 0 on."""
    return list(one.values) == list(one.numbers) == list(range(len(one.values)))
