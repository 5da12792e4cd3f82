"""Public features: what the client computes from its inputs before it encrypts them.

The private part of a model is linear in its features; the features themselves may be anything that is public, cheap and
the same everywhere. A :class:`FeatureMap` is data, not code: it travels in the signature, and every parameter in it is
public.
"""

from __future__ import annotations

from .affine import Affine, Scale
from .bins import Bins
from .block import Block, BlockDefaults
from .feature_map import FeatureMap
from .local_filters import LocalFilters
from .pair_bins import PairBins
from .structure import Beside, Chain, Columns, Identity

__all__ = [
    "Affine",
    "Beside",
    "Bins",
    "Block",
    "BlockDefaults",
    "Chain",
    "Columns",
    "FeatureMap",
    "Identity",
    "LocalFilters",
    "PairBins",
    "Scale",
]
