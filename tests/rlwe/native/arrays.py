"""Rings, words and lanes for the tests of the native ring, and the slow way to compute what it computes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from hermetic.rlwe import native
from hermetic.rlwe.parameters import FAST, PRECISE

Words = npt.NDArray[np.int64]
Lanes = npt.NDArray[np.float64]

# The largest primes below 2^50 for degree 32768, where exactness is hardest; small ones; the profiles' own.
LARGEST = (1125899904679937, 1125899903827969, 1125899903500289)
SMALL = (65537, 786433, 1179649)

chains = st.sampled_from([LARGEST, SMALL, (LARGEST[0], SMALL[0]), FAST.data_primes, PRECISE.data_primes, LARGEST[:1]])
numpy_seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["uniform", "extreme", "middle", "zero"])


def random_words(seed: int, primes: tuple[int, ...], shape: tuple[int, ...], kind: str = "uniform") -> Words:
    """Residues of shape (…, L, n), one of the axes before the last for each prime."""
    rng = np.random.default_rng(seed)
    *front, n = shape

    def row(p: int) -> Words:
        choices = {"extreme": [0, 1, p - 1], "middle": [p // 2, p // 2 + 1], "zero": [0]}
        if kind == "uniform":
            return rng.integers(0, p, size=(*front, n))
        return rng.choice(np.array(choices[kind], dtype=np.int64), size=(*front, n))

    return np.ascontiguousarray(np.stack([row(p) for p in primes], axis=-2))


def lanes_of(words: Words, primes: tuple[int, ...]) -> Lanes:
    """Residues (…, L, n) as centred doubles."""
    moduli = np.array(primes, dtype=np.int64)[:, None]
    return np.where(words > moduli // 2, words - moduli, words).astype(np.float64)


def words_of(lanes: Lanes, primes: tuple[int, ...]) -> Words:
    """Centred doubles (…, L, n) as residues; they must be centred."""
    moduli = np.array(primes, dtype=np.int64)[:, None]
    assert (np.abs(lanes) <= moduli // 2).all()
    assert (lanes == np.rint(lanes)).all()
    return np.mod(lanes.astype(np.int64), moduli)


def transformed(ring: native.Ring, words: Words, primes: tuple[int, ...], *, inverse: bool = False) -> Words:
    lanes = lanes_of(words, primes)
    (ring.inverse if inverse else ring.forward)(lanes)
    return words_of(lanes, primes)
