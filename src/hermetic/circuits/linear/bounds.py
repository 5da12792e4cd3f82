"""Every worst-case bound that an exact and sanitised answer rests on, in one place.

Symbols: N ring degree, q query modulus, q' result modulus, P = q/q' the rescaling factor, T result bits,
delta = floor(q'/2^T), so that a query encrypts delta·P·x and a rescaled answer has the phase delta·y + noise.

**Exactness.** An answer's noise before rescaling is at most

    e·W   <= 21 · sum over the outputs of one polynomial of ||w_v||_1     (an honest query's error times the weights)
    flood <= 2^(F-1)                                                     (uniform in [-2^(F-1), 2^(F-1)))
    mask  <= 21·(N·2^(w-1) + 1 + N)                                      (u·e + e0 + e1·s, an honest public key)

and rescaling adds at most Parameters.rescale_noise. If (e·W + flood + mask)/P + rescale < delta/2 and |y| < 2^(T-1),
then round(phase/delta) = y for every input in range, always.

**Flooding.** The statistical distance between e·W + flood and flood alone is at most |e·W|/2^F = 2^-lambda a target
word (the smudging lemma: Asharov et al., EUROCRYPT 2012, lemma 1).

**Forged keys.** A client may send any b as its public key. Then the target words, which hold u·b + e0 + c0·W + flood,
reveal at most log2(q) - F bits each about (u, W), where u is the mask of c1. The mask must survive this. Each of its
coefficients is uniform among 2^w integers. With h bits known, at least N - h/w of them stay unknown, and that many must
still make the released c1 (modulus q', rounding error of standard deviation 12^-1/2, thus log2(q') + 4 bits against a
table made for 3.2) an RLWE sample of 128 bits by the Homomorphic Encryption Standard. So a polynomial may release
:func:`max_targets` target words, unless the batch has more samples than features: d + 1 honest samples determine the
weights anyway, and fewer often do.
"""

from __future__ import annotations

import math

from ...rlwe.parameters import Parameters
from ..bounds import MASK_BITS, MIN_LAMBDA_BITS, flooding_lambda, mask_noise, max_targets, target_bits
from ..packing import Layout

__all__ = [
    "MASK_BITS",
    "MIN_LAMBDA_BITS",
    "delta",
    "flood_bits",
    "flooding_lambda",
    "layout_allowed",
    "least_samples",
    "mask_noise",
    "max_targets",
    "noise_budget",
    "result_noise",
    "target_bits",
]


def delta(parameters: Parameters, result_bits: int) -> int:
    """The scale of an integer result: floor(q'/2^T)."""
    return parameters.result_modulus >> result_bits


def noise_budget(parameters: Parameters, result_bits: int) -> int:
    """What e·W and flooding may add up to before rescaling, so that the noise stays below delta/2."""
    after = (delta(parameters, result_bits) - 1) // 2 - parameters.rescale_noise - 1
    return after * parameters.rescale_factor - mask_noise(parameters)


def flood_bits(parameters: Parameters, result_bits: int) -> int:
    """F: flooding is uniform in [-2^(F-1), 2^(F-1)); the most that leaves room for e·W of 2^-8 of it. 0 if none
    fits.
    """
    usable = noise_budget(parameters, result_bits) * 256 // 257
    return max(0, usable.bit_length()) if usable > 0 else 0


def result_noise(parameters: Parameters, flood: int, lambda_bits: float) -> int:
    """Largest |noise| of an honest answer after rescaling, from public values alone."""
    weighted = math.ceil(2.0 ** (flood - math.floor(lambda_bits)))
    before = (1 << (flood - 1)) + weighted + mask_noise(parameters)
    return before // parameters.rescale_factor + 1 + parameters.rescale_noise


def least_samples(parameters: Parameters, layout: Layout, features: int, flood: int) -> int:
    """The least batch for which answers in a layout keep the weights masked against a forged public key, see the
    module's text.
    """
    few = layout.samples * layout.outputs <= max_targets(parameters, flood)
    return 1 if few else features + 1


def layout_allowed(
    parameters: Parameters, layout: Layout, features: int, flood: int, samples: int | None = None
) -> bool:
    """Whether a batch of ``samples`` samples (by default a full polynomial of them) may be answered in a layout."""
    return (samples or layout.samples) >= least_samples(parameters, layout, features, flood)
