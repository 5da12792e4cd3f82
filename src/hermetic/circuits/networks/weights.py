"""A network's weights as plaintexts: what each is multiplied by, and how far rounding moves what is computed.

With n slots, a period of J slots and zeta as in :mod:`.embedding`, coefficient k of a polynomial is

    (1/n) · Re sum over slots s of  v[s] · zeta_s^-k

so v[s] = J · sum over k of y[k, s mod J] · zeta_s^k puts the sum of y[k] over the J slots on coefficient k, for as many
k as there are periods: the last layer needs no rotation.

Two neurons a slot, z = h + i·h', for quadratic activations: a·h^2 + b·h'^2 is the real part of
z·((a+b)/2·conj(z) + (a-b)/2·z), and c·h + c'·h' that of z·(c - i·c').

Where there are more neurons than periods have room for, a slot holds one, h. With w = h·(h + i), c2·h^2 + c1·h is the
real part of (c2 - i·c1)·w, and c4·h^4 + c3·h^3 that of (c4 - i·c3/2)·w^2 + c4·w. Rotations by J slots bring the others
to the first period: word k is the sum over turns t of what slots t·J further hold, times weights of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...arrays import Reals
from . import embedding
from .diagonals import Steps, diagonals
from .embedding import Slots
from .network import Network, range_power
from .public import NetworkCircuit


@dataclass(frozen=True, eq=False)
class PrivateNetwork:
    """A network and how it is encoded: what a model file holds.

    Attributes
    ----------
    network
        The plain numbers.
    weight_exponent
        The first layer is multiplied by 2 to it.
    range_weights
        v (H,) of the range word; zeros where there is none.
    limits
        The largest |hidden value| (H,) that the guaranteed error holds for.
    """

    network: Network
    weight_exponent: float
    range_weights: Reals
    limits: Reals


@dataclass(frozen=True)
class Scales:
    """log2 of what values are multiplied by: hidden values, their squares where powers beyond the second are taken, and
    scores in the last layer.
    """

    hidden: float
    square: float
    score: float

    @staticmethod
    def of(circuit: NetworkCircuit, weight_exponent: float) -> Scales:
        """The scales of a network whose first layer is encoded at an exponent."""
        last_prime = math.log2(circuit.parameters.data_primes[-1])
        hidden = circuit.query_exponent + weight_exponent - math.log2(circuit.parameters.special_prime)
        return Scales(hidden, 2 * hidden - last_prime, score_scale(circuit))


def score_scale(circuit: NetworkCircuit) -> float:
    """log2 of what scores are multiplied by in the last layer."""
    dropped = circuit.parameters.at_level(circuit.last_level).rescale_factor
    return circuit.score_exponent + math.log2(dropped)


@dataclass(frozen=True, eq=False)
class Plaintext:
    """Slots (…, n) and the exponent that they are multiplied with."""

    slots: Slots
    exponent: float

    def error(self, ring_degree: int) -> Reals:
        """How far rounding to integers moves each slot (…, n)."""
        integers, factor = embedding.rounded(self.slots, ring_degree, self.exponent)
        found = embedding.values(integers * (factor / 2.0**self.exponent), ring_degree)
        return np.abs(found - self.slots)


class Plaintexts:
    """All plaintexts of a network under a circuit.

    Attributes
    ----------
    first
        The diagonals of the first layer (giants, C, babies, n).
    bias
        That of the hidden values.
    last
        With the largest value that each slot goes with, see :attr:`quadratic`, :attr:`turned` and :attr:`quartic`.
    """

    def __init__(self, private: PrivateNetwork, circuit: NetworkCircuit) -> None:
        self._private, self._circuit = private, circuit
        self.scales = Scales.of(circuit, private.weight_exponent)
        network, arrangement = private.network, circuit.arrangement
        weights = self._placed(arrangement.on_columns(network.weights))
        self.first = Plaintext(diagonals(weights, arrangement.source, circuit.steps), private.weight_exponent)
        self.bias = Plaintext(self._repeated(self._placed(network.bias)), self.scales.hidden)

    def _placed(self, rows: Slots | Reals) -> Slots | Reals:
        """Rows of neurons (H, …) as those of slots (J, …)."""
        circuit = self._circuit
        count = 2 * circuit.period if circuit.pairs else circuit.period
        padded = np.zeros((count, *rows.shape[1:]), dtype=rows.dtype)
        padded[circuit.arrangement.neurons(len(rows))] = rows
        return padded[: circuit.period] + 1j * padded[circuit.period :] if circuit.pairs else padded

    def _repeated(self, values: Slots | Reals) -> Slots:
        """Values (…, J) in every period (…, n)."""
        slots = self._circuit.arrangement.slots
        return np.asarray(values[..., np.arange(slots) % self._circuit.period], dtype=np.complex128)

    @cached_property
    def terms(self) -> Reals:
        """The coefficients of powers 0 … D in every word (D+1, words, H): those of scores, and of the range word."""
        network, circuit = self._private.network, self._circuit
        scores = network.terms()
        if circuit.range is None:
            return scores
        scale = 2.0 ** (circuit.range.exponent - circuit.score_exponent)
        row = np.zeros((1 + range_power(network.degree), 1, network.hidden))
        row[range_power(network.degree), 0] = self._private.range_weights * scale
        padded = np.zeros((len(row), *scores.shape[1:]))
        padded[: len(scores)] = scores
        return np.concatenate([padded, row], axis=1)

    def _on_coefficients(self, columns: Slots | Reals, turn: int = 0) -> Slots:
        """Columns (words, J) as the slots (n,) that put their sums on coefficients; ``turn`` slots further."""
        roots = embedding.roots(self._circuit.parameters.ring_degree)
        powers = roots ** np.arange(len(columns))[:, None]
        moved = np.roll(self._repeated(columns), -turn, axis=-1)
        return np.asarray((moved * powers).sum(axis=0) * self._circuit.last_steps.period)

    @cached_property
    def quadratic(self) -> dict[str, Plaintext]:
        """What pairs are multiplied by: ``conjugate`` with conj(z), ``same`` with z, and ``constant``."""
        square = self._pairs_of(self.terms[2])
        linear = self._pairs_of(self.terms[1])
        exponent = self.scales.score - 2 * self.scales.hidden
        return {
            "conjugate": Plaintext(self._on_coefficients((square[0] + square[1]) / 2), exponent),
            "same": Plaintext(self._on_coefficients((square[0] - square[1]) / 2), exponent),
            "constant": Plaintext(self._on_coefficients(linear[0] - 1j * linear[1]), exponent + self.scales.hidden),
        }

    def _pairs_of(self, columns: Reals) -> tuple[Reals, Reals]:
        """Columns (words, H) of the first neurons of slots and of the second (words, J) each."""
        period = self._circuit.period
        padded = np.zeros((len(columns), 2 * period))
        padded[:, : columns.shape[1]] = columns
        return padded[:, :period], padded[:, period:]

    @cached_property
    def turned(self) -> list[Plaintext]:
        """What w = h·(h + i) is multiplied by, (giants, babies, n), or first w^2 and then w: for giant step g and baby
        step b of the last layer, what is that many slots further.
        """
        scales, terms = self.scales, np.zeros((5, *self.terms.shape[1:]))
        terms[: len(self.terms)] = self.terms
        low = self._turns((terms[2] + terms[4]) - 1j * terms[1])
        if self._circuit.degree <= 2:
            return [Plaintext(low, scales.score - 2 * scales.hidden)]
        high = self._turns(terms[4] - 0.5j * terms[3])
        return [Plaintext(high, scales.score - 2 * scales.square), Plaintext(low, scales.score - scales.square)]

    def _turns(self, columns: Slots) -> Slots:
        """Columns (words, H) as slots (giants, babies, n)."""
        steps, placed = (
            self._circuit.last_steps,
            np.stack([np.asarray(self._placed(row), np.complex128) for row in columns]),
        )
        return np.array(
            [
                [np.roll(self._on_coefficients(placed, giant + baby), giant) for baby in steps.baby_steps]
                for giant in range(0, steps.giants * steps.giant, steps.giant)
            ]
        )

    @property
    def turn(self) -> Plaintext:
        """The i of h·(h + i)."""
        return Plaintext(np.full(self._circuit.arrangement.slots, 1j), self.scales.hidden)

    @cached_property
    def quartic(self) -> dict[int, Plaintext]:
        """By power: (fourth·u + third·z + second)·u + first·z with u = z^2."""
        scales = self.scales
        exponents = {
            1: scales.score - scales.hidden,
            2: scales.score - scales.square,
            3: scales.score - scales.square - scales.hidden,
            4: scales.score - 2 * scales.square,
        }
        out = {}
        for power, exponent in exponents.items():
            columns = np.zeros((self.terms.shape[1], self._circuit.period))
            if power < len(self.terms):
                columns[:, : self.terms.shape[2]] = self.terms[power]
            out[power] = Plaintext(self._on_coefficients(columns), exponent)
        return out

    @property
    def last(self) -> list[tuple[Plaintext, Reals]]:
        """Every plaintext of the last layer, with the largest values (…, n) that its slots are multiplied with."""
        circuit = self._circuit
        size = np.abs(self._repeated(self._placed(self._private.limits)))
        if circuit.pairs:
            one = self.quadratic
            return [(one["conjugate"], size**2), (one["same"], size**2), (one["constant"], size)]
        if circuit.arrangement.paired:
            value = self._turned_sizes(circuit.last_steps, size * np.sqrt(size**2 + 1))
            return [(self.turned[-1], value), *((plaintext, value**2) for plaintext in self.turned[:-1])]
        return [(plaintext, size**power) for power, plaintext in self.quartic.items()]

    @staticmethod
    def _turned_sizes(steps: Steps, size: Reals) -> Reals:
        """What slots hold after each baby step (babies, n)."""
        return np.stack([np.roll(size, -step) for step in steps.baby_steps])

    def hidden_error(self) -> float:
        """A bound on how far rounding of the first layer moves any hidden value, for any input in range."""
        degree, circuit = self._circuit.parameters.ring_degree, self._circuit
        used = (circuit.arrangement.source >= 0) * (2 * math.sqrt(2) if circuit.arrangement.paired else 1.0)
        moved = np.zeros(circuit.arrangement.slots)
        for giant, rows in enumerate(self.first.slots):
            error = Plaintext(rows, self.first.exponent).error(degree)
            moved += np.roll((error * used[:, None]).sum(axis=(0, 1)), -giant * circuit.steps.giant)
        if circuit.steps.folded:
            moved = moved.reshape(-1, circuit.period).sum(axis=0)
        return float(moved.max() + self.bias.error(degree).max())

    def score_error(self) -> float:
        """A bound on how far rounding of the last layer moves any word, for hidden values within the limits."""
        degree, slots = self._circuit.parameters.ring_degree, self._circuit.arrangement.slots
        return float(sum((plaintext.error(degree) * size).sum() for plaintext, size in self.last) / slots)
