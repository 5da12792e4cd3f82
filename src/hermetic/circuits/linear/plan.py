"""Which layout to use: what each costs, and the cheapest for a batch.

The estimate of time is for choosing between layouts only. Its unit costs are the medians of one slow core at N=4096
and two primes (the ``make bench`` tables are the measurements) and a link of 100 Mbit/s.
"""

from __future__ import annotations

import math
from functools import lru_cache

from ...rlwe.bitpacking import packed_bytes
from ...rlwe.parameters import Parameters
from ..cost import BYTES_PER_MS, Cost
from ..packing import Layout

_REFERENCE_WORDS = 4096 * 2
_ENCRYPT_MS = 0.5
_PRODUCT_MS = 0.01
_ANSWER_MS = 0.2


def cost(parameters: Parameters, layout: Layout, features: int, outputs: int, samples: int) -> Cost:
    """The cost of ``samples`` samples in a layout, for a map from ``features`` to ``outputs``."""
    chunks = layout.chunks(samples)
    up = chunks * layout.query_polynomials(features)
    down = chunks * layout.result_polynomials(outputs)
    products = up * layout.result_polynomials(outputs)
    n = parameters.ring_degree
    request = up * sum(packed_bytes(n, p.bit_length()) for p in parameters.data_primes)
    response = sum(
        down * packed_bytes(n, p.bit_length()) + packed_bytes(samples * outputs, p.bit_length())
        for p in parameters.kept_primes
    )
    size = n * len(parameters.data_primes) / _REFERENCE_WORDS
    work = size * (up * _ENCRYPT_MS + products * _PRODUCT_MS + down * _ANSWER_MS)
    return Cost(up, down, products, request, response, work + (request + response) / BYTES_PER_MS)


@lru_cache(maxsize=256)
def cheapest(parameters: Parameters, layouts: tuple[Layout, ...], features: int, outputs: int, samples: int) -> Layout:
    """The layout that answers ``samples`` samples at the least estimated time."""
    return min(layouts, key=lambda layout: cost(parameters, layout, features, outputs, samples).estimated_ms)


def candidate_layouts(parameters: Parameters, samples: int, features: int, outputs: int) -> list[Layout]:
    """Every sensible layout of ``samples`` samples: for each number of result polynomials, the most features that
    fit.
    """
    n = parameters.ring_degree
    room = n // samples
    found = set()
    for r in {-(-outputs // g) for g in _divisions(outputs)}:
        if r > room:
            continue
        most = min(features, room // r)
        f = -(-features // -(-features // most))
        found.add(Layout(n, samples, f, r))
    return sorted(found, key=lambda layout: layout.outputs)


def _divisions(outputs: int) -> set[int]:
    """Group counts worth trying: all small ones, then a geometric ladder."""
    ladder = {math.ceil(outputs / 1.1**i) for i in range(200)}
    return {g for g in ladder | set(range(1, 65)) if 1 <= g <= outputs}
