"""How well predictions fit: the two default scores of scikit-learn's estimators, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError


def accuracy(y: npt.ArrayLike, predicted: npt.NDArray[Any], sample_weight: npt.ArrayLike | None = None) -> float:
    """The (weighted) share of labels (n,) that are predicted."""
    true = _same_shape(y, predicted)
    return float(np.average(true == predicted, weights=_weights(sample_weight, len(true))))


def r2(y: npt.ArrayLike, predicted: npt.NDArray[Any], sample_weight: npt.ArrayLike | None = None) -> float:
    """The (weighted) coefficient of determination, averaged over outputs: (n,) or (n, k).

    An output without any variance scores 1 when it is predicted exactly, and 0 otherwise.
    """
    true = _same_shape(y, predicted).astype(np.float64)
    weights = _weights(sample_weight, len(true))
    mean = np.average(true, axis=0, weights=weights)
    residual = np.atleast_1d(weights @ (true - predicted) ** 2)
    total = np.atleast_1d(weights @ (true - mean) ** 2)
    constant = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1.0 - residual / np.where(total > 0, total, 1.0), constant).mean())


def _weights(sample_weight: npt.ArrayLike | None, samples: int) -> npt.NDArray[np.float64]:
    weights = np.ones(samples) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (samples,):
        raise InputError(f"sample_weight must have shape ({samples},). Got {weights.shape} instead.")
    return weights


def _same_shape(y: npt.ArrayLike, predicted: npt.NDArray[Any]) -> npt.NDArray[Any]:
    true = np.asarray(y)
    if true.shape != predicted.shape:
        raise InputError(f"y must have the shape {predicted.shape} of the predictions. Got {true.shape} instead.")
    return true
