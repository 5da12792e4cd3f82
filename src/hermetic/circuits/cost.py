"""What a request costs, and the pieces that requests are made of: what a service and a client ask of any circuit."""

from __future__ import annotations

from dataclasses import dataclass

from .packing import Layout

BYTES_PER_MS = 12_500
"""A link of 100 Mbit/s, for estimates."""


@dataclass(frozen=True)
class Cost:
    """What answering a batch costs: counts, bytes and an estimate of the time, in ms."""

    query_ciphertexts: int
    result_ciphertexts: int
    products: int
    request_bytes: int
    response_bytes: int
    estimated_ms: float


@dataclass(frozen=True)
class Offer:
    """A layout that the model answers, and the flooding (lambda, in bits) of its answers."""

    layout: Layout
    lambda_bits: float


@dataclass(frozen=True)
class Chunk:
    """As many samples as one polynomial holds in a layout: a request has a whole number of chunks.

    Attributes
    ----------
    samples
        B, the samples of one.
    query_bytes, result_bytes
        What each adds to a query and to its result.
    estimated_ms
        The planner's estimate.
    """

    samples: int
    query_bytes: int
    result_bytes: int
    estimated_ms: float
