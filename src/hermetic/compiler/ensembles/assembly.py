"""From functions of inputs and of pairs of inputs to one affine map of public bins; from trees to that, or to words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import Reals
from ...errors import UnsupportedModelError
from ...features import Bins, Block, Categories, Columns, FeatureMap
from ...head import Head, Labels
from ..disclosure import Disclosure
from ..ensemble_map import EnsembleMap
from ..linear import LinearMap
from .pairs import PairFunction
from .private_trees import words_of
from .step_functions import StepFunction, joined
from .trees import Tree

FLOAT32 = 2.0**-24
FLOAT64 = 2.0**-53
"""Unit roundoff: the largest relative error of one operation."""

MAX_BINS = 1 << 16

_FURTHER_OPERATIONS = 8
"""Operations on a term besides the sum: learning rate, weight of the tree, logarithm of the base score."""


def map_of_trees(
    trees: Sequence[Tree],
    bias: Reals,
    inputs: int,
    head: Head,
    *,
    step: str,
    categories: Mapping[int, Categories] | None = None,
    unit: float = FLOAT64,
    raw_scores: Mapping[str, bool] | None = None,
    cancelled: float = 0.0,
) -> LinearMap:
    """bias (k,) + the sum of all trees: a map of bins where each splits on one input, else an :class:`EnsembleMap`.

    All trees have one value, or all have k. ``cancelled`` is a bound on absolute terms of the estimator's own sums that
    the trees here do not have. The other parameters are those of :func:`additive_map`.

    Raises
    ------
    UnsupportedModelError
        If the score depends on no input.
    """
    if all(len(tree.columns) <= 1 for tree in trees):
        functions = [tree.as_function(len(bias)) for tree in trees]
        options: dict[str, Any] = {"categories": categories, "unit": unit, "raw_scores": raw_scores}
        found = additive_map(functions, bias, inputs, head, step=step, **options)
        return replace(found, own_error=found.own_error + cancelled * _gamma(len(trees), unit))
    axes, words = words_of(trees, bias)
    _check_size(step, len(axes.columns))
    bins = Bins(axes.edges, axes.missing)
    used = {column: one for column, one in (categories or {}).items() if column in axes.columns}
    return EnsembleMap(
        np.zeros((len(bias), bins.outputs)),
        words.bias,
        head,
        feature_map=FeatureMap(Columns(bins, axes.columns, inputs), categories=categories),
        public=(Disclosure(step, _words(list(zip(axes.columns, axes.edges, strict=True)), [], used), True),),
        own_error=_rounding(bias, [tree.reach(len(bias)) for tree in trees], unit)
        + cancelled * _gamma(len(trees), unit),
        raw_scores=raw_scores,
        words=words,
        slots=axes.slots,
        step=step,
    )


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
    reaches = [*(function.reach for function in functions), *(pair.reach for pair in pairs)]
    rounding = _rounding(bias, reaches, unit)
    single = joined(functions)
    bias = bias + np.sum([one.rows[0] for one in single if _constant(one)], axis=0) if single else bias
    single = [one for one in single if not _constant(one)]
    _check_size(step, sum(len(one.rows) for one in single) + sum(pair.cells for pair in pairs))
    rows = [one.rows for one in single] + [pair.rows for pair in pairs]
    # The bins of one input sum to 1: so a constant may move between them and the bias. Small weights need fewer bits.
    middles = [np.median(row, axis=0) for row in rows]
    weights = np.concatenate([one - middle for one, middle in zip(rows, middles, strict=True)]).T
    return LinearMap(
        np.ascontiguousarray(weights),
        bias + np.sum(middles, axis=0),
        head,
        feature_map=FeatureMap(*_bins(single, inputs), *(pair.block(inputs) for pair in pairs), categories=categories),
        public=(Disclosure(step, _words([(one.column, one.edges) for one in single], pairs, categories or {}), True),),
        own_error=rounding,
        raw_scores=raw_scores,
    )


def classifier_head(outputs: int, labels: Labels) -> Head:
    """The head of a classifier: one score of two classes with the logistic function, or one of each with softmax."""
    binary = outputs == 1
    return Head("decision_function", "logistic" if binary else "softmax", labels, squeeze=binary)


def _rounding(bias: Reals, reaches: Sequence[Reals], unit: float) -> Reals:
    """Bound on the rounding of a sum of n terms in any order, gamma_n · sum |terms|, in the estimator and here;
    ``reaches`` (k,) are the largest absolute values of each.

    N. J. Higham: *Accuracy and stability of numerical algorithms*, 2002, section 4.2.
    """
    rows = np.reshape(reaches, (-1, len(bias)))
    return np.asarray((np.abs(bias) + rows.sum(axis=0)) * _gamma(np.count_nonzero(rows, axis=0), unit))


def _gamma(terms: Any, unit: float) -> Any:
    """gamma_n of the estimator's sum and of the one here, for numbers of terms."""
    operations = terms + _FURTHER_OPERATIONS
    return sum(operations * one / (1 - operations * one) for one in (unit, FLOAT64))


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
    bins = Bins([function.edges for function in functions], [function.missing is not None for function in functions])
    columns = [function.column for function in functions]
    return [bins if columns == list(range(inputs)) else Columns(bins, columns, inputs)]


def _words(
    axes: Sequence[tuple[int, Reals]], pairs: Sequence[PairFunction], categories: Mapping[int, Categories]
) -> str:
    single = [edges for column, edges in axes if column not in categories]
    found = [f"thresholds of {len(single)} inputs: {sum(map(len, single))} numbers"] if single else []
    if pairs:
        numbers = sum(len(edges) for pair in pairs for edges in pair.edges)
        found.append(f"thresholds of {len(pairs)} pairs of inputs: {numbers} numbers")
    if categories:
        values = sum(len(category.values) for category in categories.values())
        found.append(f"categories of {len(categories)} inputs: {values} values")
    return ", ".join(found)
