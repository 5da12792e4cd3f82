"""A network's weights as plaintexts: what each is multiplied by, and how far rounding moves what is computed.

With n slots, a period of J slots and zeta as in :mod:`.embedding`, coefficient k of a polynomial is

    (1/n) · Re sum over slots s of  v[s] · zeta_s^-k

so v[s] = J · sum over k of y[k, s mod J] · zeta_s^k puts the sum of y[k] over the J slots on coefficient k, for as many
k as there are periods: the last layer needs no rotation.

Two neurons a slot, z = h + i·h', for quadratic activations: a·h^2 + b·h'^2 is the real part of
z·((a+b)/2·conj(z) + (a-b)/2·z), and c·h + c'·h' that of z·(c - i·c').

Where there are more neurons than periods have room for, or more hidden layers than one, a slot holds one, h. With
w = h·(h + i), c2·h^2 + c1·h is the real part of (c2 - i·c1)·w, and c4·h^4 + c3·h^3 that of (c4 - i·c3/2)·w^2 + c4·w;
in general w^k has h^2k as its real part and k·h^(2k-1) as its imaginary part, and lower powers, which are taken off.
Rotations by J slots bring the others to the first period: word k is the sum over turns t of what slots t·J further
hold, times weights of their own. A further hidden layer is a matrix of such weights, halved, plus its conjugate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...arrays import Integers, Reals
from . import embedding
from .diagonals import Steps, diagonals
from .embedding import Slots
from .network import Network, powers_of, range_power
from .public import NetworkCircuit


def power_factors(polynomials: Reals) -> list[Slots]:
    """What powers of w are multiplied by (…) so that the real part of their sum is the polynomial (…, D+1) of h, the
    highest first.
    """
    degree = polynomials.shape[-1] - 1
    highest = powers_of(degree)
    rest = np.zeros((*polynomials.shape[:-1], 2 * highest + 1))
    rest[..., : degree + 1] = polynomials
    found = []
    for power in range(highest, 0, -1):
        own = np.array([math.comb(power, j) * 1j**j for j in range(power + 1)])  # of h^(2·power - j) in w^power
        factor = rest[..., 2 * power] - 1j * rest[..., 2 * power - 1] / power
        rest[..., 2 * power - np.arange(power + 1)] -= (factor[..., None] * own).real
        found.append(factor)
    return found


@dataclass(frozen=True, eq=False)
class PrivateNetwork:
    """A network and how it is encoded: what a model file holds.

    Attributes
    ----------
    network
        The plain numbers.
    weight_exponents
        Each hidden layer is multiplied by 2 to its own: a further one's is that of the highest power.
    range_weights
        v (H,) of the range word; zeros where there is none.
    limits
        The largest |hidden value| (H,) of each layer that the guaranteed error holds for.
    """

    network: Network
    weight_exponents: tuple[float, ...]
    range_weights: Reals
    limits: tuple[Reals, ...]


@dataclass(frozen=True)
class Scales:
    """log2 of what values are multiplied by.

    Attributes
    ----------
    layers
        Hidden values, of each layer.
    score
        Scores in the last layer.
    primes
        The data primes.
    levels
        How many of them the hidden values of each layer have.
    depth
        How often powers of w are multiplied with one another.
    """

    layers: tuple[float, ...]
    score: float
    primes: tuple[float, ...]
    levels: tuple[int, ...]
    depth: int

    @staticmethod
    def of(circuit: NetworkCircuit, weight_exponents: tuple[float, ...]) -> Scales:
        """The scales of a network whose layers are encoded at such exponents."""
        first, *further = weight_exponents
        hidden = circuit.query_exponent + first - math.log2(circuit.parameters.special_prime)
        primes = tuple(math.log2(prime) for prime in circuit.parameters.data_primes)
        found = Scales((hidden,), score_scale(circuit), primes, circuit.levels, circuit.depth)
        for number, exponent in enumerate(further):
            found = replace(found, layers=(*found.layers, found.values(number)[0] + exponent))
        return found

    @property
    def hidden(self) -> float:
        """Values of the last hidden layer."""
        return self.layers[-1]

    def divided(self, layer: int) -> list[float]:
        """What w, w^2, … are after a division each, as they are multiplied with one another."""
        found = [self.layers[layer]]
        for number in range(self.depth):
            found.append(2 * found[-1] - self.primes[self.levels[layer] - 1 - number])
        return found[1:]

    def values(self, layer: int) -> list[float]:
        """The powers of w that are multiplied with what follows, the highest first: products, which are divided before
        a further layer, and what they are made of.
        """
        divided = self.divided(layer)
        if not divided:
            products = [2 * self.layers[layer]]
        elif self.depth == 1:
            products = [2 * divided[0]]
        else:
            products = [2 * divided[1], divided[1] + divided[0]]
        if layer < len(self.levels) - 1:
            products = [one - self.primes[self.levels[layer] - 1 - self.depth] for one in products]
        return [*products, *divided[::-1]]


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
    last
        With the largest value that each slot goes with, see :attr:`quadratic`, :attr:`turned` and :attr:`quartic`.
    """

    def __init__(self, private: PrivateNetwork, circuit: NetworkCircuit) -> None:
        self._private, self._circuit = private, circuit
        self.scales = Scales.of(circuit, private.weight_exponents)
        first, arrangement = private.network.first, circuit.arrangement
        weights = self._placed(arrangement.on_columns(first.weights))
        slots = diagonals(weights, arrangement.source[:, : arrangement.span], circuit.steps)
        self.first = Plaintext(self._repeated(slots), private.weight_exponents[0])

    def _placed(self, rows: Slots | Reals, layer: int = 0) -> Slots | Reals:
        """Rows of a layer's neurons (H, …) as those of slots (J, …)."""
        circuit = self._circuit
        period = circuit.periods[layer]
        count = 2 * period if circuit.pairs else period
        padded = np.zeros((count, *rows.shape[1:]), dtype=rows.dtype)
        padded[circuit.arrangement.neurons(len(rows)) if layer == 0 else slice(len(rows))] = rows
        return padded[:period] + 1j * padded[period:] if circuit.pairs else padded

    def _repeated(self, values: Slots | Reals) -> Slots:
        """Values (…, J) in every period (…, n)."""
        slots = self._circuit.arrangement.slots
        return np.asarray(values[..., np.arange(slots) % values.shape[-1]], dtype=np.complex128)

    @cached_property
    def biases(self) -> list[Plaintext]:
        """That of the hidden values of every layer."""
        layers = enumerate(self._private.network.layers)
        return [
            Plaintext(self._repeated(self._placed(layer.bias, number)), self.scales.layers[number])
            for number, layer in layers
        ]

    @cached_property
    def further(self) -> list[list[Plaintext]]:
        """The diagonals of every further hidden layer (giants, babies, n), for each power of w before it, the highest
        first.
        """
        return [self._further(number) for number in range(1, len(self._private.network.layers))]

    def _further(self, number: int) -> list[Plaintext]:
        before, layer = self._private.network.layers[number - 1 : number + 1]
        scales, out = self.scales.values(number - 1), []
        factors = power_factors(before.polynomials)
        for scale, factor in zip(scales, factors, strict=True):
            rows = self._placed(layer.weights * factor / 2, number)
            slots = self._repeated(diagonals(rows, self._neurons(number - 1), self._circuit.further_steps[number - 1]))
            out.append(Plaintext(slots[:, 0], self.scales.layers[number] - scale))
        return out

    def _neurons(self, layer: int) -> Integers:
        """The neuron in each slot of a period (1, J), -1 for none."""
        numbers = np.arange(1.0, self._private.network.layers[layer].width + 1)
        return np.asarray(self._placed(numbers, layer).real, dtype=np.int64)[None] - 1

    @cached_property
    def terms(self) -> Reals:
        """The coefficients of powers 0 … D in every word (D+1, words, H): those of scores, and of the range word."""
        network, circuit = self._private.network, self._circuit
        scores = network.terms()
        if circuit.range is None:
            return scores
        scale = 2.0 ** (circuit.range.exponent - circuit.score_exponent)
        row = np.zeros((1 + range_power(network.degree), 1, network.last.width))
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
        """What each power of w is multiplied by, (giants, babies, n), the highest first: for giant step g and baby step
        b of the last layer, what is that many slots further.
        """
        values = self.scales.values(len(self._circuit.further))
        rows = zip(values, power_factors(np.moveaxis(self.terms, 0, -1)), strict=True)
        return [Plaintext(self._turns(columns), self.scales.score - scale) for scale, columns in rows]

    def _turns(self, columns: Slots) -> Slots:
        """Columns (words, H) as slots (giants, babies, n)."""
        steps, placed = (
            self._circuit.last_steps,
            np.stack([np.asarray(self._placed(row, len(self._circuit.further)), np.complex128) for row in columns]),
        )
        return np.array(
            [
                [np.roll(self._on_coefficients(placed, giant + baby), giant) for baby in steps.baby_steps]
                for giant in range(0, steps.giants * steps.giant, steps.giant)
            ]
        )

    def turn(self, layer: int) -> Plaintext:
        """The i of h·(h + i), in a layer."""
        return Plaintext(np.full(self._circuit.arrangement.slots, 1j), self.scales.layers[layer])

    @cached_property
    def quartic(self) -> dict[int, Plaintext]:
        """By power: (fourth·u + third·z + second)·u + first·z with u = z^2."""
        scales, (square,) = self.scales, self.scales.divided(0)
        exponents = {
            1: scales.score - scales.hidden,
            2: scales.score - square,
            3: scales.score - square - scales.hidden,
            4: scales.score - 2 * square,
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
        circuit, last = self._circuit, len(self._circuit.further)
        size = np.abs(self._repeated(self._placed(self._private.limits[last], last)))
        if circuit.pairs:
            one = self.quadratic
            return [(one["conjugate"], size**2), (one["same"], size**2), (one["constant"], size)]
        if circuit.arrangement.paired:
            value = self._turned_sizes(circuit.last_steps, size * np.sqrt(size**2 + 1))
            return [(plaintext, value**power) for power, plaintext in enumerate(self.turned[::-1], start=1)]
        return [(plaintext, size**power) for power, plaintext in self.quartic.items()]

    @staticmethod
    def _turned_sizes(steps: Steps, size: Reals) -> Reals:
        """What slots hold after each baby step (babies, n)."""
        return np.stack([np.roll(size, -step) for step in steps.baby_steps])

    def hidden_error(self, layer: int) -> float:
        """A bound on how far rounding of a layer moves any of its hidden values, for any input in range and hidden
        values within the limits before it.
        """
        return self.weights_error(layer) + float(self.biases[layer].error(self._circuit.parameters.ring_degree).max())

    def weights_error(self, layer: int) -> float:
        """The same of its weights alone, which halves with each bit of their exponent."""
        return self._first_error() if layer == 0 else self._further_error(layer)

    def _first_error(self) -> float:
        circuit = self._circuit
        largest = 2 * math.sqrt(2) if circuit.arrangement.paired else 1.0
        used = np.where(circuit.arrangement.source >= 0, largest, 0.0)
        return self._moved(self.first, used[:, None], circuit.steps, circuit.arrangement.span)

    def _further_error(self, layer: int) -> float:
        steps = self._circuit.further_steps[layer - 1]
        size = np.abs(self._repeated(self._placed(self._private.limits[layer - 1], layer - 1)))
        value = self._turned_sizes(steps, size * np.sqrt(size**2 + 1))
        period, lowest_first = self._circuit.periods[layer - 1], self.further[layer - 1][::-1]
        moved = (self._moved(one, value**power, steps, period) for power, one in enumerate(lowest_first, start=1))
        return 2 * sum(moved)

    def _moved(self, plaintext: Plaintext, sizes: Reals, steps: Steps, period: int) -> float:
        """How far errors of diagonals (giants, …, n) move any sum of their products with values of such ``sizes``,
        which repeat every ``period`` slots.
        """
        degree, moved = self._circuit.parameters.ring_degree, np.zeros(self._circuit.arrangement.slots)
        for giant, rows in enumerate(plaintext.slots):
            error = Plaintext(rows, plaintext.exponent).error(degree) * sizes
            moved += np.roll(error.reshape(-1, len(moved)).sum(axis=0), -giant * steps.giant)
        if steps.folded:
            moved = moved.reshape(-1, period // steps.period, steps.period).sum(axis=1)
        return float(moved.max())

    def score_error(self) -> float:
        """A bound on how far rounding of the last layer moves any word, for hidden values within the limits."""
        degree, slots = self._circuit.parameters.ring_degree, self._circuit.arrangement.slots
        return float(sum((plaintext.error(degree) * size).sum() for plaintext, size in self.last) / slots)
