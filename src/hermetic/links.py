"""What anybody may make of scores: labels, probabilities, predictions. Public functions of NumPy arrays, no
cryptography.

A model's private part gives *scores*. Its public link turns them into the *response*, which is what the estimator's
method gives, and probabilities; labels are chosen from the response.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Reals

HEADS: dict[str, tuple[str | None, ...]] = {
    "decision_function": (
        *(None, "logistic", "softmax", "modified_huber", "one_vs_one", "votes"),
        *("pairs", "multilabel", "multilabel_logistic"),
    ),
    "predict": (None, "exp", "expm1", "multilabel"),
    "predict_proba": ("softmax", "modified_huber", "mean_logistic", "mean_softmax"),
    "predict_joint_log_proba": ("softmax",),
    "transform": (None,),
}
"""The estimator's method that the response equals, and the links that may go with it."""

VALUES = (None, "exp", "expm1")
"""Links of models without labels."""

_RESPONSES = ("exp", "expm1", "one_vs_one", "votes")
"""Links that a response is made with."""

_CHOICES = ("pairs", "multilabel")
"""Links that labels alone are made with; all others make probabilities."""


def outputs_fit(link: str | None, classes: int, outputs: int) -> bool:
    """Whether a classifier of so many classes may have so many scores."""
    if link in ("one_vs_one", "votes", "pairs"):
        return classes > 2 and outputs == classes * (classes - 1) // 2
    if link == "mean_logistic":
        return outputs % _group(classes) == 0
    if link == "mean_softmax":
        return outputs % classes == 0
    if link in ("logistic", "modified_huber"):
        return outputs == _group(classes)
    if is_multilabel(link):
        return classes == 2 and outputs > 1
    return outputs == classes or (outputs == 1 and classes == 2 and link is None)


def respond(method: str, link: str | None, scores: Reals, classes: int) -> Reals:
    """The response from scores (..., k), or (...) of one output: what the estimator's ``method`` gives."""
    if link in _RESPONSES:
        return _values(link, scores, classes)
    return probabilities(link, scores, classes) if link is not None and method == "predict_proba" else scores


def response_error(method: str, link: str | None, scores: Reals, classes: int, error: float) -> Reals:
    """How far the response may move when every score moves by at most ``error``; it has the response's shape. The
    link's own float64 rounding comes on top.

    A probability moves by at most error/2: the logistic function has slope at most 1/4, and the logarithm of a
    normalised one moves by at most 2·(1-p)·error. Modified Huber ones of several classes move with their sum too. Votes
    may change wherever a score is within the error of 0: infinite.
    """
    response = respond(method, link, scores, classes)
    if link in ("exp", "expm1"):
        return np.asarray(_values("exp", scores, classes) * np.expm1(error))
    if link in ("one_vs_one", "votes"):
        open_vote = (np.abs(scores) <= error).any(axis=-1, keepdims=True)
        return np.where(open_vote, np.inf, np.full_like(response, (classes - 1) * error / 3))
    if method == "predict_proba" and link == "modified_huber" and classes > 2:
        return _normalised_error(_clipped(scores), error / 2)
    return np.full_like(response, error / 2 if method == "predict_proba" else error)


def probabilities(link: str, scores: Reals, classes: int) -> Reals:
    """Scores to probabilities (..., classes), by a link that gives them; of every label (..., k) where each score is
    one's.

    ``softmax`` is the multinomial link; ``logistic`` and ``modified_huber`` (Zhang, ICML 2004) are binary links,
    normalised over one-versus-rest scores, and uniform where all of them are 0. ``mean_logistic`` is the mean over
    several such groups of scores, ``mean_softmax`` that over several groups of one score for each class.
    """
    if link == "softmax":
        return _softmax(scores)
    if link == "mean_softmax":
        return np.asarray(_softmax(scores.reshape(*scores.shape[:-1], -1, classes)).mean(axis=-2))
    if link == "multilabel_logistic":
        return _logistic(scores)
    if link == "mean_logistic":
        group = _group(classes)
        grouped = scores.reshape(*scores.shape[:-1], -1, group)
        positive = _logistic(grouped[..., 0] if group == 1 else grouped)
        return np.asarray(_normalised(positive, binary=group == 1).mean(axis=-2))
    positive = _logistic(scores) if link == "logistic" else _clipped(scores)
    return _normalised(positive, binary=classes == 2)


def has_probabilities(link: str | None) -> bool:
    """Whether a model with this link has probabilities."""
    return link is not None and link not in _RESPONSES + _CHOICES


def is_multilabel(link: str | None) -> bool:
    """Whether each score chooses one of two labels."""
    return link in ("multilabel", "multilabel_logistic")


def choose_labels(link: str | None, response: Reals, labels: npt.NDArray[Any], *, binary: bool) -> npt.NDArray[Any]:
    """The label of every sample, as an estimator's ``predict``.

    A ``binary`` response (...) chooses the second label where it is positive; others (..., classes) the largest, and
    the first of equals. ``votes`` are counted without the confidences that ``one_vs_one`` breaks ties by; ``pairs`` are
    scores that are positive for the first class of a pair, and voted on. The scores of several labels (..., k) choose
    one of two each.
    """
    if binary or is_multilabel(link):
        chosen = (response > 0).astype(np.intp)
    elif link == "pairs":
        chosen = _votes(-response, len(labels)).argmax(axis=-1)
    else:
        chosen = (np.rint(response) if link == "votes" else response).argmax(axis=-1)
    return np.asarray(labels[chosen], dtype=labels.dtype)


def _values(link: str, scores: Reals, classes: int) -> Reals:
    """The exponential of scores, that less 1, or the votes of pairs."""
    if link in ("exp", "expm1"):
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(scores) if link == "exp" else np.expm1(scores))
    return _one_vs_one(scores, classes)


def _group(classes: int) -> int:
    """Scores of one one-versus-rest classifier."""
    return 1 if classes == 2 else classes


def _softmax(scores: Reals) -> Reals:
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _clipped(scores: Reals) -> Reals:
    """What modified Huber makes of each score before probabilities are normalised."""
    return np.asarray(0.5 * (1.0 + np.clip(scores, -1.0, 1.0)))


def _normalised_error(positive: Reals, error: float) -> Reals:
    """How far q_j/Q, of positive q (..., k) and their sum Q, moves when every q moves by at most ``error``: by the
    change of q_j less q_j/Q times that of Q, divided by the new Q.
    """
    total, classes = positive.sum(axis=-1, keepdims=True), positive.shape[-1]
    least = total - classes * error
    share = positive / np.where(total > 0, total, 1.0)
    moved = error * (1.0 + (classes - 2) * share) / np.where(least > 0, least, 1.0)
    return np.where(least > 0, np.minimum(moved, 1.0), 1.0)


def _normalised(positive: Reals, *, binary: bool) -> Reals:
    if binary:
        return np.stack([1.0 - positive, positive], axis=-1)
    total = positive.sum(axis=-1, keepdims=True)
    return np.where(total > 0, positive / np.where(total > 0, total, 1.0), 1.0 / positive.shape[-1])


def _logistic(scores: Reals) -> Reals:
    """1/(1 + exp(-score)), to full relative precision where it is tiny: one-versus-rest scores are often all very
    negative, and what counts then are the ratios. It is 0 where exp(-score) is infinite, as SciPy's.
    """
    with np.errstate(over="ignore"):
        small = 1.0 / np.exp(np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1.0, small) / (1.0 + small))


def _one_vs_one(scores: Reals, classes: int) -> Reals:
    """Votes for each class, plus its summed scores squashed into (-1/3, 1/3), as scikit-learn's.

    ``scores`` are those of the pairs (0, 1), (0, 2), …, (1, 2), …; a positive one votes for the second class.
    """
    to_first, to_second = _pairs(classes)
    confidence = scores @ (to_second - to_first)
    return np.asarray(_votes(scores, classes) + confidence / (3.0 * (np.abs(confidence) + 1.0)))


def _votes(scores: Reals, classes: int) -> Reals:
    to_first, to_second = _pairs(classes)
    positive = (scores > 0).astype(np.float64)
    return np.asarray((1.0 - positive) @ to_first + positive @ to_second)


def _pairs(classes: int) -> tuple[Reals, Reals]:
    """Which class is the first and which the second of every pair, (pairs, classes) each."""
    first, second = np.triu_indices(classes, 1)
    pairs = np.arange(len(first))
    to_first, to_second = np.zeros((2, len(first), classes))
    to_first[pairs, first] = to_second[pairs, second] = 1.0
    return to_first, to_second
