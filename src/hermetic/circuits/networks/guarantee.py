"""What is guaranteed of a network that is encoded in a circuit: its error, and the flooding of its answers.

Both follow from bounds on noise (:mod:`.bounds`) and on rounding, carried through the layers to first order: a score
moves by at most its slope times what a hidden value moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import Reals
from ...errors import ModelFileError
from ..bounds import MIN_LAMBDA_BITS, mask_noise
from .bounds import Noise
from .diagonals import Steps
from .embedding import INTEGER_BITS
from .network import HiddenLayer, Network, range_power
from .public import RELEASE_LEVEL, NetworkCircuit
from .ranges import HiddenRange
from .weights import Plaintexts, PrivateNetwork, Scales, power_factors

_POWERS_OF_EIGHT = 4

_REAL = 1e-3
"""Roots this close to the real line count as real: a point more does no harm to a maximum."""


def release_scale(circuit: NetworkCircuit) -> float:
    """log2 of what scores are multiplied by when they are flooded."""
    return circuit.score_exponent + math.log2(circuit.release_parameters.rescale_factor)


def slopes(network: Network, limits: Limits) -> list[Reals]:
    """How much each score (k) moves at most with each value of a hidden layer within bounds: (k, H), of every layer."""
    return _through(network, limits, _real_slopes)


def complex_slopes(network: Network, limits: Limits) -> list[Reals]:
    """The same where activations are computed from w = h·(h + i) and what moves h is complex."""
    return _through(network, limits, _complex_slopes)


Limits = Sequence[Reals]
"""The largest |hidden value| (H,) of every layer."""

Rows = Callable[[HiddenLayer, Reals, Reals], Reals]
"""How much each row of a matrix (m, H) that follows a layer moves with something of the layer, (m, H)."""


def _through(network: Network, limits: Limits, own: Rows) -> list[Reals]:
    """``own`` of every layer, carried through those after it to the scores."""
    return [own(*each) for each in zip(network.layers, _after(network, limits, own), limits, strict=True)]


def _after(network: Network, limits: Limits, own: Rows) -> list[Reals]:
    """How much each score moves with what each layer gives, after activation: (k, H)."""
    found = [np.abs(network.readout)]
    for layer, limit in list(zip(network.layers, limits, strict=True))[:0:-1]:
        found.append(own(layer, found[-1], limit) @ np.abs(layer.weights))
    return found[::-1]


def _real_slopes(layer: HiddenLayer, after: Reals, limit: Reals) -> Reals:
    return np.asarray(np.abs(after) * _largest(_derivative(layer.polynomials), limit))


def _complex_slopes(layer: HiddenLayer, after: Reals, limit: Reals) -> Reals:
    return power_slopes(layer, after, limit)[0] * np.sqrt(4 * limit**2 + 1)


def power_slopes(layer: HiddenLayer, after: Reals, limit: Reals) -> list[Reals]:
    """With w = h·(h + i), and each power of it as a value of its own, the lowest first: what is multiplied to make
    others moves these as well.
    """
    found = [np.abs(after) * np.abs(factor) for factor in power_factors(layer.polynomials)[::-1]]
    largest = limit * np.sqrt(limit**2 + 1)
    if len(found) == _POWERS_OF_EIGHT:
        found[1] = found[1] + 2 * largest**2 * found[3] + largest * found[2]
        found[0] = found[0] + largest**2 * found[2]
    if len(found) > 1:
        found[0] = found[0] + 2 * largest * found[1]
    return found


def _square_slopes(layer: HiddenLayer, after: Reals, limit: Reals) -> Reals:
    """With each square, as a value of its own: that of (c4·u + c3·h + c2)·u."""
    padded = np.zeros((layer.width, 5))
    padded[:, : layer.degree + 1] = layer.polynomials
    moved = padded[:, 2:] * np.array([1.0, 1.0, 2.0])
    return np.asarray(np.abs(after) * _largest(moved, limit))


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
        network, limits, plain = private.network, private.limits, Plaintexts(private, circuit)
        noise = _Noise(plain, circuit, network)
        seen, range_noise = noise.of_scores(network, limits), noise.of_range(private, circuit)
        rounding = plain.score_error()
        for number, slope in enumerate(noise.slopes(network, limits)):
            moved = plain.hidden_error(number) + (noise.messages if number == 0 else 0.0)
            rounding += float((slope.sum(axis=1) * moved).max())
        unit, dropped = 2.0**-circuit.score_exponent, circuit.release_parameters.rescale_factor
        release = (2.0 ** (circuit.flood_bits - 1) + mask_noise(circuit.parameters)) / dropped
        release += circuit.release_parameters.rescale_noise + 1
        whole = 2.0 ** release_scale(circuit)
        return Bounds(
            error=seen + rounding + release * unit,
            lambda_bits=circuit.flood_bits - math.log2(max(seen, range_noise) * whole),
        )


class _Noise:
    """Noise of the steps of an evaluation, in units of what they compute.

    A word is the mean over all copies of what is computed: those that the query has of its columns, and then those that
    each layer has of its values. Their noise is of distinct slots, so the mean's falls as the root of their number.
    """

    def __init__(self, plain: Plaintexts, circuit: NetworkCircuit, network: Network) -> None:
        self._noise, self._circuit, self._scales = Noise(circuit.parameters), circuit, plain.scales
        noise, first = self._noise, np.abs(network.first.weights).sum(axis=1).max()
        self._paired = circuit.arrangement.paired
        weights = float(first) * (math.sqrt(2) if circuit.pairs else 1.0)
        self.messages = weights * noise.message / 2.0**INTEGER_BITS
        fresh = weights * noise.fresh / 2.0**circuit.query_exponent
        slots = (circuit.arrangement.span, *circuit.periods)
        steps = (circuit.steps, *circuit.further_steps)
        self._hidden = [self._layer(number, *each) for number, each in enumerate(zip(steps, slots, strict=False))]
        self._hidden[0] += fresh
        self._activations = [self._activation(number) for number in range(len(network.layers))]
        self._shares = [math.sqrt(one / circuit.arrangement.slots) for one in slots]
        last = circuit.last_level
        self._last: float = noise.switching(last, times=circuit.last_steps.giants) / 2.0**self._scales.score
        self._last += (last - RELEASE_LEVEL) * noise.rounding() / 2.0 ** release_scale(circuit)

    def _layer(self, number: int, steps: Steps, slots: int) -> float:
        """Of a layer's own rotations, where values repeat every so many slots before it."""
        noise, level, hidden = self._noise, self._circuit.levels[number], float(2.0 ** self._scales.layers[number])
        folds = slots // steps.period if steps.folded else 1
        found = noise.rounding() + noise.switching(level, folds, steps.giants - 1)
        found += sum(noise.switching(level, slots // (2 * step)) for step in steps.folds(slots))
        total = (2 if self._paired else 1) * found / hidden
        return total + noise.switching(level) / hidden if self._circuit.conjugates else total

    def _activation(self, number: int) -> list[float]:
        """Of every power of w = h·(h + i), or of the square, the lowest first: of its product, its division, and its
        rotations by baby steps.
        """
        noise, scales, top = self._noise, self._scales, self._circuit.levels[number]
        depth, last = scales.depth, number == len(scales.layers) - 1
        level, found = top - depth - (not last), []
        for power, used in enumerate(scales.values(number)[::-1], start=1):
            steps = (power - 1).bit_length()  # the products before its own
            prime = scales.primes[top - 1 - steps]
            divided = steps < depth or not last
            own = noise.switching(top - steps) / 2.0 ** (used + prime if divided else used)
            own += noise.rounding() / 2.0**used if divided else 0.0
            found.append(own + (noise.switching(level) / 2.0**used if self._paired else 0.0))
        return found

    def slopes(self, network: Network, limits: Limits) -> list[Reals]:
        """How much each score moves at most with each hidden value (k, H) of every layer."""
        return complex_slopes(network, limits) if self._paired else slopes(network, limits)

    def of_scores(self, network: Network, limits: Limits) -> float:
        """Of the score with the most."""
        total = self._last
        for slope, own, share in zip(self.slopes(network, limits), self._hidden, self._shares, strict=False):
            total += _norm(slope) * own * share
        if not self._paired and self._scales.depth:
            squares = _square_slopes(network.last, network.readout, limits[-1])
            return total + _norm(squares) * self._activations[-1][0] * self._shares[-1]
        if not self._paired:
            return total
        after = _after(network, limits, _complex_slopes)
        each = zip(network.layers, after, limits, self._activations, self._shares[1:], strict=True)
        for layer, one, limit, powers, share in each:
            moved = zip(power_slopes(layer, one, limit), powers, strict=True)
            total += sum(_norm(slope) * own for slope, own in moved) * share
        return total

    def of_range(self, private: PrivateNetwork, circuit: NetworkCircuit) -> float:
        """Of the range word, in units of a score's word."""
        if circuit.range is None:
            return 0.0
        word = range_network(private.network, private.range_weights)
        return self.of_scores(word, private.limits) * 2.0 ** (circuit.range.exponent - circuit.score_exponent)


def range_network(network: Network, weights: Reals) -> Network:
    """The network whose score is the range word, with so much (H,) of each neuron."""
    power = range_power(network.degree)
    polynomials = np.zeros((len(weights), power + 1))
    polynomials[:, power] = weights
    layers = (*network.layers[:-1], replace(network.last, polynomials=polynomials))
    return Network(layers, np.ones((1, len(weights))), np.zeros(1))


def room(private: PrivateNetwork, circuit: NetworkCircuit) -> float:
    """How many bits the modulus has, at the least, beyond the powers of hidden values that are divided by a prime, over
    all inputs in range: division tells a wrapped value from none, unlike sums and products.
    """
    scales = Scales.of(circuit, private.weight_exponents)
    found = [math.inf]
    for number, reach in enumerate(private.network.reach):
        value = math.log2(max(float((reach * np.sqrt(reach**2 + 1)).max()), 1.0))
        before = [scales.layers[number], *scales.divided(number)]
        for depth in range(scales.depth + (number < len(circuit.further))):
            modulus = sum(scales.primes[: circuit.levels[number] - depth])
            found.append(modulus - 1 - before[depth] - max(before[: depth + 1]) - 2**depth * value)
    return min(found)


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
    if room(private, circuit) < 0:
        raise ModelFileError(
            "powers of hidden values must stay within the modulus. Those of this network exceed it for some input in "
            "range."
        )
    found = Bounds.of(private, circuit)
    if found.lambda_bits < max(circuit.lambda_bits, MIN_LAMBDA_BITS) - 1e-6 or found.error > error:
        raise ModelFileError(
            f"answers must be flooded by {max(circuit.lambda_bits, MIN_LAMBDA_BITS)} bits and be within {error:g}. "
            f"This network's are flooded by {found.lambda_bits:.1f} and within {found.error:.3g}."
        )
