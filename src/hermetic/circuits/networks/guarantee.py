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


def _square_slopes(network: Network, hidden: Reals) -> Reals:
    """The same with each square, as a value of its own: that of (c4·u + c3·h + c2)·u."""
    padded = np.zeros((network.hidden, 5))
    padded[:, : network.degree + 1] = network.polynomials
    moved = np.stack([padded[:, 2], padded[:, 3], 2 * padded[:, 4]], axis=1)
    return np.asarray(np.abs(network.readout) * _largest(moved, hidden))


def _derivative(polynomials: Reals) -> Reals:
    return np.asarray(polynomials[:, 1:] * np.arange(1, polynomials.shape[1]))


def _largest(polynomials: Reals, limits: Reals) -> Reals:
    """The largest |value| (H,) of polynomials (H, D+1) in [-limit, limit]: at its ends, or where the slope is 0."""
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
        slope = slopes(network, hidden)
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
        weights = float(np.abs(network.weights).sum(axis=1).max()) * (math.sqrt(2) if plain.pairs else 1.0)
        folds = slots // circuit.period if steps.folded else 1
        hidden = 2.0**scales.hidden
        total = weights * noise.fresh / 2.0**circuit.query_exponent
        total += (noise.rounding(folds) + noise.switching(top, folds, steps.giants - 1)) / hidden
        total += sum(noise.switching(top, slots // (2 * step)) for step in steps.folds(slots)) / hidden
        if plain.pairs:
            total += noise.switching(top) / hidden
        self.messages = weights * noise.message / 2.0**INTEGER_BITS
        self._hidden: float = total
        self._last = noise.switching(circuit.last_level) / 2.0**scales.score
        self._last += (circuit.last_level - RELEASE_LEVEL) * noise.rounding() / 2.0 ** release_scale(circuit)
        self._square = 0.0
        if not plain.pairs:
            self._square = noise.switching(top) / 4.0**scales.hidden + noise.rounding() / 2.0**scales.square

    def of_scores(self, network: Network, hidden: Reals) -> float:
        """Of the score with the most."""
        total: float = _norm(slopes(network, hidden)) * self._hidden + self._last
        return total + (_norm(_square_slopes(network, hidden)) * self._square if self._square else 0.0)

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
