"""Affine maps about a point near the data: there they are differences, which do not cancel as terms far from 0 do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Reals


@dataclass(frozen=True, eq=False)
class Origin:
    """y = level + weights·(x - point). It is learned, and stays private.

    Attributes
    ----------
    point
        Of the inputs (d,).
    level
        What the map gives there (k,).
    magnitude
        The absolute constants that the estimator adds and that cancel (k,): they round, although the result is small.
    """

    point: Reals
    level: Reals
    magnitude: Reals

    def after(self, first: Origin, weights: Any, terms: Any) -> Origin:
        """That of a map with this origin, of ``weights`` and absolute ``terms`` (k, d), after one with another."""
        moved = first.level - self.point
        return Origin(
            first.point,
            self.level + weights @ moved,
            self.magnitude + abs(weights) @ np.abs(moved) + terms @ first.magnitude,
        )


def of_affine(weights: Any, bias: Reals, terms: Any, folded: Reals | float, point: Reals) -> Origin:
    """That of weights·x + bias at any point, as it is computed from there on."""
    magnitude = terms @ np.abs(point) + np.abs(bias) + folded
    return Origin(point, bias + weights @ point, np.asarray(magnitude))


def of_choice(weights: Any, level: Reals) -> Origin:
    """That of a sparse choice of values, where these are ``level`` (k,)."""
    rows, columns = weights.nonzero()
    point = np.zeros(weights.shape[1])
    point[columns] = level[rows]
    return Origin(point, weights @ point, np.zeros(weights.shape[0]))
