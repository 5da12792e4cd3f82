"""Activations of hidden layers, and the polynomials that stand for them on ciphertexts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Reals

_UNIFORM_SHARE = 0.01
"""How much the whole interval counts beside the sample in a fit, so that no tail is left to chance."""

_POINTS = 4096


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of hidden values.

    Attributes
    ----------
    apply
        It, of any array.
    slope
        The largest |derivative| anywhere; for polynomials see :meth:`slopes`.
    coefficients
        Those of a polynomial, lowest first, (D+1,) or one row a neuron (H, D+1); None for what is fitted.
    """

    apply: Callable[[Reals], Reals]
    slope: float = 1.0
    coefficients: Reals | None = None

    def slopes(self, limits: Reals) -> Reals:
        """The largest |derivative| (H,) in [-limit, limit]."""
        if self.coefficients is None:
            return np.full(len(limits), self.slope)
        powers = np.arange(1, self.coefficients.shape[-1])
        return np.asarray((limits[:, None] ** (powers - 1) * (powers * np.abs(self.coefficients[..., 1:]))).sum(axis=1))


def polynomial(coefficients: Reals) -> Activation:
    """A polynomial as an activation, from its coefficients, lowest first: (D+1,), or one row a neuron (H, D+1)."""

    def apply(values: Reals) -> Reals:
        total: Reals = np.zeros(1)
        for coefficient in np.moveaxis(coefficients, -1, 0)[::-1]:
            total = total * values + coefficient
        return total

    return Activation(apply, coefficients=coefficients)


def _logistic(values: Reals) -> Reals:
    return np.asarray(0.5 + 0.5 * np.tanh(values / 2))


ACTIVATIONS = {
    "relu": Activation(lambda values: np.maximum(values, 0.0)),
    "tanh": Activation(np.tanh),
    "logistic": Activation(_logistic, slope=0.25),
    "square": Activation(np.square, coefficients=np.array([0.0, 0.0, 1.0])),
}
"""By name."""


def polynomials(activation: Activation, hidden: Reals, limits: Reals, degree: int) -> Reals:
    """The polynomial of each neuron (H, degree+1), lowest degree first, in units of its limit: p(h/limit) is near the
    activation of h for |h| <= limit (H,), nearest where the sample's hidden values (n, H) are.
    """
    if activation.coefficients is not None:
        return np.asarray(activation.coefficients * limits[:, None] ** np.arange(activation.coefficients.shape[-1]))
    return np.stack([_fitted(activation, hidden[:, j], limits[j], degree) for j in range(len(limits))])


def _fitted(activation: Activation, hidden: Reals, limit: float, degree: int) -> Reals:
    spread = np.linspace(-limit, limit, max(2 * degree + 1, int(len(hidden) * _UNIFORM_SHARE)))
    points = np.concatenate([hidden, spread])
    series = np.polynomial.Chebyshev.fit(points, activation.apply(points), degree, domain=[-limit, limit])
    found = np.zeros(degree + 1)
    coefficients = np.polynomial.chebyshev.cheb2poly(series.coef)
    found[: len(coefficients)] = coefficients
    return found


def distances(activation: Activation, fitted: Reals, limits: Reals) -> Reals:
    """Bounds (H,) on |p(h/limit) - activation of h| for |h| <= limit: at many points, and between them by slopes."""
    if activation.coefficients is not None:
        return np.zeros(len(limits))
    points = np.linspace(-1.0, 1.0, _POINTS)
    powers = points ** np.arange(fitted.shape[1])[:, None]
    apart = np.abs(fitted @ powers - activation.apply(limits[:, None] * points)).max(axis=1)
    slopes = np.abs(fitted[:, 1:]) @ np.arange(1, fitted.shape[1]) + activation.slope * limits
    return np.asarray(apart + slopes / (_POINTS - 1))
