"""What masks and flooding hide and cost, whatever the circuit: see :mod:`hermetic.circuits.linear.bounds` for why."""

from __future__ import annotations

import math
from functools import lru_cache

from ..rlwe.parameters import MAX_ERROR, MAX_MODULUS_BITS, Parameters

MIN_LAMBDA_BITS = 10
"""No answer is flooded by less; it also keeps e·W inside the room that is left for it."""

MASK_BITS = 26
"""w: every coefficient of a mask's u is uniform in [-2^(w-1), 2^(w-1)). Its noise is far below any flooding."""


def mask_noise(parameters: Parameters) -> int:
    """Bound on the noise of a mask (u·b + e0, u·a + e1) under an honest key: |u·e + e0 + e1·s|, with s ternary."""
    n = parameters.ring_degree
    return MAX_ERROR * (n << (MASK_BITS - 1)) + MAX_ERROR + MAX_ERROR * n


def flooding_lambda(flood: int, weight_norm: int) -> float:
    """lambda, in bits: how far flooding exceeds e·W for a polynomial whose weights' absolute values sum to
    weight_norm.
    """
    return flood - math.log2(max(1, MAX_ERROR * weight_norm))


def target_bits(parameters: Parameters, flood: int) -> float:
    """Bits that one released target word can carry about the weights, whatever the client sends: log2(q) - F."""
    return math.log2(parameters.query_modulus) - flood


@lru_cache(maxsize=256)
def max_targets(parameters: Parameters, flood: int) -> int:
    """How many target words a result polynomial may release, so that a forged public key does not unmask its c1."""
    needed_bits = parameters.result_modulus.bit_length() + 4
    needed_degree = min(n for n, bits in MAX_MODULUS_BITS.items() if bits >= needed_bits)
    spare = max(0, parameters.ring_degree - needed_degree) * MASK_BITS
    return int(spare // target_bits(parameters, flood))
