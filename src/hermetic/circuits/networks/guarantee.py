"""What is guaranteed of a network that is encoded in a circuit: its error, and the flooding of its answers.

Both follow from bounds on noise (:mod:`.bounds`) and on rounding, carried through the layers to first order: a score
moves by at most its slope times what a hidden value moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import Reals
from ...errors import ModelFileError
from ..bounds import MIN_LAMBDA_BITS, mask_noise
from .bounds import Noise
from .embedding import INTEGER_BITS
from .network import Network, range_power
from .public import RELEASE_LEVEL, NetworkCircuit
from .ranges import HiddenRange
from .weights import Plaintexts, PrivateNetwork

_REAL = 1e-3
"""Roots this close to the real line count as real: a point more does no harm to a maximum."""


def release_scale(circuit: NetworkCircuit) -> float:
    """log2 of what scores are multiplied by when they are flooded."""
    return circuit.score_exponent + math.log2(circuit.release_parameters.rescale_factor)


def slopes(network: Network, hidden: Reals) -> Reals:
    """How much each score (k) moves at most with each hidden value (H) within bounds: (k, H)."""
    return np.asarray(np.abs(network.readout) * _largest(_derivative(network.polynomials), hidden))


def complex_slopes(network: Network, hidden: Reals) -> Reals:
    """The same where activations are computed from w = h·(h + i) and what moves h is complex."""
    return turned_slopes(network, hidden) * np.sqrt(4 * hidden**2 + 1)


def turned_slopes(network: Network, hidden: Reals) -> Reals:
    """How much each score moves with each value w = h·(h + i): that of (c4 - i·c3/2)·w^2 + (c4 + c2 - i·c1)·w."""
    _, c1, c2, c3, c4 = _five(network).T
    largest = hidden * np.sqrt(hidden**2 + 1)
    return np.asarray(np.abs(network.readout) * (2 * np.hypot(c4, c3 / 2) * largest + np.hypot(c2 + c4, c1)))


def _turned_squares(network: Network) -> Reals:
    """How much each score moves with each w^2, as a value of its own."""
    *_, c3, c4 = _five(network).T
    return np.asarray(np.abs(network.readout) * np.hypot(c4, c3 / 2))


def _five(network: Network) -> Reals:
    """The polynomials (H, 5) up to the fourth power."""
    padded = np.zeros((network.hidden, 5))
    padded[:, : network.degree + 1] = network.polynomials
    return padded


def _square_slopes(network: Network, hidden: Reals) -> Reals:
    """How much each score moves with each square, as a value of its own: that of (c4·u + c3·h + c2)·u."""
    moved = _five(network)[:, 2:] * np.array([1.0, 1.0, 2.0])
    return np.asarray(np.abs(network.readout) * _largest(moved, hidden))


def _derivative(polynomials: Reals) -> Reals:
    return np.asarray(polynomials[:, 1:] * np.arange(1, polynomials.shape[1]))


def _largest(polynomials: Reals, limits: Reals) -> Reals:
    """The largest |value| (H,) of polynomials (H, D+1) in [-limit, limit]: at its ends, or where the slope is 0."""
    if polynomials.shape[1] <= 2:
        return np.asarray((np.abs(polynomials) * limits[:, None] ** np.arange(polynomials.shape[1])).sum(axis=1))
    return np.array([_largest_of(one, limit) for one, limit in zip(polynomials, limits, strict=True)])


def _largest_of(polynomial: Reals, limit: float) -> float:
    scaled = polynomial * limit ** np.arange(len(polynomial))
    turns = np.polynomial.polynomial.polyroots(np.polynomial.polynomial.polyder(np.trim_zeros(scaled, "b")))
    inside = turns.real[(np.abs(turns.imag) < _REAL) & (np.abs(turns.real) <= 1)]
    return float(np.abs(np.polynomial.polynomial.polyval(np.concatenate([[-1.0, 1.0], inside]), scaled)).max())


@dataclass(frozen=True)
class Bounds:
    """What follows for a network that is encoded in a circuit.

    Attributes
    ----------
    error
        Bound on |decrypted score - score of the network in plain numbers|.
    lambda_bits
        log2 of flooding over noise that depends on the weights, of the word with the most.
    """

    error: float
    lambda_bits: float

    @staticmethod
    def of(private: PrivateNetwork, circuit: NetworkCircuit) -> Bounds:
        """The bounds for hidden values within the network's limits."""
        network, hidden, plain = private.network, private.limits, Plaintexts(private, circuit)
        noise = _Noise(plain, circuit, network)
        slope = noise.slopes(network, hidden)
        seen, range_noise = noise.of_scores(network, hidden), noise.of_range(private, circuit)
        moved = plain.hidden_error() + noise.messages
        rounding = float((slope.sum(axis=1) * moved).max()) + plain.score_error()
        unit, dropped = 2.0**-circuit.score_exponent, circuit.release_parameters.rescale_factor
        release = (2.0 ** (circuit.flood_bits - 1) + mask_noise(circuit.parameters)) / dropped
        release += circuit.release_parameters.rescale_noise + 1
        whole = 2.0 ** release_scale(circuit)
        return Bounds(
            error=seen + rounding + release * unit,
            lambda_bits=circuit.flood_bits - math.log2(max(seen, range_noise) * whole),
        )


class _Noise:
    """Noise of the steps of an evaluation, in units of what they compute."""

    def __init__(self, plain: Plaintexts, circuit: NetworkCircuit, network: Network) -> None:
        parameters, steps, scales = circuit.parameters, circuit.steps, plain.scales
        noise, top = Noise(parameters), parameters.levels
        slots = circuit.arrangement.slots
        self._paired, self._degree = circuit.arrangement.paired, circuit.degree
        weights = float(np.abs(network.weights).sum(axis=1).max()) * (math.sqrt(2) if circuit.pairs else 1.0)
        folds = slots // circuit.period if steps.folded else 1
        hidden = 2.0**scales.hidden
        layer = noise.rounding(folds) + noise.switching(top, folds, steps.giants - 1)
        layer += sum(noise.switching(top, slots // (2 * step)) for step in steps.folds(slots))
        total = weights * noise.fresh / 2.0**circuit.query_exponent
        total += (2 if self._paired else 1) * layer / hidden
        if circuit.conjugates:
            total += noise.switching(top) / hidden
        self.messages = weights * noise.message / 2.0**INTEGER_BITS
        self._hidden: float = total
        last = circuit.last_level
        self._last = noise.switching(last, times=circuit.last_steps.giants) / 2.0**scales.score
        self._last += (last - RELEASE_LEVEL) * noise.rounding() / 2.0 ** release_scale(circuit)
        self._square: float = noise.switching(top) / 4.0**scales.hidden
        self._turned_square: float = 0.0
        if circuit.degree > 2:
            self._square += noise.rounding() / 2.0**scales.square
        if self._paired and circuit.degree > 2:
            self._square += noise.switching(last) / 2.0**scales.square
            self._turned_square = noise.switching(last, times=2) / 4.0**scales.square
        elif self._paired:
            self._square += noise.switching(last) / 4.0**scales.hidden

    def slopes(self, network: Network, hidden: Reals) -> Reals:
        """How much each score moves at most with each hidden value (k, H)."""
        return complex_slopes(network, hidden) if self._paired else slopes(network, hidden)

    def of_scores(self, network: Network, hidden: Reals) -> float:
        """Of the score with the most."""
        total: float = _norm(self.slopes(network, hidden)) * self._hidden + self._last
        if self._paired:
            squares = _norm(_turned_squares(network)) * self._turned_square
            return total + _norm(turned_slopes(network, hidden)) * self._square + squares
        return total + (_norm(_square_slopes(network, hidden)) * self._square if self._degree > 2 else 0.0)

    def of_range(self, private: PrivateNetwork, circuit: NetworkCircuit) -> float:
        """Of the range word, in units of a score's word."""
        if circuit.range is None:
            return 0.0
        power, weights = range_power(private.network.degree), private.range_weights
        polynomials = np.zeros((len(weights), power + 1))
        polynomials[:, power] = weights
        word = replace(private.network, polynomials=polynomials, readout=np.ones((1, len(weights))))
        return self.of_scores(word, private.limits) * 2.0 ** (circuit.range.exponent - circuit.score_exponent)


def _norm(slope: Reals) -> float:
    """The largest root of the sum of squares over neurons: noise of distinct slots is orthogonal."""
    largest = np.sqrt((slope**2).sum(axis=1)).max()
    return float(largest)


def check(private: PrivateNetwork, circuit: NetworkCircuit, error: float) -> None:
    """Raise :class:`ModelFileError` unless the bounds of a circuit hold for a network.

    No score may wrap that the range word lets pass; where there is none, none of any input in range.
    """
    hidden = HiddenRange.of(private, circuit)
    (kept,) = circuit.parameters.kept_primes
    if hidden.largest_score * 2.0**circuit.score_exponent >= kept / 2:
        raise ModelFileError(
            "scores must stay within the modulus. Those of this network exceed it for some input in range."
        )
    if circuit.range is not None and hidden.largest_sum * 2.0**circuit.range.exponent >= kept / 2:
        raise ModelFileError(
            "the range word must stay within the modulus. That of this network exceeds it for some input in range."
        )
    found = Bounds.of(private, circuit)
    if found.lambda_bits < max(circuit.lambda_bits, MIN_LAMBDA_BITS) - 1e-6 or found.error > error:
        raise ModelFileError(
            f"answers must be flooded by {max(circuit.lambda_bits, MIN_LAMBDA_BITS)} bits and be within {error:g}. "
            f"This network's are flooded by {found.lambda_bits:.1f} and within {found.error:.3g}."
        )
