"""(weights, public key, query) -> sanitised result. No input or output, no secret key.

A bare product (c0·W, c1·W) hands every weight to the client, who knows c1. So every answer is

    (c0·W + b·u + e0 + flood,  c1·W + a·u + e1)

1. masked: (b·u + e0, a·u + e1) is a fresh encryption of zero under the client's public key (b, a), which makes c1 a
   fresh RLWE sample; u is uniform among 2^w integers in every coefficient, e0 and e1 are centred binomial;
2. flooded: uniform integers are added at the target coefficients of c0;
3. rescaled and cut down to c1 and the target words of c0. Nothing else is released.

The order matters: flooding is added before rescaling, so what is released is a function of flooded words alone. Every
u, e0, e1 and flood is drawn for one answer, from bytes that the operating system's generator gave for it. The bounds
are in :mod:`hermetic.circuits.linear.bounds`; what is left over is in ``docs/security.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...arrays import Residues
from ...rlwe.public_ring import Lanes, PublicRing
from ...rlwe.randomness import Stream
from ...signature import Signature
from ..masking import MaskingKey, Run, check_belongs, lift, workers
from ..packing import Layout
from ..query import Query
from . import bounds
from .weights import EncodedWeights
from .wire import LinearResult

_MANY_PRODUCTS = 1 << 22
"""Products of words from which several threads are faster than one."""

_PART = 64
"""Query polynomials that are read at a time."""


def evaluate(
    signature: Signature,
    encoded: Callable[[Layout], EncodedWeights],
    query: Query,
    key: MaskingKey,
    threads: int = 1,
) -> LinearResult:
    """Answer a query.

    Parameters
    ----------
    signature
        The model's signature.
    encoded
        Gives the private integer weights in the query's layout.
    query
        A query that :meth:`Query.from_bytes` accepted, or a client's own.
    key
        The public key that the query names.
    threads
        How many threads may work on an answer that is large enough to pay for them.

    Raises
    ------
    MismatchError
        If the query belongs to another model, or to another key.
    """
    batch = query.batch
    check_belongs(query, signature, key)
    answer = _Answer(signature, encoded(batch.layout), query, key)
    with workers(threads if answer.is_large else 1) as run:
        parts = [part for chunk in range(answer.chunks) for part in answer.chunk(chunk, run)]
    c1, words = zip(*parts, strict=True)
    return LinearResult(signature.parameters, batch, np.concatenate(c1), np.concatenate(words, axis=1))


@dataclass(frozen=True, eq=False)
class _Answer:
    """One answer in the making."""

    signature: Signature
    weights: EncodedWeights
    query: Query
    key: MaskingKey

    @property
    def chunks(self) -> int:
        return self.query.batch.layout.chunks(self.query.samples)

    @property
    def is_large(self) -> bool:
        """Whether several threads pay."""
        return 2 * self.query.c0.size * self.weights.groups >= _MANY_PRODUCTS

    def chunk(self, chunk: int, run: Run) -> list[Any]:
        """The (c1, words) of every tile of result polynomials of a chunk."""
        first, layout = chunk * self.weights.blocks, self.query.batch.layout
        blocks = range(first, first + self.weights.blocks)
        ciphertexts = PublicRing.of(self.query.parameters).empty_ciphertexts(len(blocks))
        run(partial(lift, self.query, part, ciphertexts[part.start - first :]) for part in _parts(blocks))
        samples = min(layout.samples, self.query.samples - chunk * layout.samples)
        return run(partial(self._tile, tile, ciphertexts, samples) for tile in self.weights.tiles)

    def _tile(self, tile: range, ciphertexts: Lanes, samples: int) -> tuple[Residues, Residues]:
        ring, stream = PublicRing.of(self.signature.parameters), Stream()
        sums = self.weights.products(tile, ciphertexts)
        ring.mask(sums, self.key.lanes, bounds.MASK_BITS, stream)
        places, offsets = self.weights.targets(tile, samples)
        words = ring.target_words(sums, places, offsets, self.signature.flood_bits, stream)
        return ring.rescaled_c1(sums, stream), words


def _parts(blocks: range) -> list[range]:
    return [blocks[start : start + _PART] for start in range(0, len(blocks), _PART)]
