"""How large hidden values and scores can be: over all inputs, or as the range word bounds them.

The range word is r = sum over neurons of the last hidden layer of v_j·|h_j|^D, where D is the degree of activations,
rounded up to an even number. For all h with r <= rho, a score's part of power p, sum of a_j·|h_j|^p, is at most

    p = D    max over j of a_j/v_j · rho
    p < D    |a_j/v_j^(p/D)|_q · rho^(p/D)    by Hölder, with q = D/(D - p)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Reals
from .network import Network, range_power
from .public import NetworkCircuit
from .weights import PrivateNetwork

SLACK = 2.0
"""How far beyond its limit a range word may be accepted, because of flooding, as a share of the limit."""

_LEAST_LIMIT = 1e-9

_LEAST_SHARE = 1e-3
"""No neuron's v is less than this share of the largest, so that every one is bounded."""


@dataclass(frozen=True, eq=False)
class HiddenRange:
    """Bounds on hidden values.

    Attributes
    ----------
    limits
        The largest |hidden value| (H,) of every layer.
    weights
        v (H,) of the range word, which is of the last hidden layer; zeros where there is none.
    sum_limit
        rho: the largest sum that a client accepts; None where no input in range can wrap.
    largest_sum
        The largest sum of any input in range, which must not wrap either.
    largest_score
        The largest |score| of what a client accepts.
    """

    limits: tuple[Reals, ...]
    weights: Reals
    sum_limit: float | None
    largest_sum: float
    largest_score: float

    @staticmethod
    def proved(network: Network) -> HiddenRange:
        """Bounds over all inputs in range."""
        reach = network.reach
        each = network.last.activated_reach(reach[-1])
        largest = float((np.abs(network.readout) @ each + np.abs(network.offset)).max())
        limits = tuple(np.maximum(one, _LEAST_LIMIT) for one in reach)
        return HiddenRange(limits, np.zeros(network.last.width), None, 0.0, largest)

    @staticmethod
    def calibrated(network: Network, inputs: Reals, margin: float) -> HiddenRange:
        """Bounds from a sample (n, d) of inputs in [-1, 1]: hidden values up to ``margin`` times the sample's."""
        hidden, power = network.hidden_values(inputs), range_power(network.degree)
        weights = range_weights(network)
        seen = (np.maximum(margin * np.abs(one).max(axis=0), _LEAST_LIMIT) for one in hidden)
        limits = tuple(np.minimum(one, reach) for one, reach in zip(seen, network.reach, strict=True))
        limit = margin**power * float((np.abs(hidden[-1]) ** power @ weights).max())
        return _calibrated(network, weights, limits, limit, SLACK * limit)

    @staticmethod
    def of(private: PrivateNetwork, circuit: NetworkCircuit) -> HiddenRange:
        """The bounds that hold for whatever a client of the circuit accepts."""
        if circuit.range is None:
            return HiddenRange.proved(private.network)
        accepted = circuit.range.limit + 2 * circuit.range_slack
        return _calibrated(private.network, private.range_weights, private.limits, circuit.range.limit, accepted)


def _calibrated(
    network: Network, weights: Reals, limits: tuple[Reals, ...], rho: float, accepted: float
) -> HiddenRange:
    largest = float((weights * network.reach[-1] ** range_power(network.degree)).sum())
    return HiddenRange(limits, weights, rho, largest, _largest_score(network, weights, accepted))


def range_weights(network: Network) -> Reals:
    """v (H,): as much as the highest power of a neuron counts in any score."""
    counted = np.abs(network.terms())[2:].max(axis=(0, 1))
    return np.asarray(np.maximum(counted, _LEAST_SHARE * counted.max() or 1.0))


def _largest_score(network: Network, weights: Reals, rho: float) -> float:
    terms, highest = np.abs(network.terms()), range_power(network.degree)
    total = np.abs(network.offset)
    for power in range(1, len(terms)):
        share = terms[power] / weights ** (power / highest)
        if power == highest:
            total = total + share.max(axis=1) * rho
        else:
            conjugate = highest / (highest - power)
            total = total + (share**conjugate).sum(axis=1) ** (1 / conjugate) * rho ** (power / highest)
    return float(total.max())
