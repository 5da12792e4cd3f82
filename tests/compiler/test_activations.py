"""Bounds on activations, beside many points of them."""

import numpy as np
import pytest

from hermetic.compiler.activations import ACTIVATIONS, distances, polynomials

LIMITS = np.array([0.1, 1.0, 7.5])
POINTS = np.linspace(-1, 1, 20_001)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_slope_is_larger_than_its_bound(name: str) -> None:
    activation = ACTIVATIONS[name]
    for limit, bound in zip(LIMITS, activation.slopes(LIMITS), strict=True):
        x = limit * POINTS
        seen = np.abs(np.diff(activation.apply(x)) / np.diff(x)).max()
        assert seen <= bound + 1e-9
        assert seen > 0.2 * bound


@pytest.mark.parametrize("degree", [2, 4])
@pytest.mark.parametrize("name", ["relu", "tanh", "logistic"])
def test_no_polynomial_is_further_away_than_its_bound(name: str, degree: int) -> None:
    activation = ACTIVATIONS[name]
    hidden = np.random.default_rng(0).normal(size=(500, len(LIMITS))) * LIMITS / 4
    fitted = polynomials(activation, hidden, LIMITS, degree)
    for limit, coefficients, bound in zip(LIMITS, fitted, distances(activation, fitted, LIMITS), strict=True):
        x = np.random.default_rng(1).uniform(-limit, limit, 50_000)
        apart = np.abs(np.polynomial.polynomial.polyval(x / limit, coefficients) - activation.apply(x)).max()
        assert apart <= bound <= 1.1 * apart + 1e-3 * limit


def test_a_square_is_its_own_polynomial() -> None:
    square = ACTIVATIONS["square"]
    fitted = polynomials(square, np.zeros((1, len(LIMITS))), LIMITS, 2)
    assert np.allclose(fitted[:, 2], LIMITS**2)
    assert not distances(square, fitted, LIMITS).any()
