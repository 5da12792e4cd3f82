"""Public features: what the client computes from its inputs before it encrypts them.

The private part of a model is linear in its features; the features themselves may be anything that is public, cheap and
the same everywhere. A :class:`FeatureMap` is data, not code: it travels in the signature, and every parameter in it is
public.
"""

from __future__ import annotations

from .affine import Affine, Scale
from .bins import Bins
from .block import Block, BlockDefaults
from .chi2 import AdditiveChi2
from .count_sketch import CountSketch
from .feature_map import FeatureMap
from .fourier import Fourier, Logarithms
from .landmarks import Landmarks
from .local_filters import LocalFilters
from .monomials import Monomials
from .pair_bins import PairBins
from .splines import Splines
from .structure import Beside, Chain, Columns, Identity

__all__ = [
    "AdditiveChi2",
    "Affine",
    "Beside",
    "Bins",
    "Block",
    "BlockDefaults",
    "Chain",
    "Columns",
    "CountSketch",
    "FeatureMap",
    "Fourier",
    "Identity",
    "Landmarks",
    "LocalFilters",
    "Logarithms",
    "Monomials",
    "PairBins",
    "Scale",
    "Splines",
]
