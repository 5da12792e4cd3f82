"""Exact nearest neighbours: the vectors that are searched are private weights, one output each.

A score is the larger the nearer: w·x - |w|²/2 for the euclidean distance, w·x/|w| for the cosine distance. So

    euclidean distance  =  sqrt(|x|² - 2·score)            cosine distance  =  1 - score/|x|

and a client, who knows x, ranks and measures like ``kneighbors`` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from ...arrays import Reals
from ...errors import CompileError
from ...head import Head
from ..linear import LinearMap
from .registry import refuse


class Nearness:
    """The scores of an index, as its own ``kneighbors`` says."""

    def __init__(self, index: NearestNeighbors) -> None:
        self._index = index

    def transform(self, X: Any) -> Reals:
        """(n, d) -> (n, vectors)."""
        distances, places = self._index.kneighbors(X, n_neighbors=self._index.n_samples_fit_)
        norms = np.linalg.norm(np.asarray(X), axis=1, keepdims=True)
        scores = np.empty_like(distances)
        near = norms * (1 - distances) if self._index.effective_metric_ == "cosine" else (norms**2 - distances**2) / 2
        np.put_along_axis(scores, places, near, axis=1)
        return np.asarray(scores)


def read_neighbors(index: NearestNeighbors) -> tuple[LinearMap, Nearness]:
    """A fitted index as an affine map, and what has the index's own scores.

    Raises
    ------
    UnsupportedModelError
        For another metric than the euclidean or the cosine distance.
    CompileError
        If it is not fitted, or a vector has no direction.
    """
    try:
        check_is_fitted(index)
    except NotFittedError as error:
        raise CompileError("the NearestNeighbors must be fitted. It is not: call fit first.") from error
    if index.effective_metric_ not in ("euclidean", "cosine"):
        instead = "fit it again with metric='euclidean' or metric='cosine'"
        refuse("NearestNeighbors", "measure euclidean or cosine distances", f"metric={index.metric!r}", instead)
    stored = index._fit_X
    vectors = np.asarray(stored.toarray() if hasattr(stored, "toarray") else stored, dtype=np.float64)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    if index.effective_metric_ == "euclidean":
        return LinearMap(vectors, -squares / 2, Head("transform")).dense(), Nearness(index)
    if not squares.all():
        raise CompileError(f"every vector must have a direction. Vector {squares.argmin()} is zero: leave it out.")
    return LinearMap(vectors / np.sqrt(squares)[:, None], np.zeros(len(vectors)), Head("transform")).dense(), Nearness(
        index
    )
