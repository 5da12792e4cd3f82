"""A network in plain numbers: what its owner keeps, and what the encrypted evaluation must give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Reals


@dataclass(frozen=True, eq=False)
class Network:
    """scores = readout · p(weights · u + bias) + offset, of inputs u (d,) in [-1, 1].

    Attributes
    ----------
    weights, bias
        The hidden layer (H, d) and (H,).
    polynomials
        The activation of each neuron (H, D+1), lowest degree first. Its constant is 0: ``offset`` has it.
    readout, offset
        The last layer (k, H) and (k,).
    """

    weights: Reals
    bias: Reals
    polynomials: Reals
    readout: Reals
    offset: Reals

    @property
    def degree(self) -> int:
        """D, of the activations."""
        return int(self.polynomials.shape[1]) - 1

    @property
    def hidden(self) -> int:
        """H."""
        return len(self.weights)

    def before_activation(self, inputs: Reals) -> Reals:
        """The hidden values (n, H) of inputs (n, d)."""
        return np.asarray(inputs @ self.weights.T + self.bias)

    def scores(self, inputs: Reals) -> Reals:
        """Scores (n, k) of inputs (n, d)."""
        hidden, total = self.before_activation(inputs), 0.0
        for coefficient in self.polynomials.T[::-1]:
            total = total * hidden + coefficient
        return np.asarray(total @ self.readout.T + self.offset)

    @property
    def reach(self) -> Reals:
        """The largest |hidden value| of each neuron (H,) over all inputs in [-1, 1]."""
        return np.asarray(np.abs(self.weights).sum(axis=1) + np.abs(self.bias))

    def terms(self) -> Reals:
        """The coefficients of every neuron's powers in every score (D+1, k, H)."""
        return np.asarray(self.polynomials.T[:, None, :] * self.readout)


def range_power(degree: int) -> int:
    """D: the power of hidden values in the range word."""
    return degree + degree % 2
