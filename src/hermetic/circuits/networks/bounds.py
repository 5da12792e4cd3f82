"""What noise an honest evaluation can have, and what rounding of plaintexts changes: the bounds of a network's error.

Noise is bounded slot by slot. A polynomial of independent, centred and subgaussian coefficients of variance v has slots
of |e(zeta)|^2 <= N·v·(1 + sqrt(2t) + t) but for a probability of exp(-t) each (Hsu, Kakade and Zhang, 2012,
theorem 2.1); t is chosen so that all slots of all polynomials of an answer fail with a probability of 2^-40 together.

    errors            centred binomial, 42 half-integers: v = 21/2, strictly subgaussian
    the secret        uniform in {-1, 0, 1}:              v = 2/3,  strictly subgaussian
    rounding, digits  uniform:                            v = 1/12 of their range's square

That errors and the secret have these distributions is how SEAL samples them; that rounding and digits of an honest
client's ciphertexts behave as uniform and independent of the keys is the usual heuristic. For a product of two such
polynomials, one is in one of 64 shells of probability exp(-t') and the other then in the tail of exp(-(t - t')): the
product of both bounds is largest where they share t, so t/2 each and 6 bits more of t suffice.

Sums over distinct slots, such as folds, of a noise polynomial that is independent of the weights grow as the root of
their number: distinct slots are orthogonal functions of its coefficients. So do sums of independent ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...rlwe.parameters import MAX_ERROR, Parameters

FAILURE_BITS = 40
"""An honest answer exceeds its error with a probability of at most 2^-40."""

_POLYNOMIALS = 1 << 10
"""More noise polynomials than any answer has."""

_ERROR_VARIANCE = MAX_ERROR / 2
_SECRET_VARIANCE = 2 / 3
_UNIFORM_VARIANCE = 1 / 12


_SHELLS = 64


def _tail(t: float) -> float:
    """By how much |slot|^2 may exceed its mean but for a probability of exp(-t)."""
    return 1 + math.sqrt(2 * t) + t


@dataclass(frozen=True)
class Noise:
    """Bounds for one parameter set; ``folded`` is how many slots a later sum adds up."""

    parameters: Parameters

    def slot(self, variance: float) -> float:
        """A bound on all slots of polynomials with such coefficients."""
        return math.sqrt(self.parameters.ring_degree * variance * _tail(self._exponent))

    def product(self, first: float, second: float) -> float:
        """The same for products of two independent polynomials."""
        half = (self._exponent + math.log(_SHELLS)) / 2
        return self.parameters.ring_degree * math.sqrt(first * second) * _tail(half)

    @property
    def _exponent(self) -> float:
        return math.log(2) * (FAILURE_BITS + math.log2(self.parameters.ring_degree / 2 * _POLYNOMIALS))

    @property
    def fresh(self) -> float:
        """Of a fresh encryption."""
        return self.slot(_ERROR_VARIANCE)

    @property
    def message(self) -> float:
        """Of rounding a plaintext to integers."""
        return self.slot(_UNIFORM_VARIANCE)

    def rounding(self, folded: int = 1) -> float:
        """Of dividing a ciphertext by a prime: e0 + e1·s."""
        return math.sqrt(folded) * (self.slot(_UNIFORM_VARIANCE) + self.product(_UNIFORM_VARIANCE, _SECRET_VARIANCE))

    def switching(self, level: int, folded: int = 1, times: int = 1) -> float:
        """Of switching keys so many times: the sum over digits of digit·error, divided by the special prime."""
        digits = sum(_UNIFORM_VARIANCE * prime**2 for prime in self.parameters.data_primes[:level])
        added = self.product(digits, _ERROR_VARIANCE) / self.parameters.special_prime
        return math.sqrt(times) * (math.sqrt(folded) * added + self.rounding(folded))
