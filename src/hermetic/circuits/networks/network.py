"""A network in plain numbers: what its owner keeps, and what the encrypted evaluation must give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Reals


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """p(weights · x + bias) of what is before it, x (d,).

    Attributes
    ----------
    weights, bias
        (H, d) and (H,).
    polynomials
        The activation of each neuron (H, D+1), lowest degree first. Its constant is 0: what follows has it.
    """

    weights: Reals
    bias: Reals
    polynomials: Reals

    @property
    def degree(self) -> int:
        """D, of the activations."""
        return int(self.polynomials.shape[1]) - 1

    @property
    def width(self) -> int:
        """H."""
        return len(self.weights)

    def before_activation(self, values: Reals) -> Reals:
        """The hidden values (n, H) of what is before the layer (n, d)."""
        return np.asarray(values @ self.weights.T + self.bias)

    def activated(self, hidden: Reals) -> Reals:
        """What hidden values (n, H) become."""
        total = np.zeros(1)
        for coefficient in self.polynomials.T[::-1]:
            total = total * hidden + coefficient
        return np.asarray(total)

    def reach(self, before: Reals) -> Reals:
        """The largest |hidden value| of each neuron (H,) where what is before is within ``before`` (d,)."""
        return np.asarray(np.abs(self.weights) @ before + np.abs(self.bias))

    def activated_reach(self, reach: Reals) -> Reals:
        """A bound on what hidden values within ``reach`` (H,) become."""
        return np.asarray((np.abs(self.polynomials) * reach[:, None] ** np.arange(self.degree + 1)).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Network:
    """scores = readout · hidden + offset, where ``layers`` make hidden of inputs u (d,) in [-1, 1].

    Attributes
    ----------
    layers
        The hidden layers, one at least, all with activations of one degree.
    readout, offset
        The last layer (k, H) and (k,).
    """

    layers: tuple[HiddenLayer, ...]
    readout: Reals
    offset: Reals

    @property
    def first(self) -> HiddenLayer:
        """What reads the inputs."""
        return self.layers[0]

    @property
    def last(self) -> HiddenLayer:
        """What scores are made of."""
        return self.layers[-1]

    @property
    def degree(self) -> int:
        """D, of the activations."""
        return self.last.degree

    def hidden_values(self, inputs: Reals) -> list[Reals]:
        """The hidden values (n, H) of every layer, of inputs (n, d)."""
        found, values = [], inputs
        for layer in self.layers:
            found.append(layer.before_activation(values))
            values = layer.activated(found[-1])
        return found

    def scores(self, inputs: Reals) -> Reals:
        """Scores (n, k) of inputs (n, d)."""
        return np.asarray(self.last.activated(self.hidden_values(inputs)[-1]) @ self.readout.T + self.offset)

    @property
    def reach(self) -> list[Reals]:
        """The largest |hidden value| of each neuron (H,) of every layer, over all inputs in [-1, 1]: interval by
        interval, so the later layers' are far larger than any input's.
        """
        found, before = [], np.ones(self.first.weights.shape[1])
        for layer in self.layers:
            found.append(layer.reach(before))
            before = layer.activated_reach(found[-1])
        return found

    def terms(self) -> Reals:
        """The coefficients of every neuron's powers in every score (D+1, k, H), of the last hidden layer."""
        return np.asarray(self.last.polynomials.T[:, None, :] * self.readout)


def range_power(degree: int) -> int:
    """D: the power of hidden values in the range word."""
    return degree + degree % 2


def powers_of(degree: int) -> int:
    """P: activations of a degree are sums of w, w^2, … w^P, of w = h·(h + i): 1, 2 or 4 of them."""
    return 1 if degree <= 2 else 2 if degree <= 4 else 4
