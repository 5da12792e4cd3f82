"""Exact nearest neighbours

The vectors that are searched are private weights, one output each.

A score is the larger the nearer: w·x - |w|²/2 for the euclidean distance and its square, w·x/|w| for the cosine
distance. So

    euclidean distance  =  sqrt(|x|² - 2·score)            cosine distance  =  1 - score/|x|

Far from 0, euclidean scores count from a point c that everyone with the signature knows: (w - c)·(x - c) - |w - c|²/2,
and |x - c| in place of |x|. They rank alike, and their differences are not small beside them.

and a client, who knows x, ranks and measures like ``kneighbors`` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from ...arrays import Reals
from ...errors import CompileError
from ...features.precision import NARROW
from ...head import Head
from ..inputs import InputRange, RangeOf
from ..linear import LinearMap
from ..rounding import gamma, rounded_relatively
from .registry import column_names_of, reads, refuse

_EUCLIDEAN = ("euclidean", "l2", "p", "sqeuclidean")
"""Metrics that rank by the euclidean distance, where they have no parameters."""

_FURTHER = 16
"""Operations on a term besides the sum."""


class Nearness:
    """The scores of an index, as its own ``kneighbors`` says."""

    def __init__(self, index: NearestNeighbors, centre: Reals) -> None:
        self._index, self._centre = index, centre

    def transform(self, X: Any) -> Reals:
        """(n, d) -> (n, vectors)."""
        distances, places = self._index.kneighbors(X, n_neighbors=self._index.n_samples_fit_)
        distances = distances.astype(np.float64)
        norms = np.linalg.norm(np.asarray(X) - self._centre, axis=1, keepdims=True)
        scores = np.empty_like(distances)
        metric = self._index.effective_metric_
        squared = distances if metric == "sqeuclidean" else distances**2
        near = norms * (1 - distances) if metric == "cosine" else (norms**2 - squared) / 2
        np.put_along_axis(scores, places, near, axis=1)
        return np.asarray(scores)


@reads(
    "NearestNeighbors",
    gives="`transform`: a score of every vector, the larger the nearer, for `Client.top`",
    condition="euclidean or cosine distances; an index of its own, not at the end of a pipeline",
)
def _inside(index: Any) -> LinearMap:
    """An index that something else holds: that has no answers that scores could be compared with."""
    instead = "compile the index alone, on what the steps before it give (pipeline[:-1].transform), on both sides"
    refuse("NearestNeighbors", "be a model of its own", "one at the end of another", instead)


def read_neighbors(index: NearestNeighbors, range_of: RangeOf) -> tuple[LinearMap, Nearness]:
    """A fitted index as an affine map, and what has the index's own scores; ``range_of`` tells the range of so many
    inputs with such names, None where it is not known yet.

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
    if index.effective_metric_ not in (*_EUCLIDEAN, "cosine") or index.effective_metric_params_:
        given = index.effective_metric_params_
        got = f"{index.effective_metric_!r}{f' with {sorted(given)}' if given else ''}"
        instead = "fit it again with metric='euclidean' or metric='cosine'"
        refuse("NearestNeighbors", "measure euclidean or cosine distances", got, instead)
    stored = index._fit_X
    vectors = np.asarray(stored.toarray() if hasattr(stored, "toarray") else stored, dtype=np.float64)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    if index.effective_metric_ in _EUCLIDEAN:
        return _euclidean(index, vectors, range_of(vectors.shape[1], column_names_of(index)))
    if not squares.all():
        raise CompileError(f"every vector must have a direction. Vector {squares.argmin()} is zero: leave it out.")
    linear = LinearMap(vectors / np.sqrt(squares)[:, None], np.zeros(len(vectors)), Head("transform"), compared=True)
    if stored.dtype.name in NARROW:
        linear = rounded_relatively(linear, stored.dtype.name, _FURTHER)
    return linear.dense(), Nearness(index, np.zeros(vectors.shape[1]))


def _euclidean(index: NearestNeighbors, vectors: Reals, inputs: InputRange | None) -> tuple[LinearMap, Nearness]:
    centre = np.zeros(vectors.shape[1]) if inputs is None else inputs.grid(1).centre
    moved = vectors - centre
    squares = np.einsum("ij,ij->i", moved, moved)
    linear = LinearMap(
        moved,
        -squares / 2 - moved @ centre,
        Head("transform"),
        folded=squares / 2 + np.abs(moved) @ np.abs(centre),
        compared=True,
    )
    if index._fit_method == "brute" and inputs is not None:
        # It adds |x|², -2·w·x and |w|², which are large where only their sum is small.
        largest = np.linalg.norm(np.maximum(np.abs(inputs.lower), np.abs(inputs.upper)))
        sizes = (largest + np.linalg.norm(vectors, axis=1)) ** 2 / 2
        linear = replace(linear, own_error=gamma(vectors.shape[1] + _FURTHER, 2.0**-53) * sizes)
    return linear.dense(), Nearness(index, centre)
