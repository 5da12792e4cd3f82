"""Public features: what the client computes from its inputs before it encrypts them.

The private part of a model is linear in its features; the features themselves may be anything that is public, cheap and
the same everywhere. A :class:`FeatureMap` is data, not code: it travels in the signature, and every parameter in it is
public.
"""

from __future__ import annotations

from .affine import Affine, Scale
from .backbone import Backbone, backbone_name, computed
from .bins import Bins
from .block import Block, BlockDefaults
from .categories import Categories
from .chi2 import AdditiveChi2
from .columns import Columns, Identity
from .count_sketch import CountSketch
from .elementwise import Clip, Elementwise
from .feature_map import FeatureMap
from .fourier import Fourier, Logarithms
from .impute import Impute, Missing
from .landmarks import Landmarks
from .leaves import Leaves
from .local_filters import LocalFilters
from .monomials import Monomials
from .normalise import Normalise
from .pair_bins import PairBins
from .power import Power
from .precision import Cast, Rounded
from .splines import Splines
from .structure import Beside, Chain

__all__ = [
    "AdditiveChi2",
    "Affine",
    "Backbone",
    "Beside",
    "Bins",
    "Block",
    "BlockDefaults",
    "Cast",
    "Categories",
    "Chain",
    "Clip",
    "Columns",
    "CountSketch",
    "Elementwise",
    "FeatureMap",
    "Fourier",
    "Identity",
    "Impute",
    "Landmarks",
    "Leaves",
    "LocalFilters",
    "Logarithms",
    "Missing",
    "Monomials",
    "Normalise",
    "PairBins",
    "Power",
    "Rounded",
    "Scale",
    "Splines",
    "backbone_name",
    "computed",
]
