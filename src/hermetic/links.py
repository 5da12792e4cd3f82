"""What anybody may make of scores: labels and probabilities. Public functions of NumPy arrays, no cryptography."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def choose_labels(scores: Reals, labels: npt.NDArray[Any], *, binary: bool) -> npt.NDArray[Any]:
    """The label of every sample, as an estimator's ``predict``.

    ``binary`` scores (...) choose the second label where they are positive; scores (..., k) the largest, and the first
    of equals.
    """
    chosen = (scores > 0).astype(np.intp) if binary else scores.argmax(axis=-1)
    return np.asarray(labels[chosen], dtype=labels.dtype)


def apply_link(link: str, scores: Reals, *, binary: bool) -> Reals:
    """Scores to probabilities: ``binary`` scores (...) -> (..., 2), scores (..., k) -> (..., k).

    ``softmax`` is the multinomial link; ``logistic`` and ``modified_huber`` (Zhang, ICML 2004) are binary links,
    normalised over one-versus-rest scores, and uniform where all of them are 0.
    """
    if link == "softmax":
        shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
    positive = _logistic(scores) if link == "logistic" else 0.5 * (1.0 + np.clip(scores, -1.0, 1.0))
    if binary:
        return np.stack([1.0 - positive, positive], axis=-1)
    total = positive.sum(axis=-1, keepdims=True)
    return np.where(total > 0, positive / np.where(total > 0, total, 1.0), 1.0 / scores.shape[-1])


def _logistic(scores: Reals) -> Reals:
    """1/(1 + exp(-score)), to full relative precision where it is tiny: one-versus-rest scores are often all very
    negative, and what counts then are the ratios.
    """
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1.0, small) / (1.0 + small))
