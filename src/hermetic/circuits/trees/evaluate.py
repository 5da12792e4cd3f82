"""(words, public key, query) -> sealed, sanitised result. No input or output, no secret key.

Every sample of a query gets weights of its own, see :mod:`.drawing`. Products are masked, flooded and rescaled as those
of a linear circuit (:mod:`hermetic.circuits.linear.evaluate`); the words of tests are not flooded, because they hold
nothing but random numbers. The words of checks and scores are then encrypted under the limbs that the tests open.

All weight polynomials are computed, zero or not, so the work hardly tells models of one public part apart: only the
number of terms on all paths counts, with some ns each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from ...arrays import Residues
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

_TILE = 8
"""How many result polynomials are computed at a time."""


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
        tasks, sizes = [], []
        for section, entries in zip(circuit.sections, (tests, checks, scores), strict=True):
            placed = Placement(circuit, section, entries)
            tiles = list(self._tiles(section))
            sizes.append(len(tiles))
            tasks += [partial(self._tile, section, tile, placed, entries.offsets, ciphertexts) for tile in tiles]
        parts = iter(run(tasks))
        sections = [_joined(islice(parts, size)) for size in sizes]
        count = sum(len(one.words) for one in sections[1:])
        return sealed(sections, circuit, keystream(limbs, self.query.batch.query, number, count))

    def _tiles(self, section: Section) -> Iterator[range]:
        """Some result polynomials at a time; those of the seal alone."""
        seals = len(self.circuit.seal) if section.precision is bounds.TESTS else 0
        yield from (range(i, i + 1) for i in range(seals))
        yield from (range(i, min(i + _TILE, section.polynomials)) for i in range(seals, section.polynomials, _TILE))

    def _tile(
        self, section: Section, tile: range, placed: Placement, offsets: Residues, ciphertexts: Lanes
    ) -> SectionAnswer:
        """The rounded c1 (g, N) of some result polynomials, and their words, in the order of release."""
        circuit, ring, stream = self.circuit, PublicRing.of(self.circuit.parameters), Stream()
        is_test = section.precision is bounds.TESTS
        sums = np.empty((len(tile), *ciphertexts.shape[1:]))
        if is_test and tile.start < len(circuit.seal):
            ring.add_products(sums, ciphertexts, ring.encode(draw_seal(circuit, tile.start, stream)[None]), fresh=True)
        else:
            ring.sparse_products(ciphertexts, *placed.sparse(tile), sums)
        ring.mask(sums, self.key.lanes, MASK_BITS, stream)
        n = circuit.parameters.ring_degree
        chosen = slice(*np.searchsorted(section.places, [tile.start * n, tile.stop * n]))
        flood = 1 if is_test else bounds.flood_bits(circuit.parameters, section.precision)
        places = section.places[chosen] - tile.start * n
        words = ring.target_words(sums, places, offsets[chosen], flood, stream)
        c1 = ring.rescaled_c1(sums, stream)
        precision, modulus = section.precision, circuit.parameters.result_modulus
        return SectionAnswer(
            rounded(c1[:, 0], precision.c1_bits, modulus), rounded(words[0], precision.word_bits, modulus)
        )


def _joined(parts: Iterable[SectionAnswer]) -> SectionAnswer:
    found = list(parts)
    return SectionAnswer(np.concatenate([one.c1 for one in found]), np.concatenate([one.words for one in found]))
