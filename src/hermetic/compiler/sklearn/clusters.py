"""Clusters by the nearest centre"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..linear import LinearMap
from .classifiers import nearest_of
from .registry import reads, refuse

GIVES = "`predict`: the number of the cluster"


@reads("KMeans", "MiniBatchKMeans", gives=GIVES, condition="two clusters or more")
def _means(estimator: Any) -> LinearMap:
    return _nearest(estimator, np.int32)


@reads("AffinityPropagation", "MeanShift", gives=GIVES, condition="two clusters or more")
def _centres(estimator: Any) -> LinearMap:
    return _nearest(estimator, np.intp)


def _nearest(estimator: Any, dtype: Any) -> LinearMap:
    centres = np.asarray(estimator.cluster_centers_, dtype=np.float64)
    if len(centres) < 2:
        name = type(estimator).__name__
        refuse(name, "have 2 clusters or more", len(centres), "fit it again, so that it finds more")
    return nearest_of(centres, np.arange(len(centres), dtype=dtype))
