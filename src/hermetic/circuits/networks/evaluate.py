"""One sample on ciphertexts: the first layer, activations, the last layer, and a release that tells its words alone."""

from __future__ import annotations

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
    """The encoded weights of a network, and what is done with them."""

    def __init__(self, private: PrivateNetwork, circuit: NetworkCircuit) -> None:
        self.circuit = circuit
        parameters, plain = circuit.parameters, Plaintexts(private, circuit)
        self._hidden = Level.of(parameters, parameters.levels)
        self._first = _rows(self._hidden, Plaintext(plain.first.slots[:, :, 0], plain.first.exponent))
        self._bias = _encoded(self._hidden, plain.bias)
        if circuit.arrangement.paired:
            self._last_level = Level.of(parameters, circuit.last_level)
            self._turn = _encoded(self._hidden, plain.turn)
            turned = [_rows(self._last_level, plaintext) for plaintext in plain.turned]
            self._turned = [np.concatenate(rows) for rows in zip(*turned, strict=True)]
        elif circuit.pairs:
            self._last = {name: _encoded(self._hidden, one) for name, one in plain.quadratic.items()}
        else:
            self._low = Level.of(parameters, parameters.levels - 1)
            self._powers = {power: _encoded(self._low, one) for power, one in plain.quartic.items()}
        self.offsets = _offsets(private, circuit)
        """The constants of the words as residues (words, l)."""

    def scores(self, ciphertexts: Lanes, keys: Keys) -> Lanes:
        """The ciphertext (2, l, N) whose first coefficients are the words, from those of a query (C, 2, L+1, N)."""
        circuit = self.circuit
        hidden = self._hidden_values(ciphertexts, keys)
        scores = self._last_layer(hidden, keys)
        for level in range(circuit.last_level, RELEASE_LEVEL, -1):
            scores = Level.of(circuit.parameters, level).rescale(scores)
        return scores

    def _last_layer(self, hidden: Lanes, keys: Keys) -> Lanes:
        if self.circuit.arrangement.paired:
            return self._turned_scores(hidden, keys)
        return self._quadratic(hidden, keys) if self.circuit.pairs else self._quartic(hidden, keys)

    def _hidden_values(self, ciphertexts: Lanes, keys: Keys) -> Lanes:
        circuit, level = self.circuit, self._hidden
        hidden = _by_giants(level, ciphertexts, self._first, circuit.steps, keys)
        for step in circuit.steps.folds(circuit.arrangement.slots):
            level.add(hidden, level.rotate(hidden, keys.of(step, level.level)))
        if circuit.arrangement.paired:
            level.add(hidden, level.rotate(hidden, keys.of(CONJUGATE, level.level)))
        level.add(hidden[:1], self._bias)
        return hidden

    def _turned_scores(self, hidden: Lanes, keys: Keys) -> Lanes:
        level, steps = self._last_level, self.circuit.last_steps
        turned = [one for value in self._turned_values(hidden, keys) for one in _by_babies(level, value, steps, keys)]
        return _by_giants(level, np.stack(turned), self._turned, steps, keys)

    def _turned_values(self, hidden: Lanes, keys: Keys) -> list[Lanes]:
        """h·(h + i), and its square before it where there are powers beyond the second."""
        level, low = self._hidden, self._last_level
        other = hidden.copy()
        level.add(other[:1], self._turn)
        value = level.relinearise(level.multiply(hidden, other), keys.of(RELINEARISE, level.level))
        if self.circuit.degree <= 2:
            return [value]
        value = level.rescale(value)
        return [low.relinearise(low.multiply(value, value), keys.of(RELINEARISE, low.level)), value]

    def _quadratic(self, hidden: Lanes, keys: Keys) -> Lanes:
        level, last = self._hidden, self._last
        conjugate = level.rotate(hidden, keys.of(CONJUGATE, level.level))
        weights = np.concatenate([last["conjugate"], last["same"]])
        factor = level.dot(np.stack([conjugate, hidden]), weights)
        level.add(factor[:1], last["constant"])
        return level.relinearise(level.multiply(hidden, factor), keys.of(RELINEARISE, level.level))

    def _quartic(self, hidden: Lanes, keys: Keys) -> Lanes:
        level, low, powers = self._hidden, self._low, self._powers
        square = level.relinearise(level.multiply(hidden, hidden), keys.of(RELINEARISE, level.level))
        square, hidden = level.rescale(square), np.ascontiguousarray(hidden[:, : low.level])
        factor = low.dot(np.stack([square, hidden]), np.concatenate([powers[4], powers[3]]))
        low.add(factor[:1], powers[2])
        total = low.relinearise(low.multiply(square, factor), keys.of(RELINEARISE, low.level))
        low.add(total, low.dot(hidden[None], powers[1]))
        return total

    def release(self, scores: Lanes, key: MaskingKey) -> tuple[Residues, Residues]:
        """The c1 (1, 1, N) and the words (1, words) that leave the service: masked, flooded, cut down to the words."""
        circuit, stream = self.circuit, Stream()
        ring = PublicRing.of(circuit.parameters, RELEASE_LEVEL)
        sums = scores[None]
        ring.mask(sums, np.ascontiguousarray(key.lanes[:, :RELEASE_LEVEL]), MASK_BITS, stream)
        places = np.arange(circuit.words)
        words = ring.target_words(sums, places, self.offsets, circuit.flood_bits, stream)
        return ring.rescaled_c1(sums, stream), words


def _extended(level: Level, plaintext: Plaintext) -> Lanes:
    """Plaintexts (m, n) or (n,) at a level, modulo the special prime too: (m, l+1, N)."""
    integers, factor = embedding.rounded(np.atleast_2d(plaintext.slots), level.degree, plaintext.exponent)
    return level.encode(integers, factor)


def _by_giants(level: Level, ciphertexts: Lanes, rows: list[Lanes], steps: Steps, keys: Keys) -> Lanes:
    """The sum over giant steps of products with extended ciphertexts (m, 2, l+1, N), by Horner's rule."""
    total = level.dot(ciphertexts, rows[-1])
    for weights in rows[-2::-1]:
        (c1,), key = level.shrink(total[1:]), keys.of(steps.giant, level.level)
        total = level.rotate_digits(level.digits(c1), total[0], key)
        level.add(total, level.dot(ciphertexts, weights))
    return level.shrink(total)


def _by_babies(level: Level, ciphertext: Lanes, steps: Steps, keys: Keys) -> list[Lanes]:
    """A ciphertext rotated by every baby step, extended (2, l+1, N) each."""
    digits = level.digits(ciphertext[1])
    moved = (keys.of(step, level.level) for step in steps.baby_steps[1:])
    return [level.extend(ciphertext), *(level.rotate_digits(digits, ciphertext[0], key) for key in moved)]


def _rows(level: Level, plaintexts: Plaintext) -> list[Lanes]:
    """Plaintexts (giants, m, n) as extended values (m, l+1, N) of each giant step."""
    return [_extended(level, Plaintext(rows, plaintexts.exponent)) for rows in plaintexts.slots]


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
