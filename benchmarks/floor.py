"""The floor under a server's time: the work that an answer cannot do without, over what the cores that it had can do.

Counted: words multiplied modulo a prime, transforms, bytes of weights and of messages. Measured here, on one core: a
product and a transform in the cache, bytes read from memory, bytes hashed.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hermetic import Query, Signature
from hermetic.rlwe import native
from hermetic.rlwe.parameters import Parameters

_ROUNDS = 20
_BLOCKS, _GROUPS = 8, 2
_MEMORY_WORDS = 1 << 24


@dataclass(frozen=True)
class Core:
    """Nanoseconds for one product of words, one transform of N words, one byte read, one byte hashed."""

    product: float
    transform: float
    byte: float
    hashed: float


@dataclass(frozen=True)
class Work:
    """What an answer needs."""

    products: int
    transforms: int
    weight_bytes: int
    message_bytes: int

    def milliseconds(self, core: Core, cores: int) -> float:
        """Arithmetic is shared by cores, and overlaps with reading the weights at best; hashing messages does not."""
        arithmetic = (self.products * core.product + self.transforms * core.transform) / cores
        return (max(arithmetic, self.weight_bytes * core.byte / cores) + self.message_bytes * core.hashed) / 1e6


def work_of(signature: Signature, query: Query, message_bytes: int) -> Work:
    """The work of one answer of a linear circuit: products with weights and masks, both transforms of each mask and
    result polynomial.
    """
    layout, parameters = query.batch.layout, signature.parameters
    rows, n = len(parameters.data_primes), parameters.ring_degree
    results = layout.result_polynomials(signature.circuit.integer_outputs) * layout.chunks(query.samples)
    pairs = results * layout.query_polynomials(signature.features)
    weights = 8 * rows * layout.points * pairs // layout.chunks(query.samples)
    return Work(2 * rows * n * (pairs + results), 3 * rows * results, weights, message_bytes)


def measure_core(parameters: Parameters, points: int) -> Core:
    """What this core does with weights of so many points, with everything in its cache but the memory that is read."""
    n, primes = parameters.ring_degree, parameters.data_primes[:1]
    ring = native.Ring(n, primes, 1)
    rng = np.random.default_rng(0)
    words = np.rint(rng.uniform(-0.5, 0.5, size=(_BLOCKS, 2, 1, n)) * primes[0])
    weights = np.rint(rng.uniform(-0.5, 0.5, size=(_GROUPS, _BLOCKS, 1, points)) * primes[0])
    answer = np.empty((_GROUPS, 2, 1, n))
    memory, message = np.zeros(_MEMORY_WORDS), bytes(1 << 20)
    return Core(
        _nanoseconds(lambda: ring.products(words, weights, answer, False)) / (2 * n * _BLOCKS * _GROUPS),
        _nanoseconds(lambda: ring.forward(answer[0])) / 2,
        _nanoseconds(memory.max) / memory.nbytes,
        _nanoseconds(lambda: hashlib.sha256(message)) / len(message),
    )


def _nanoseconds(step: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times)
