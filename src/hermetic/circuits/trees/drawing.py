"""The fresh weights of one answer: drawn anew for every sample, and used once.

Weights of a section are sparse: an *entry* is the coefficient with which a bit counts in a word. Entries become
polynomials some result polynomials at a time, because all together take more memory than the answer itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Integers, Residues
from ...rlwe import modular
from ...rlwe.randomness import Stream
from . import bounds
from .bounds import CHECK_BITS, CHECKS, COFACTOR, SCORE_BITS, STRICT_LIMBS, TEST_BITS
from .public import Section, TreeCircuit
from .seal import windows
from .words import Words


@dataclass(frozen=True, eq=False)
class Entries:
    """The weights of a section.

    Attributes
    ----------
    words, bits
        The word and the bit of every entry (e,); words count in the order of release.
    weights
        The integer (e,) that the bit counts with in the word.
    offsets
        What is added to every word (T, L), as residues.
    """

    words: Integers
    bits: Integers
    weights: Integers
    offsets: Residues


class Placement:
    """Where the entries of a section are among the coefficients of its weight polynomials (G, m, N)."""

    def __init__(self, circuit: TreeCircuit, section: Section, entries: Entries) -> None:
        n, f, m = circuit.parameters.ring_degree, circuit.bits, circuit.query_polynomials
        group, target = np.divmod(section.places[entries.words], n)
        block, column = np.divmod(entries.bits, f)
        order = np.argsort(group, kind="stable")
        self._shape = (m, n)
        self._flat = ((group * m + block) * n + target - column)[order]
        self._weights = entries.weights[order]
        self._starts = np.searchsorted(group[order], np.arange(section.polynomials + 1))

    def polynomials(self, tile: range) -> Integers:
        """The coefficients (len(tile), m, N) of some result polynomials."""
        chosen = slice(self._starts[tile.start], self._starts[tile.stop])
        size = self._shape[0] * self._shape[1]
        out = np.zeros(len(tile) * size, dtype=np.int64)
        np.add.at(out, self._flat[chosen] - tile.start * size, self._weights[chosen])
        return out.reshape(len(tile), *self._shape)


def uniform(stream: Stream, shape: tuple[int, ...], bits: int) -> Integers:
    """Integers that are uniform in [-2^(bits-1), 2^(bits-1))."""
    words = stream.take(8 * int(np.prod(shape))).view("<i8")
    return np.asarray((words >> (64 - bits)).reshape(shape), dtype=np.int64)


def permutation(words: Words, stream: Stream) -> Integers:
    """A new place (w,) for every word among those of its output: each order is as likely, but for ties of 63 bits."""
    order = np.lexsort((uniform(stream, (words.count,), 64), words.word_outputs))
    places = np.empty(words.count, dtype=np.int64)
    places[order] = np.arange(words.count)
    return places


def draw_checks(circuit: TreeCircuit, words: Words, places: Integers, stream: Stream) -> Entries:
    """Each word's checks: a random sum of what is wrong on its path, 0 where nothing is."""
    unit = COFACTOR << (SCORE_BITS - CHECK_BITS)
    columns = [_paths(words, uniform(stream, (len(words.condition_words),), CHECK_BITS) * unit) for _ in range(CHECKS)]
    return _joined(circuit, words, places, [(*one, np.zeros(words.count, dtype=np.int64)) for one in columns])


def draw_scores(circuit: TreeCircuit, words: Words, places: Integers, stream: Stream) -> Entries:
    """Each word's values, under a random sum of what is wrong on its path, and under a mask of its tree.

    The masks of the trees of one output sum to its bias.
    """
    masks = uniform(stream, (len(words.outputs), words.columns), SCORE_BITS)
    starts = np.searchsorted(words.outputs, np.arange(len(circuit.words)))
    masks[starts] += words.bias.reshape(len(circuit.words), -1) - np.add.reduceat(masks, starts, axis=0)
    columns = []
    for column in range(words.columns):
        drawn = uniform(stream, (len(words.condition_words),), SCORE_BITS) * COFACTOR
        entries, bits, weights, constants = _paths(words, drawn)
        columns.append(
            (
                np.concatenate([entries, words.jump_words]),
                np.concatenate([bits, words.jump_bits]),
                np.concatenate([weights, words.jumps[:, column] * COFACTOR]),
                constants,
                (words.base[:, column] + masks[words.trees, column]) * COFACTOR,
            )
        )
    return _joined(circuit, words, places, columns)


def _paths(words: Words, drawn: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """The entries of every path (words, bits, weights) and the constants (w,) for random weights of all conditions."""
    constants = np.zeros(words.count, dtype=np.int64)
    np.add.at(constants, words.condition_words, drawn * words.condition_constants)
    weights = drawn[words.term_conditions] * words.term_signs
    return words.condition_words[words.term_conditions], words.term_bits, weights, constants


def _joined(circuit: TreeCircuit, words: Words, places: Integers, columns: Sequence[tuple[Any, ...]]) -> Entries:
    """The entries of all columns, each word in its place."""
    released, offsets = [], np.empty(len(columns) * words.count, dtype=np.int64)
    for number, (one, _, _, constants, values) in enumerate(columns):
        released.append(number * words.count + places[one])
        offsets[number * words.count + places] = constants + values
    bits, weights = (np.concatenate([column[i] for column in columns]) for i in (1, 2))
    return Entries(np.concatenate(released), bits, weights, _in_query_units(circuit, offsets))


def _in_query_units(circuit: TreeCircuit, integers: Integers) -> Residues:
    primes = circuit.parameters.data_primes
    scaled = modular.scale(modular.from_integers(integers, primes), circuit.delta, primes)
    return np.ascontiguousarray(scaled.T)


class StrictWords:
    """The words that open a limb for the bits of one slot: which bits they test, and what each must be."""

    def __init__(self, circuit: TreeCircuit) -> None:
        slots = circuit.slots
        owners = slots.slot_inputs
        counts = (slots.widths - 1)[owners]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        tested = np.repeat(np.arange(slots.slots), counts)
        bits = slots.first_bits[owners][tested] + within
        limb = np.arange(STRICT_LIMBS)
        self.inputs = np.repeat(owners, STRICT_LIMBS)
        """The input of every word."""
        self.words = (tested[:, None] * STRICT_LIMBS + limb).reshape(-1)
        self.bits = np.repeat(bits, STRICT_LIMBS)
        self.expected = np.repeat(slots.bits_at(bits, slots.slot_numbers[tested]), STRICT_LIMBS)


def draw_tests(circuit: TreeCircuit, strict: StrictWords | None, stream: Stream) -> tuple[Entries, Integers]:
    """The words of the tests, and the limbs that they open: those of the seal, then those of every input.

    Entries are those of slots alone; the seal's weights are drawn with its polynomials, see :func:`draw_seal`.
    """
    primes, seals = circuit.parameters.data_primes, circuit.limbs_of_seal
    inputs = circuit.slots.inputs if strict else 0
    limbs = uniform(stream, (seals + inputs * STRICT_LIMBS,), TEST_BITS) & ((1 << TEST_BITS) - 1)
    values, empty = limbs[:seals], np.zeros(0, dtype=np.int64)
    sums = np.zeros((len(primes), len(circuit.tests.places)), dtype=np.int64)
    words, bits, weights = empty, empty, empty
    if strict:
        own = limbs[seals:].reshape(inputs, STRICT_LIMBS)
        opened = own[strict.inputs, np.arange(len(strict.inputs)) % STRICT_LIMBS]
        values = np.concatenate([values, opened, np.zeros(inputs, dtype=np.int64)])
        width = bounds.test_weight_bits(circuit.parameters, circuit.query_polynomials)
        drawn = uniform(stream, (len(strict.words),), width)
        set_bits = strict.expected == 1
        for row, prime in zip(sums, primes, strict=True):
            np.add.at(row, seals + strict.words[set_bits], modular.reduce(drawn[set_bits], prime))
        sums %= np.array(primes)[:, None]
        words = seals + np.concatenate([strict.words, circuit.limbs_of_slots + circuit.slots.bit_inputs])
        bits = np.concatenate([strict.bits, np.arange(circuit.values)])
        echo = circuit.slots.numbers * (COFACTOR << (SCORE_BITS - TEST_BITS))
        weights = np.concatenate([np.where(set_bits, -drawn, drawn), echo])
    step = circuit.parameters.query_modulus >> TEST_BITS
    opened = modular.scale(modular.from_integers(values, primes), step, primes)
    offsets = modular.add(modular.scale(sums, circuit.delta, primes), opened, primes)
    return Entries(words, bits, weights, np.ascontiguousarray(offsets.T)), limbs


def draw_seal(circuit: TreeCircuit, number: int, stream: Stream) -> Integers:
    """The coefficients (m, N) of one polynomial of the seal: zero where used coefficients meet a limb."""
    n, m = circuit.parameters.ring_degree, circuit.query_polynomials
    weights = uniform(stream, (m, n), bounds.test_weight_bits(circuit.parameters, m)).copy()
    weights[:, windows(n, circuit.bits, circuit.seal[number])] = 0
    return weights
