"""Columns of texts that a model does not take: clients may send them with the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..features import Columns, FeatureMap, Identity
from .disclosure import Disclosure
from .linear import LinearMap


def without_unused_texts(linear: LinearMap, X_sample: Any) -> LinearMap:
    """The same map of the columns that it takes, where X_sample is a DataFrame and some of the others are texts.

    Which columns a model takes becomes public.
    """
    dtypes = np.asarray(getattr(X_sample, "dtypes", ()), dtype=object)
    if linear.feature_map is not None or linear.uses is None or dtypes.shape != (linear.inputs,):
        return linear
    texts = np.array([getattr(dtype, "kind", "O") not in "biuf" for dtype in dtypes])
    if not (texts & ~linear.taken).any() or not linear.taken.any():
        return linear
    kept = np.flatnonzero(linear.taken)
    return replace(
        linear,
        weights=linear.weights[:, kept],
        reach=None if linear.reach is None else linear.reach[:, kept],
        feature_map=FeatureMap(Columns(Identity(len(kept)), kept, linear.inputs)),
        origin=None,
        block=None,
        public=(*linear.public, Disclosure("columns", f"which {len(kept)} are taken", learned=False)),
    )
