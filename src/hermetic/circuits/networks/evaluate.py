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
        self._first = [
            _extended(self._hidden, Plaintext(rows[:, 0], plain.first.exponent)) for rows in plain.first.slots
        ]
        self._bias = _encoded(self._hidden, plain.bias)
        if plain.pairs:
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
        scores = self._quadratic(hidden, keys) if circuit.degree <= 2 else self._quartic(hidden, keys)
        for level in range(circuit.last_level, RELEASE_LEVEL, -1):
            scores = Level.of(circuit.parameters, level).rescale(scores)
        return scores

    def _hidden_values(self, ciphertexts: Lanes, keys: Keys) -> Lanes:
        steps, level = self.circuit.steps, self._hidden
        hidden = level.shrink(level.dot(ciphertexts, self._first[-1]))
        for weights in self._first[-2::-1]:
            key = keys.of(steps.giant, level.level)
            total = level.rotate_digits(level.digits(hidden[1]), hidden[0], key)
            level.add(total, level.dot(ciphertexts, weights))
            hidden = level.shrink(total)
        for step in steps.folds(self.circuit.arrangement.slots):
            level.add(hidden, level.rotate(hidden, keys.of(step, level.level)))
        level.add(hidden[:1], self._bias)
        return hidden

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
