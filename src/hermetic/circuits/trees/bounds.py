"""Every worst-case bound that exact and sealed answers of trees rest on, in one place.

Symbols: N ring degree, q query modulus, q' result modulus, P = q/q'. A query encrypts delta·b for every bit b, with
delta = floor(q/(C·2^24)), C the cofactor. An answer has three *sections*, each on a grid of its own: a word of B bits
is y·q/2^B with y modulo 2^B.

    section   B    weights                                     flooded   sealed
    tests     12   uniform in [-2^(w-1), 2^(w-1)), w about 60   no        no
    checks    18   multiples of C·2^6                           yes       yes
    scores    24   multiples of C                               yes       yes

**Exactness.** What is released of a c1 is rounded to b1 bits, of a word to b0 bits. After rescaling, noise is at most

    (e·W + wraps + flood + mask)/P  +  rescaling  +  N·(q'/2^(b1+1) + 2)  +  q'/2^(b0+1) + 2

with |e·W| <= 21·(sum of the absolute weights of one polynomial) and one C·2^24 for every time that a sum wraps, because
C·2^24·delta is not quite q. It is below half a step of the grid, always.

**False zeros.** A word that is not active has two checks of 18 bits, uniform and independent: it seems active with a
probability of 2^-36. The client counts active words, and refuses an answer with too many.

**Cofactor.** A phase a·q/m on top of a bit changes nothing in checks and scores where m divides C, because all their
weights are multiples of it: as clearing the cofactor does on elliptic curves. The least m that has an effect does not
divide 120: it is 7. It passes a limb of the tests with probability 1/m, as any linear test of small weights, and
so costs 7^15 > 2^42 guesses on an unused coefficient, which meets :data:`COVERAGE` limbs of the seal or more, and
7^8 > 2^22 on a bit, which meets :data:`STRICT_LIMBS` limbs of every span that it is in.

**Small phases.** A phase of 2^x passes the tests where 2^x·2^(w-1) is below half their grid. In checks and scores it is
worth 2^x·(their weights), far below their flooding: :func:`unnoticed_bits` is how far.

**Forged keys.** As for linear circuits, see :mod:`hermetic.circuits.linear.bounds`: :func:`words_per_polynomial`. Words
that are not flooded count with all their log2(q) bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from ...rlwe.parameters import MAX_ERROR, Parameters
from ..bounds import MIN_LAMBDA_BITS, mask_noise, max_targets

SCORE_BITS = 24
CHECK_BITS = 18
CHECKS = 2
TEST_BITS = 12

COFACTOR = 120
"""C: every weight of checks and scores is a multiple of it."""

COVERAGE = 15
"""The least number of limbs of the seal that every unused coefficient of a query meets."""

STRICT_LIMBS = 8
"""The limbs that the pattern of each span opens."""

_MAX_TEST_WEIGHT_BITS = 62
_UNIT = COFACTOR << SCORE_BITS


@dataclass(frozen=True)
class Precision:
    """How finely a section is released: bits of a word's value, and of what travels of a c1 and of a word."""

    bits: int
    c1_bits: int
    word_bits: int


TESTS = Precision(TEST_BITS, TEST_BITS + 14, TEST_BITS + 8)
CHECKED = Precision(CHECK_BITS, CHECK_BITS + 14, CHECK_BITS + 8)
SCORES = Precision(SCORE_BITS, SCORE_BITS + 14, SCORE_BITS + 8)


def delta(parameters: Parameters) -> int:
    """What a bit is multiplied by."""
    return parameters.query_modulus // _UNIT


def noise_budget(parameters: Parameters, precision: Precision) -> int:
    """What e·W, wraps and flooding may add up to before rescaling."""
    modulus = parameters.result_modulus
    rounding = parameters.ring_degree * ((modulus >> (precision.c1_bits + 1)) + 2) + (
        (modulus >> (precision.word_bits + 1)) + 2
    )
    after = (modulus >> precision.bits) // 2 - parameters.rescale_noise - rounding - 2
    return after * parameters.rescale_factor - mask_noise(parameters)


def flood_bits(parameters: Parameters, precision: Precision) -> int:
    """F: flooding is uniform in [-2^(F-1), 2^(F-1)); the most that leaves 2^-8 of it for e·W and wraps."""
    return (noise_budget(parameters, precision) * 256 // 257).bit_length()


def lambda_bits(parameters: Parameters, precision: Precision, norm: int) -> float:
    """How far flooding exceeds e·W and wraps, in bits, for a polynomial whose absolute weights sum to ``norm``."""
    return flood_bits(parameters, precision) - math.log2((MAX_ERROR + 1) * norm + _UNIT)


def floods_enough(lambda_bits: float) -> bool:
    """Whether flooding is as much as any answer's must be."""
    return lambda_bits >= MIN_LAMBDA_BITS


@lru_cache(maxsize=256)
def test_weight_bits(parameters: Parameters, polynomials: int) -> int:
    """w, for queries of so many polynomials: the widest weights of tests whose noise fits."""
    most = noise_budget(parameters, TESTS) // ((MAX_ERROR + 1) * parameters.ring_degree * polynomials)
    return min(_MAX_TEST_WEIGHT_BITS, most.bit_length())


def unnoticed_bits(parameters: Parameters, polynomials: int) -> float:
    """How far a phase that passes the tests stays below the flooding of scores, in bits, for one weight."""
    passes = math.log2(parameters.query_modulus) - TEST_BITS - 1 - (test_weight_bits(parameters, polynomials) - 1)
    return flood_bits(parameters, SCORES) - passes - math.log2(_UNIT // 2)


def words_per_polynomial(parameters: Parameters, precision: Precision, bits: int) -> int:
    """How many words one result polynomial releases, where a query polynomial holds so many bits."""
    flood = 1 if precision is TESTS else flood_bits(parameters, precision)
    return min(parameters.ring_degree // bits, max_targets(parameters, flood))
