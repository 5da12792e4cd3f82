"""How far apart scores are on the sample: an error says nothing by itself, it is small or large beside that."""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import Reals
from .linear import LinearMap

SMALL = 0.02
"""The largest share of the spread that an error is small at."""

MAX_PRODUCTS = 1 << 24
"""Work on a sample, in products of weights and features."""

_CONSTANT = 2.0**-44

_OF_SIGNS = ("multilabel", "multilabel_logistic", "one_vs_one", "pairs", "votes")
"""Links whose labels follow from the sign of each score."""


class PrecisionWarning(UserWarning):
    """The guaranteed error is not small beside the spread of scores: answers may tell little."""


def spread_of(linear: LinearMap, features: Reals | None) -> float | None:
    """The standard deviation of scores over a sample's ``features`` (n, d), that of most outputs; where scores of one
    sample are compared with each other, also over its outputs, the two largest where these choose a label: the smaller.
    None where nothing varies.
    """
    if features is None:
        return None
    scores = linear.scores(features)
    across = np.median(scores.std(axis=0))
    constant = _CONSTANT * float(np.abs(scores).max())
    between = np.median(scores.std(axis=1)) if _compares(linear) else across
    chosen = np.median(np.sort(scores, axis=1)[:, -2:].std(axis=1)) if _chooses_largest(linear) else between
    found = float(min(across, between, chosen if chosen > constant else between))
    return found if found > constant else None


def warn_of_error(error: float, own: float, spread: float | None) -> None:
    """Warn (:class:`PrecisionWarning`) of an error, of which ``own`` is what the estimator itself rounds, that is not
    small beside the spread of scores.
    """
    if spread is None or error <= SMALL * spread:
        return
    ways = "fit it in float64, on data that were centred and scaled"
    if own <= SMALL * spread:
        ways = f"leave profile out, pass profile='precise', less flooding or a narrower input_range, or {ways}"
    warnings.warn(
        f"the guaranteed error of scores must be small beside their spread on X_sample, {spread:.3g}. It is {error:g}"
        f"{f', and the estimator itself rounds {own:.2g} of it' if own else ''}. Answers may tell little: {ways}.",
        PrecisionWarning,
        stacklevel=3,
    )


def _compares(linear: LinearMap) -> bool:
    return len(linear.bias) > 1 and (linear.compared or linear.head.labels is not None)


def _chooses_largest(linear: LinearMap) -> bool:
    """Whether the label is that of the largest score, rather than of signs, votes or means."""
    return len(linear.bias) > 1 and len(linear.bias) == linear.head.classes and linear.head.link not in _OF_SIGNS
