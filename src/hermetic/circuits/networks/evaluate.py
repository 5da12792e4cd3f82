"""One sample on ciphertexts: the first layer, activations, the last layer, and a release that tells its words alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...arrays import Residues
from ...errors import MismatchError
from ...rlwe.levels import CONJUGATE, RELINEARISE, Level, LoadedKey
from ...rlwe.public_ring import Lanes, PublicRing
from ...rlwe.randomness import Stream
from ..bounds import MASK_BITS
from ..masking import MaskingKey
from . import embedding
from .diagonals import Steps
from .public import RELEASE_LEVEL, NetworkCircuit
from .weights import Plaintext, Plaintexts, PrivateNetwork


class Keys(Protocol):
    """Switching keys by step and level."""

    def of(self, step: int, level: int) -> LoadedKey:
        """The key of a step at a level."""


class Program:
    """The encoded weights of a network, and the constants of its words."""

    def __init__(self, private: PrivateNetwork, circuit: NetworkCircuit) -> None:
        self.circuit = circuit
        parameters, plain = circuit.parameters, Plaintexts(private, circuit)
        top = Level.of(parameters, parameters.levels)
        self.first = _rows(top, Plaintext(plain.first.slots[:, :, 0], plain.first.exponent))
        levels = [Level.of(parameters, level) for level in circuit.levels]
        self.biases = [_encoded(level, plaintext) for level, plaintext in zip(levels, plain.biases, strict=True)]
        if circuit.arrangement.paired:
            self.turns = [_encoded(level, plain.turn(number)) for number, level in enumerate(levels)]
            self.further = [_by_values(*one) for one in zip(levels[1:], plain.further, strict=True)]
            self.turned = _by_values(Level.of(parameters, circuit.last_level), plain.turned)
        elif circuit.pairs:
            self.quadratic = {name: _encoded(top, one) for name, one in plain.quadratic.items()}
        else:
            low = Level.of(parameters, parameters.levels - 1)
            self.quartic = {power: _encoded(low, one) for power, one in plain.quartic.items()}
        self.offsets = _offsets(private, circuit)
        """The constants of the words as residues (words, l)."""

    def scores(self, ciphertexts: Lanes, keys: Keys, threads: int = 1) -> Lanes:
        """The ciphertext (2, l, N) whose first coefficients are the words, from those of a query (C, 2, L+1, N)."""
        return _Evaluation(self, keys, threads).scores(ciphertexts)

    def release(self, scores: Lanes, key: MaskingKey) -> tuple[Residues, Residues]:
        """The c1 (1, 1, N) and the words (1, words) that leave the service: masked, flooded, cut down to the words."""
        circuit, stream = self.circuit, Stream()
        ring = PublicRing.of(circuit.parameters, RELEASE_LEVEL)
        sums = scores[None]
        ring.mask(sums, np.ascontiguousarray(key.lanes[:, :RELEASE_LEVEL]), MASK_BITS, stream)
        places = np.arange(circuit.words)
        words = ring.target_words(sums, places, self.offsets, circuit.flood_bits, stream)
        return ring.rescaled_c1(sums, stream), words


@dataclass(frozen=True)
class _Evaluation:
    """One sample under one client's keys, by some threads."""

    program: Program
    keys: Keys
    threads: int

    def scores(self, ciphertexts: Lanes) -> Lanes:
        """See :meth:`Program.scores`."""
        hidden = self._first_layer(ciphertexts)
        for number in range(1, len(self._circuit.periods)):
            hidden = self._further_layer(number, hidden)
        scores = self._last_layer(hidden)
        for level in range(self._circuit.last_level, RELEASE_LEVEL, -1):
            scores = self._level(level).rescale(scores)
        return scores

    @property
    def _circuit(self) -> NetworkCircuit:
        return self.program.circuit

    def _level(self, number: int) -> Level:
        return Level.of(self._circuit.parameters, number, self.threads)

    def _key(self, step: int, level: Level) -> LoadedKey:
        return self.keys.of(step, level.level)

    def _first_layer(self, ciphertexts: Lanes) -> Lanes:
        circuit = self._circuit
        hidden = self._by_giants(self._level(circuit.parameters.levels), ciphertexts, self.program.first, circuit.steps)
        return self._summed(0, hidden, circuit.steps.folds(circuit.arrangement.span))

    def _further_layer(self, number: int, hidden: Lanes) -> Lanes:
        """A layer's hidden values from those of the one before it."""
        circuit = self._circuit
        steps, top = circuit.further_steps[number - 1], circuit.levels[number]
        level = self._level(top + 1)
        products, divided = self._powers_of(number - 1, hidden)
        values = [level.rescale(value) for value in products]
        values += [np.ascontiguousarray(value[:, :top]) for value in divided]
        found = self._by_matrix(values, self.program.further[number - 1], steps)
        return self._summed(number, found, steps.folds(circuit.periods[number - 1]))

    def _last_layer(self, hidden: Lanes) -> Lanes:
        circuit = self._circuit
        if circuit.arrangement.paired:
            products, divided = self._powers_of(len(circuit.further), hidden)
            scores = self._by_matrix([*products, *divided], self.program.turned, circuit.last_steps)
            return self._level(circuit.last_level).shrink(scores)
        return self._quadratic(hidden) if circuit.pairs else self._quartic(hidden)

    def _summed(self, number: int, extended: Lanes, folds: tuple[int, ...]) -> Lanes:
        """A layer's values folded, made real where slots hold more than one, and with their biases."""
        level = self._level(self._circuit.levels[number])
        turns = (*folds, CONJUGATE) if self._circuit.arrangement.paired else folds
        for step in turns:
            extended = level.fold(extended, self._key(step, level))
        hidden = level.shrink(extended)
        level.add(hidden[:1], self.program.biases[number])
        return hidden

    def _by_matrix(self, values: list[Lanes], rows: list[Lanes], steps: Steps) -> Lanes:
        """The sum of powers of w, each by its own matrix, extended."""
        level = self._level(values[0].shape[1])
        turned = [one for value in values for one in self._by_babies(level, value, steps)]
        return self._by_giants(level, np.stack(turned), rows, steps)

    def _by_babies(self, level: Level, ciphertext: Lanes, steps: Steps) -> list[Lanes]:
        """A ciphertext rotated by every baby step, extended (2, l+1, N) each."""
        digits = level.digits(ciphertext[1])
        keys = (self._key(step, level) for step in steps.baby_steps[1:])
        return [level.extend(ciphertext), *(level.rotate_digits(digits, ciphertext[0], key) for key in keys)]

    def _by_giants(self, level: Level, ciphertexts: Lanes, rows: list[Lanes], steps: Steps) -> Lanes:
        """The sum over giant steps of products with extended ciphertexts (m, 2, l+1, N), by Horner's rule; extended
        too.
        """
        total = level.dot(ciphertexts, rows[-1])
        for weights in rows[-2::-1]:
            total = level.rotate_extended(total, self._key(steps.giant, level))
            level.add_dot(total, ciphertexts, weights)
        return total

    def _powers_of(self, number: int, hidden: Lanes) -> tuple[list[Lanes], list[Lanes]]:
        """Powers of w = h·(h + i) of a layer, the highest first and at one level: products, and what was divided and
        multiplied to make them.
        """
        top = self._circuit.levels[number]
        other = hidden.copy()
        self._level(top).add(other[:1], self.program.turns[number])
        products = [self._product(hidden, other)]
        divided: list[Lanes] = []
        for depth in range(1, self._circuit.depth + 1):
            level = top - depth
            square = self._level(level + 1).rescale(products[0])
            divided = [square, *(np.ascontiguousarray(value[:, :level]) for value in divided)]
            products = [self._product(square, value) for value in divided]
        return products, divided

    def _product(self, a: Lanes, b: Lanes) -> Lanes:
        level = self._level(a.shape[1])
        return level.relinearise(level.multiply(a, b), self._key(RELINEARISE, level))

    def _quadratic(self, hidden: Lanes) -> Lanes:
        level, last = self._level(self._circuit.parameters.levels), self.program.quadratic
        conjugate = level.rotate(hidden, self._key(CONJUGATE, level))
        factor = level.dot(np.stack([conjugate, hidden]), np.concatenate([last["conjugate"], last["same"]]))
        level.add(factor[:1], last["constant"])
        return self._product(hidden, factor)

    def _quartic(self, hidden: Lanes) -> Lanes:
        powers, top = self.program.quartic, self._circuit.parameters.levels
        low = self._level(top - 1)
        square = self._level(top).rescale(self._product(hidden, hidden))
        hidden = np.ascontiguousarray(hidden[:, : low.level])
        factor = low.dot(np.stack([square, hidden]), np.concatenate([powers[4], powers[3]]))
        low.add(factor[:1], powers[2])
        total = self._product(square, factor)
        low.add_dot(total, hidden[None], powers[1])
        return total


def _extended(level: Level, plaintext: Plaintext) -> Lanes:
    """Plaintexts (m, n) or (n,) at a level, modulo the special prime too: (m, l+1, N)."""
    integers, factor = embedding.rounded(np.atleast_2d(plaintext.slots), level.degree, plaintext.exponent)
    return level.encode(integers, factor)


def _rows(level: Level, plaintexts: Plaintext) -> list[Lanes]:
    """Plaintexts (giants, m, n) as extended values (m, l+1, N) of each giant step."""
    return [_extended(level, Plaintext(rows, plaintexts.exponent)) for rows in plaintexts.slots]


def _by_values(level: Level, plaintexts: list[Plaintext]) -> list[Lanes]:
    """Plaintexts (giants, babies, n) of several values as extended ones of each giant step, value after value."""
    each = (_rows(level, plaintext) for plaintext in plaintexts)
    return [np.concatenate(rows) for rows in zip(*each, strict=True)]


def _encoded(level: Level, plaintext: Plaintext) -> Lanes:
    """The same without the special prime, (m, l, N)."""
    return np.ascontiguousarray(_extended(level, plaintext)[:, : level.level])


def _offsets(private: PrivateNetwork, circuit: NetworkCircuit) -> Residues:
    one = circuit.release_parameters
    constants = [*private.network.offset.tolist(), *([0.0] if circuit.range is not None else [])]
    scaled = [round(value * 2.0**circuit.score_exponent) * one.rescale_factor for value in constants]
    return np.array([[value % prime for prime in one.data_primes] for value in scaled], dtype=np.int64)


class ClientKeys:
    """A client's switching keys, at any level up to the one that they were made for."""

    def __init__(self, key: MaskingKey) -> None:
        self._highest = {step: (level, loaded) for (step, level), loaded in sorted(key.switching.items())}

    def of(self, step: int, level: int) -> LoadedKey:
        """The key of a step at a level. Raises :class:`MismatchError` if the client has none."""
        highest, loaded = self._highest.get(step, (0, None))
        if loaded is None or highest < level:
            raise MismatchError(
                "the public key must have the switching keys of this model. It lacks some: make the client with the "
                "model's signature."
            )
        return loaded.at_level(level)
