"""Means of estimators"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from ...head import Head, Labels
from ..ensembles.forests import are_trees, bagged_trees
from ..linear import LinearMap, affine
from ..side_by_side import side_by_side
from .classifiers import labels_of
from .combined import OF_LINEAR, values_of
from .precision import columns_of, example, taking
from .registry import read_estimator, reads, refuse
from .steps import selected

GIVES = "`predict_proba`: mean probabilities, labels"
OF_PROBABILITIES = "of classifiers that all have logistic probabilities, or all softmax"

_MOST_GROUPS = 256
_MOST_PARTS = 1000


@reads("BaggingRegressor", gives="`predict`: values", condition=f"{OF_LINEAR}, or of decision trees")
def _bagged_values(bagging: Any) -> LinearMap:
    if are_trees(bagging.estimators_):
        return bagged_trees(bagging)
    return mean_of_values(_of_features(bagging, lambda one: values_of(bagging, [one])[0]))


@reads("VotingRegressor", gives="`predict`: values", condition=OF_LINEAR)
def _voted_values(voting: Any) -> LinearMap:
    return mean_of_values(values_of(voting, voting.estimators_), voting._weights_not_none)


@reads("BaggingClassifier", gives=GIVES, condition=f"{OF_PROBABILITIES}; or of decision trees")
def _bagged_probabilities(bagging: Any) -> LinearMap:
    if are_trees(bagging.estimators_):
        return bagged_trees(bagging)
    return mean_of_probabilities("BaggingClassifier", _of_features(bagging, read_estimator), labels_of(bagging))


@reads("VotingClassifier", gives=GIVES, condition=f"`voting='soft'`, {OF_PROBABILITIES}; weights are whole numbers")
def _voted_probabilities(voting: Any) -> LinearMap:
    if voting.voting != "soft":
        refuse("VotingClassifier", "have voting='soft'", f"voting={voting.voting!r}", "fit it again with that")
    parts = [read_estimator(one) for one in voting.estimators_]
    return mean_of_probabilities("VotingClassifier", parts, labels_of(voting), voting._weights_not_none)


def mean_of_values(parts: Sequence[LinearMap], weights: Any = None) -> LinearMap:
    """The mean of regressions of the same targets."""
    shares = np.ones(len(parts)) if weights is None else np.asarray(weights, dtype=np.float64)
    targets = len(parts[0].bias)
    matrix = np.kron(shares / shares.sum(), np.eye(targets))
    return LinearMap(matrix, np.zeros(targets), Head("predict", squeeze=parts[0].head.squeeze)).after(
        side_by_side(parts)
    )


def mean_of_probabilities(kind: str, parts: Sequence[LinearMap], labels: Labels, weights: Any = None) -> LinearMap:
    """The mean of the probabilities of classifiers whose labels are the numbers of the classes.

    The link has the same weight for every group of scores: a part that counts twice has its scores there twice.

    Raises
    ------
    UnsupportedModelError
        For a part without probabilities of the common link, or without one of the classes, or for weights that need
        too many copies.
    """
    groups = [_groups(kind, one, len(labels)) for one in parts]
    links = {link for link, _ in groups}
    if len(links) > 1:
        instead = "fit all with LogisticRegression, or all within OneVsRestClassifier"
        refuse(kind, "have parts with one link to probabilities", " and ".join(sorted(links)), instead)
    size = 1 if len(labels) == 2 else len(labels)
    counts = [len(scores.bias) // size for _, scores in groups]
    copies = _copies(kind, counts, np.ones(len(parts)) if weights is None else weights)
    repeated = [scores for (_, scores), times in zip(groups, copies, strict=True) for _ in range(times)]
    whole = side_by_side(repeated)
    same = np.eye(len(whole.bias))
    return LinearMap(same, np.zeros(len(same)), Head("predict_proba", f"mean_{links.pop()}", labels)).after(whole)


def _groups(kind: str, part: LinearMap, classes: int) -> tuple[str, LinearMap]:
    """The link of a classifier, and groups of scores that it makes probabilities of; of two classes, always logistic
    ones of one score.
    """
    link = (part.head.link or "none").removeprefix("mean_")
    if link not in ("logistic", "softmax") or part.head.labels is None:
        instead = "use parts with probabilities of linear scores, such as LogisticRegression"
        refuse(
            kind, "have parts with logistic or softmax probabilities", f"one with {part.head.link or 'none'}", instead
        )
    if not np.array_equal(part.head.labels, np.arange(classes)):
        got = f"one of {len(part.head.labels)} of {classes}"
        refuse(kind, "have parts that know all classes", got, "fit it again with more samples of every class")
    if classes > 2 or link == "logistic":
        return link, part
    apart = np.kron(np.eye(len(part.bias) // 2), [[-1.0, 1.0]])
    return "logistic", affine(apart).after(part)


def _copies(kind: str, counts: Sequence[int], weights: Any) -> list[int]:
    """How often each part's groups are there, so that they count as its weight says; the mean of ``counts`` groups is
    a part's own.
    """
    shares = [Fraction(float(one)).limit_denominator(_MOST_PARTS) / n for one, n in zip(weights, counts, strict=True)]
    whole = lcm(*(share.denominator for share in shares))
    numbers = [int(share * whole) for share in shares]
    copies = [number // max(gcd(*numbers), 1) for number in numbers]
    exact = all(
        float(a * n * sum(weights)) == float(w * sum(c * m for c, m in zip(copies, counts, strict=True)))
        for a, n, w in zip(copies, counts, weights, strict=True)
    )
    if not exact or sum(c * n for c, n in zip(copies, counts, strict=True)) > _MOST_GROUPS or not any(copies):
        refuse(kind, "have weights that are small whole numbers", list(weights), "use such, as 1, 2 and 3")
    return copies


def _of_features(bagging: Any, read: Callable[[Any], LinearMap]) -> list[LinearMap]:
    """Each part on the inputs that were drawn for it."""
    found = []
    for part, columns in zip(bagging.estimators_, bagging.estimators_features_, strict=True):
        with taking(columns_of(example(), columns)):
            found.append(read(part).after(selected(columns, bagging.n_features_in_)))
    return found
