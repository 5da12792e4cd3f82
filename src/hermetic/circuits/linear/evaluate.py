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

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...arguments import check_kind
from ...arrays import Residues
from ...errors import MismatchError
from ...keys.public import PublicKey
from ...rlwe.public_ring import Lanes, PublicRing
from ...rlwe.randomness import Stream
from ...rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand, expand_range
from ...signature import Signature
from . import bounds
from .packing import Layout
from .weights import EncodedWeights
from .wire import Query, Result

_MANY_PRODUCTS = 1 << 22
"""Products of words from which several threads are faster than one."""

_PART = 64
"""Query polynomials that are read at a time."""

_Run = Callable[[Iterable[Callable[[], Any]]], list[Any]]


class MaskingKey:
    """A client's public key as masks need it: (b, a) modulo the primes of queries, lanes (2, L, N).

    Parameters
    ----------
    public_key
        The client's key; it may be forged, see ``docs/security.md``.
    """

    def __init__(self, public_key: PublicKey) -> None:
        check_kind(public_key, PublicKey, "public_key")
        parameters = public_key.parameters
        a = expand(PUBLIC_KEY_DOMAIN, public_key.seed, 0, parameters, parameters.data_primes)
        b = public_key.b[: len(parameters.data_primes)]
        self.parameters = parameters
        self.id = public_key.id
        ring = PublicRing.of(parameters)
        lanes = ring.empty_ciphertexts(1)
        ring.lift(b[None], a[None], lanes)
        self.lanes: Lanes = lanes[0]


def evaluate(
    signature: Signature,
    encoded: Callable[[Layout], EncodedWeights],
    query: Query,
    key: MaskingKey,
    threads: int = 1,
) -> Result:
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
    if batch.signature != signature.digest:
        raise MismatchError(f"the query must be made for model {signature.name!r}. It was made for another.")
    if query.key_id != key.id:
        raise MismatchError(f"the query must name the key {key.id[:16]}…. It names {query.key_id[:16]}… instead.")
    answer = _Answer(signature, encoded(batch.layout), query, key)
    with _workers(threads if answer.is_large else 1) as run:
        parts = [part for chunk in range(answer.chunks) for part in answer.chunk(chunk, run)]
    c1, words = zip(*parts, strict=True)
    return Result(signature.parameters, batch, np.concatenate(c1), np.concatenate(words, axis=1))


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _workers(threads: int) -> Iterator[_Run]:
    """Gives what runs tasks and returns their results in order."""
    if threads <= 1:
        yield lambda tasks: [task() for task in tasks]
        return
    with ThreadPoolExecutor(threads) as pool:
        yield lambda tasks: list(pool.map(lambda task: task(), tasks))


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

    def chunk(self, chunk: int, run: _Run) -> list[Any]:
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


def lift(query: Query, chosen: range, out: Lanes) -> None:
    """Write some of the ciphertexts of a query, (m, 2, L, N), to the front of ``out``."""
    parameters = query.parameters
    c1 = expand_range(QUERY_DOMAIN, query.batch.query, chosen, parameters, parameters.data_primes)
    PublicRing.of(parameters).lift(query.c0[chosen.start : chosen.stop], c1, out[: len(chosen)])
