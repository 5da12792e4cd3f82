"""Explainable boosting machines of InterpretML"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import Reals
from ...features import Categories
from ...head import Head
from ..linear import LinearMap
from ..sklearn.classifiers import PROBABILITIES, labels_of
from ..sklearn.registry import reads, refuse
from ..sklearn.regressors import GIVES
from .assembly import additive_map
from .pairs import PairFunction
from .step_functions import StepFunction

ADDITIVE = "with pairs of inputs, at most 65,536 bins in all; edges of bins and lists of categories become public"
LINKS = {"logit": "logistic", "mlogit": "softmax", "identity": None, "log": "exp"}


@reads("ExplainableBoostingClassifier", gives=PROBABILITIES, condition=ADDITIVE, library="interpret")
def _classifier(estimator: Any) -> LinearMap:
    labels, link = labels_of(estimator), _link(estimator)
    outputs = 1 if link == "logistic" else len(labels)
    return _read(estimator, outputs, Head("decision_function", link, labels, squeeze=outputs == 1))


@reads("ExplainableBoostingRegressor", gives=GIVES, condition=ADDITIVE, library="interpret")
def _regressor(estimator: Any) -> LinearMap:
    return _read(estimator, 1, Head("predict", _link(estimator), squeeze=True))


def _link(estimator: Any) -> str | None:
    if estimator.link_ not in LINKS:
        refuse(type(estimator).__name__, f"have one of the links {', '.join(LINKS)}", estimator.link_, "fit it again")
    return LINKS[estimator.link_]


def _read(estimator: Any, outputs: int, head: Head) -> LinearMap:
    """The score is the intercept and a number from the table of each term: Nori, Jenkins, Koch and Caruana,
    *InterpretML*, 2019. A pair may have coarser bins than its inputs have alone.
    """
    name = type(estimator).__name__
    functions, pairs = [], []
    for columns, scores in zip(estimator.term_features_, estimator.term_scores_, strict=True):
        if len(columns) > 2:
            refuse(name, "have terms of one or two inputs", f"a term of {len(columns)}", "fit it with pairs alone")
        table = scores.reshape(*scores.shape[: len(columns)], outputs)
        levels = [estimator.bins_[column][min(len(estimator.bins_[column]), len(columns)) - 1] for column in columns]
        if len(columns) == 1:
            functions.append(_single(columns[0], levels[0], table))
        else:
            pairs.append(_pair(columns, levels, table))
    bias = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (outputs,))
    categories = {i: _categories(one) for i, one in enumerate(estimator.bins_) if isinstance(one[0], dict)}
    inputs = estimator.n_features_in_
    return additive_map(functions, bias, inputs, head, step=name.lower(), pairs=pairs, categories=categories)


def _single(column: int, bins: Any, table: Reals) -> StepFunction:
    edges, table, missing = _axis(bins, table, 0)
    return StepFunction(column, edges, table[:-1] if missing else table, table[-1] if missing else None)


def _pair(columns: Sequence[int], levels: Sequence[Any], table: Reals) -> PairFunction:
    first, table, one = _axis(levels[0], table, 0)
    second, table, other = _axis(levels[1], table, 1)
    return PairFunction((columns[0], columns[1]), (first, second), (one, other), table).simplified()


def _axis(bins: Any, table: Reals, axis: int) -> tuple[Reals, Reals, bool]:
    """The edges of an input, the table with the intervals of this input in order, and whether NaN is the last.

    In the estimator's table the first row is that of missing values and the last that of unknown ones. Categories are
    read as the numbers of their rows, so that only numbers have a NaN, and none is unknown.
    """
    if isinstance(bins, dict):
        return np.arange(1.0, table.shape[axis]), table, False
    order = [*range(1, table.shape[axis] - 1), 0]
    return np.asarray(bins, dtype=np.float64), np.take(table, order, axis), True


def _categories(levels: Sequence[Any]) -> Categories:
    """Categories by the numbers of their rows; a number and its text are the same one."""
    rows = levels[0]
    if any(level != rows for level in levels[1:]):
        refuse("an explainable boosting machine", "have the same categories in pairs", "others", "fit it again")
    numbers = {number: row for text, row in rows.items() if (number := _number(text)) is not None}
    known = {None: 0, **rows, **numbers}
    return Categories(list(known), list(known.values()), unknown=max(rows.values(), default=0) + 1, nan=0)


def _number(text: str) -> int | float | None:
    """The number that the estimator writes as this text."""
    try:
        value = float(text)
    except ValueError:
        return None
    whole = value.is_integer()
    if text != (str(int(value)) if whole else repr(value)):
        return None
    return int(value) if whole else value
