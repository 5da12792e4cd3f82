"""From functions of inputs and of pairs of inputs to one affine map of public bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...arrays import Reals
from ...errors import UnsupportedModelError
from ...features import Bins, Block, Categories, Columns, FeatureMap
from ...head import Head, Labels
from ..disclosure import Disclosure
from ..linear import LinearMap
from .pairs import PairFunction
from .step_functions import StepFunction, joined

FLOAT32 = 2.0**-24
FLOAT64 = 2.0**-53
"""Unit roundoff: the largest relative error of one operation."""

MAX_BINS = 1 << 16

_FURTHER_OPERATIONS = 8
"""Operations on a term besides the sum: learning rate, weight of the tree, logarithm of the base score."""


def additive_map(
    functions: Sequence[StepFunction],
    bias: Reals,
    inputs: int,
    head: Head,
    *,
    step: str,
    pairs: Sequence[PairFunction] = (),
    categories: Mapping[int, Categories] | None = None,
    unit: float = FLOAT64,
    raw_scores: Mapping[str, bool] | None = None,
) -> LinearMap:
    """bias (k,) + the sum of all functions, as weights of bins.

    Parameters
    ----------
    functions, pairs
        In any number for one input; the estimator adds them one by one.
    head
        What the scores mean.
    step
        The estimator's class in lower case: whose thresholds become public.
    categories
        Those of inputs that are none but numbers; functions take their numbers.
    unit
        Unit roundoff of the estimator's own sum.
    raw_scores
        As in :class:`LinearMap`.

    Raises
    ------
    UnsupportedModelError
        If the score depends on no input, or on more than 65,536 bins.
    """
    rounding = _rounding(bias, [*functions, *pairs], unit)
    single = joined(functions)
    bias = bias + np.sum([one.rows[0] for one in single if _constant(one)], axis=0) if single else bias
    single = [one for one in single if not _constant(one)]
    _check_size(step, sum(len(one.rows) for one in single) + sum(one.cells for one in pairs))
    rows = [one.rows for one in single] + [one.rows for one in pairs]
    # The bins of one input sum to 1: so a constant may move between them and the bias. Small weights need fewer bits.
    middles = [np.median(one, axis=0) for one in rows]
    weights = np.concatenate([one - middle for one, middle in zip(rows, middles, strict=True)]).T
    return LinearMap(
        np.ascontiguousarray(weights),
        bias + np.sum(middles, axis=0),
        head,
        feature_map=FeatureMap(*_bins(single, inputs), *(one.block(inputs) for one in pairs), categories=categories),
        public=(Disclosure(step, _words(single, pairs, categories or {}), True),),
        own_error=rounding,
        raw_scores=raw_scores,
    )


def classifier_head(outputs: int, labels: Labels) -> Head:
    """The head of a classifier: one score of two classes with the logistic function, or one of each with softmax."""
    binary = outputs == 1
    return Head("decision_function", "logistic" if binary else "softmax", labels, squeeze=binary)


def _rounding(bias: Reals, terms: Sequence[StepFunction | PairFunction], unit: float) -> Reals:
    """Bound on the rounding of a sum of n terms in any order, gamma_n · sum |terms|, in the estimator and here.

    N. J. Higham: *Accuracy and stability of numerical algorithms*, 2002, section 4.2.
    """
    reaches = np.reshape([one.reach for one in terms], (-1, len(bias)))
    operations = np.count_nonzero(reaches, axis=0) + _FURTHER_OPERATIONS
    gamma = sum(operations * one / (1 - operations * one) for one in (unit, FLOAT64))
    return np.asarray((np.abs(bias) + reaches.sum(axis=0)) * gamma)


def _constant(one: StepFunction) -> bool:
    return bool((one.rows == one.rows[0]).all())


def _check_size(step: str, bins: int) -> None:
    if not bins:
        raise UnsupportedModelError(
            f"the score must depend on an input. No tree of the {step} splits, so its answer is always the same: fit "
            "it on inputs and targets that vary, with options that let trees split (fewer samples in a leaf, no gamma)."
        )
    if bins > MAX_BINS:
        raise UnsupportedModelError(
            f"{step} must have at most {MAX_BINS} bins, those of its pairs included: each is a feature that is "
            f"encrypted. Got {bins} instead: fit it with fewer bins or pairs of inputs (an explainable boosting "
            "machine with max_interaction_bins=8, or fewer interactions)."
        )


def _bins(functions: Sequence[StepFunction], inputs: int) -> list[Block]:
    if not functions:
        return []
    bins = Bins([one.edges for one in functions], [one.missing is not None for one in functions])
    columns = [one.column for one in functions]
    return [bins if columns == list(range(inputs)) else Columns(bins, columns, inputs)]


def _words(
    functions: Sequence[StepFunction], pairs: Sequence[PairFunction], categories: Mapping[int, Categories]
) -> str:
    single = [one for one in functions if one.column not in categories]
    found = [f"thresholds of {len(single)} inputs: {sum(len(one.edges) for one in single)} numbers"] if single else []
    if pairs:
        numbers = sum(len(edges) for one in pairs for edges in one.edges)
        found.append(f"thresholds of {len(pairs)} pairs of inputs: {numbers} numbers")
    if categories:
        values = sum(len(one.values) for one in categories.values())
        found.append(f"categories of {len(categories)} inputs: {values} values")
    return ", ".join(found)
