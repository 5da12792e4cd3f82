"""(words, public key, query) -> sealed, sanitised result. No input or output, no secret key.

Every sample of a query gets weights of its own, see :mod:`.drawing`. Products are masked, flooded and rescaled as those
of a linear circuit (:mod:`hermetic.circuits.linear.evaluate`); the words of tests are not flooded, because they hold
nothing but random numbers. The words of checks and scores are then encrypted under the limbs that the tests open.

The work is the same for every model of one public part: all weight polynomials are computed, zero or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...arrays import Integers, Residues
from ...rlwe.public_ring import Lanes, PublicRing
from ...rlwe.randomness import Stream
from ...signature import Signature
from ..bounds import MASK_BITS
from ..masking import MaskingKey, Run, check_belongs, lift, workers
from ..query import Query
from . import bounds
from .drawing import Placement, StrictWords, draw_checks, draw_scores, draw_seal, draw_tests, permutation
from .public import Section, TreeCircuit
from .rounding import rounded
from .wire import SectionAnswer, TreeResult, keystream, sealed
from .words import Words

_TILE_BYTES = 16 << 20

Polynomials = Callable[[range], Integers]
"""The weights (g, m, N) of some result polynomials of a section."""


def evaluate(
    signature: Signature,
    words: Words,
    strict: StrictWords | None,
    query: Query,
    key: MaskingKey,
    threads: int = 1,
) -> TreeResult:
    """Answer a query.

    Parameters
    ----------
    signature
        The model's signature.
    words
        The private integer words.
    strict
        The words that test the bits of slots; None where the circuit is not strict.
    query
        A query that :meth:`Query.from_bytes` accepted, or a client's own.
    key
        The public key that the query names.
    threads
        How many threads may work on one sample.

    Raises
    ------
    MismatchError
        If the query belongs to another model, or to another key.
    """
    check_belongs(query, signature, key)
    circuit = signature.circuit_of(TreeCircuit)
    answer = _Answer(circuit, words, strict, query, key)
    with workers(threads) as run:
        samples = tuple(answer.sample(number, run) for number in range(query.samples))
    return TreeResult(signature.parameters, query.batch, circuit, samples)


@dataclass(frozen=True, eq=False)
class _Answer:
    """One answer in the making."""

    circuit: TreeCircuit
    words: Words
    strict: StrictWords | None
    query: Query
    key: MaskingKey

    def sample(self, number: int, run: Run) -> tuple[SectionAnswer, ...]:
        """The sealed sections of one sample."""
        circuit, m, stream = self.circuit, self.circuit.query_polynomials, Stream()
        ciphertexts = PublicRing.of(circuit.parameters).empty_ciphertexts(m)
        lift(self.query, range(number * m, (number + 1) * m), ciphertexts)
        places = permutation(self.words, stream)
        tests, limbs = draw_tests(circuit, self.strict, stream)
        checks = draw_checks(circuit, self.words, places, stream)
        scores = draw_scores(circuit, self.words, places, stream)
        sections = []
        for section, entries in zip(circuit.sections, (tests, checks, scores), strict=True):
            placed = Placement(circuit, section, entries)
            tasks = [
                partial(self._tile, section, tile, placed.polynomials, entries.offsets, ciphertexts)
                for tile in self._tiles(section)
            ]
            c1, words = zip(*run(tasks), strict=True)
            sections.append(SectionAnswer(np.concatenate(c1), np.concatenate(words)))
        count = sum(len(one.words) for one in sections[1:])
        return sealed(sections, circuit, keystream(limbs, self.query.batch.query, number, count))

    def _tiles(self, section: Section) -> list[range]:
        parameters = self.circuit.parameters
        each = 8 * len(parameters.data_primes) * parameters.ring_degree * self.circuit.query_polynomials
        step = max(1, _TILE_BYTES // each)
        return [range(i, min(i + step, section.polynomials)) for i in range(0, section.polynomials, step)]

    def _tile(
        self, section: Section, tile: range, polynomials: Polynomials, offsets: Residues, ciphertexts: Lanes
    ) -> tuple[Integers, Integers]:
        """The rounded c1 (g, N) of some result polynomials, and their words, in the order of release."""
        circuit, ring, stream = self.circuit, PublicRing.of(self.circuit.parameters), Stream()
        weights = polynomials(tile)
        is_test = section.precision is bounds.TESTS
        for number in range(tile.start, min(tile.stop, len(circuit.seal) if is_test else 0)):
            weights[number - tile.start] = draw_seal(circuit, number, stream)
        sums = np.empty((len(tile), *ciphertexts.shape[1:]))
        ring.add_products(sums, ciphertexts, ring.encode(weights), fresh=True)
        ring.mask(sums, self.key.lanes, MASK_BITS, stream)
        n = circuit.parameters.ring_degree
        chosen = slice(*np.searchsorted(section.places, [tile.start * n, tile.stop * n]))
        flood = 1 if is_test else bounds.flood_bits(circuit.parameters, section.precision)
        places = section.places[chosen] - tile.start * n
        words = ring.target_words(sums, places, offsets[chosen], flood, stream)
        c1 = ring.rescaled_c1(sums, stream)
        precision, modulus = section.precision, circuit.parameters.result_modulus
        return rounded(c1[:, 0], precision.c1_bits, modulus), rounded(words[0], precision.word_bits, modulus)
