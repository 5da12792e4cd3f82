"""Affine nodes read backwards: from the weights on what a node gives to those on what it takes.

That is reverse-mode differentiation of a graph without curves: one pass gives the weights on the inputs, and none of
its matrices has more rows than there are scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Reals
from ...errors import UnsupportedModelError
from .graph import ROWS, Array, Step


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights (k, m) of k scores on a tensor of m values a sample, and their ``reach``, see
    :class:`hermetic.compiler.linear.LinearMap`.
    """

    values: Reals
    reach: Reals

    def __add__(self, other: Weights) -> Weights:
        return Weights(self.values + other.values, self.reach + other.reach)

    def scaled(self, factors: Reals | float) -> Weights:
        """The weights on x where these are on factors·x, factors (m,)."""
        return Weights(self.values * factors, self.reach * np.abs(factors))

    def through(self, matrix: Reals) -> Weights:
        """The weights on x (…, a) where these are on x @ matrix (…, b)."""
        k, b = len(self.values), matrix.shape[1]
        if b == self.values.shape[1] and self._are_one_each():
            return Weights(matrix.T, np.abs(matrix.T))
        values, reach = self.values.reshape(-1, b) @ matrix.T, self.reach.reshape(-1, b) @ np.abs(matrix.T)
        return Weights(values.reshape(k, -1), reach.reshape(k, -1))

    def _are_one_each(self) -> bool:
        """Whether every score is one value of the tensor, in their order, as at the end of a graph."""
        k, m = self.values.shape
        return k == m and np.count_nonzero(self.values) == k and bool((np.diagonal(self.values) == 1.0).all())

    def gathered(self, origin: Array, width: int) -> Weights:
        """The weights on x (width,) where these are on x[origin]; an origin of -1 is not in x."""
        if np.array_equal(origin, np.arange(width)):
            return self
        here = origin >= 0
        sums = [np.zeros((width, len(self.values))) for _ in range(2)]
        for total, own in zip(sums, (self.values, self.reach), strict=True):
            np.add.at(total, origin[here], own.T[here])
        return Weights(sums[0].T, sums[1].T)


class Backwards:
    """What is known of k scores on the way back: weights on tensors, by name, and constants that were met.

    Attributes
    ----------
    weights
        Of tensors that are not read further yet.
    bias, folded
        See :class:`hermetic.compiler.linear.LinearMap`.
    roundings
        How often the model rounds between an input and a score, at most.
    """

    def __init__(self, weights: dict[str, Weights], scores: int) -> None:
        self.weights = weights
        self.bias, self.folded = np.zeros(scores), np.zeros(scores)
        self.roundings = 0

    def give(self, step: Step, i: int, weights: Weights) -> None:
        """Add weights on input i of a step; on a static input they add to the bias."""
        name = step.node.input[i]
        if step.static[i]:
            self.shift(weights, constant(step, i, step.array(i).shape))
        else:
            self.weights[name] = self.weights[name] + weights if name in self.weights else weights

    def shift(self, weights: Weights, added: Reals) -> None:
        """A constant (m,) is added where the weights are."""
        self.bias = self.bias + weights.values @ added
        self.folded = self.folded + weights.reach @ np.abs(added)


def constant(step: Step, i: int, shape: tuple[int, ...]) -> Reals:
    """A static input, broadcast to ``shape`` (ROWS, …): its values (m,) for any sample."""
    try:
        rows = np.broadcast_to(step.array(i), shape).reshape(ROWS, -1).astype(np.float64)
    except ValueError as error:
        raise mixes(step) from error
    if not np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
        raise mixes(step)
    return np.asarray(rows[0])


def origins(step: Step, numbers: Array, width: int) -> Array:
    """Where each value of a sample comes from, (m,), from what became (ROWS, …) of the numbers of a tensor's values,
    ROWS·width in all; numbers out of range come from elsewhere: -1.
    """
    flat = numbers.reshape(ROWS, -1)
    inside = (flat >= 0) & (flat < ROWS * width)
    found = np.where(inside, flat % width, -1)
    own = np.arange(ROWS)[:, None]
    if not (found == found[0]).all() or not (flat // width == own)[inside].all():
        raise mixes(step)
    return np.asarray(found[0])


def mixes(step: Step) -> UnsupportedModelError:
    """The error about a node whose output for one sample depends on others, or on its place among them."""
    return UnsupportedModelError(
        f"node {step.node.name!r} ({step.node.op_type}) must treat every sample alike, and apart from the others. It "
        "does not: export the model with a dynamic first axis, which holds the samples alone."
    )
