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
from .slots import Slots
from .spans import Spans
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
        polynomial = group * m + block
        count = section.polynomials * m
        order = np.argsort(polynomial.astype(np.min_scalar_type(count)), kind="stable")
        self._polynomials = m
        self._places = (target - column)[order]
        self._weights = entries.weights[order]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(polynomial, minlength=count))])

    def sparse(self, tile: range) -> tuple[Integers, Integers, Integers]:
        """The weights of some result polynomials, as :meth:`PublicRing.sparse_products` takes them."""
        m = self._polynomials
        starts = self._starts[tile.start * m : tile.stop * m + 1]
        chosen = slice(starts[0], starts[-1])
        return starts - starts[0], self._places[chosen], self._weights[chosen]


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
    """The words that open a limb for one pattern of one span: which bits they test, and what each must be.

    Attributes
    ----------
    limbs
        The number of every word's limb (w,) among those of all spans: all words of one span open the same.
    words, bits, expected
        The word and the bit of every test (e,), word by word, and whether the bit must be 1.
    starts
        The first test of every word (w,).
    echoes, echo_bits, echo_numbers
        The span, the bit and the coefficient of every term of the words that tell patterns.
    """

    def __init__(self, slots: Slots, spans: Spans) -> None:
        limb = np.arange(STRICT_LIMBS)
        owners = np.repeat(np.arange(spans.count), spans.patterns)
        self.limbs = (owners[:, None] * STRICT_LIMBS + limb).reshape(-1)
        patterns, bits, expected = spans.tests(slots)
        words = patterns[:, None] * STRICT_LIMBS + limb
        order = np.argsort(words, axis=None, kind="stable")
        self.words = words.reshape(-1)[order]
        self.bits = np.repeat(bits, STRICT_LIMBS)[order]
        self.expected = np.repeat(expected, STRICT_LIMBS)[order]
        self.starts = np.searchsorted(self.words, np.arange(len(self.limbs)))
        self.echoes, self.echo_bits, self.echo_numbers = spans.bits(slots)


def draw_tests(circuit: TreeCircuit, strict: StrictWords | None, stream: Stream) -> tuple[Entries, Integers]:
    """The words of the tests, and the limbs that they open: those of the seal, then those of every span.

    Entries are those of spans alone; the seal's weights are drawn with its polynomials, see :func:`draw_seal`.
    """
    primes, seals = circuit.parameters.data_primes, circuit.limbs_of_seal
    limbs = uniform(stream, (seals + circuit.echoes * STRICT_LIMBS,), TEST_BITS) & ((1 << TEST_BITS) - 1)
    values, empty = limbs[:seals], np.zeros(0, dtype=np.int64)
    sums = np.zeros((len(primes), len(circuit.tests.places)), dtype=np.int64)
    words, bits, weights = empty, empty, empty
    if strict:
        values = np.concatenate([values, limbs[seals:][strict.limbs], np.zeros(circuit.echoes, dtype=np.int64)])
        width = bounds.test_weight_bits(circuit.parameters, circuit.query_polynomials)
        drawn = uniform(stream, (len(strict.words),), width)
        last = seals + circuit.limbs_of_spans
        for row, prime in zip(sums, primes, strict=True):
            reduced = modular.reduce(np.where(strict.expected, drawn, 0), prime)
            row[seals:last] = np.add.reduceat(reduced, strict.starts) % prime
        words = np.concatenate([seals + strict.words, last + strict.echoes])
        bits = np.concatenate([strict.bits, strict.echo_bits])
        echo = strict.echo_numbers * (COFACTOR << (SCORE_BITS - TEST_BITS))
        weights = np.concatenate([np.where(strict.expected, -drawn, drawn), echo])
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
