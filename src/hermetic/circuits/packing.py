"""One polynomial holds B samples x f features x r outputs (B·f·r <= N). No cryptography here.

    coefficient index of (sample i, feature u, output v)  =  i + B·(u + f·v)

    query    Q(X) = sum over i, u of  x[i, u] · X^(i + B·u)
    weights  W(X) = sum over v, u of  w[v, u] · X^(B·(f·v + f-1-u))
    Q·W  has    sum over u of x[i, u]·w[v, u]    at coefficient   i + B·(f·v + f-1)     (the targets)

With N=16, B=2, f=3, r=2 (targets marked):

    index     0  1 | 2  3 | 4  5 | 6  7 | 8  9 | 10 11 | 12 .. 15
    Q(X)      x00 x10  x01 x11  x02 x12   0 ...
    W(X)      w02  .   w01  .   w00  .   w12  .   w11  .    w10  .    0 ...
    Q·W       .    .   .    .   y00 y10   .   .    .   .    y01  y11   ...

No product of another sample, feature or output, and no negacyclic wrap-around, reaches a target: for targets to collide
u - u' = f·(v - v') would need |u - u'| >= f, and wrapped terms end below B·(f-1). This is the matrix packing of Cheetah
(Huang, Lu, Hong and Ding, USENIX Security 2022) and Iron (Hao et al., NeurIPS 2022), with samples interleaved.

d features take m = ceil(d/f) query polynomials; k outputs take G = ceil(k/r) result polynomials. W is a polynomial in
X^B, so it has only N/B distinct values at the evaluation points, and in SEAL's (bit-reversed) order each value
repeats B times in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import Integers
from ..errors import ParameterError


@dataclass(frozen=True)
class Layout:
    """How many samples (B, a power of two), features (f) and outputs (r) share a polynomial of N coefficients."""

    ring_degree: int
    samples: int
    features: int
    outputs: int

    def __post_init__(self) -> None:
        b, f, r, n = self.samples, self.features, self.outputs, self.ring_degree
        if min(b, f, r) < 1 or b & (b - 1) or b * f * r > n:
            raise ParameterError(
                f"a layout must have B·f·r <= {n} with B a power of two and f, r >= 1. Got B={b}, f={f}, r={r} instead."
            )

    @property
    def points(self) -> int:
        """N/B: how many distinct values a weight polynomial has at the evaluation points."""
        return self.ring_degree // self.samples

    def query_polynomials(self, features: int) -> int:
        """m: polynomials that ``features`` features of up to B samples take."""
        return -(-features // self.features)

    def result_polynomials(self, outputs: int) -> int:
        """G: polynomials that ``outputs`` outputs of up to B samples take."""
        return -(-outputs // self.outputs)

    def chunks(self, samples: int) -> int:
        """How many times B samples are needed for ``samples`` samples."""
        return -(-samples // self.samples)


def pack_samples(values: Integers, layout: Layout) -> Integers:
    """Samples (n, d), n <= B, as the coefficients (m, N) of the query polynomials."""
    n, d = values.shape
    m, f, b = layout.query_polynomials(d), layout.features, layout.samples
    padded = np.zeros((b, m * f), dtype=np.int64)
    padded[:n, :d] = values
    out = np.zeros((m, layout.ring_degree), dtype=np.int64)
    out[:, : f * b] = padded.reshape(b, m, f).transpose(1, 2, 0).reshape(m, f * b)
    return out


def pack_weights(weights: Integers, layout: Layout) -> Integers:
    """Weights (k, d) as the coefficients (G, m, N/B) of polynomials in X^B."""
    k, d = weights.shape
    m, g, f, r = layout.query_polynomials(d), layout.result_polynomials(k), layout.features, layout.outputs
    padded = np.zeros((g * r, m * f), dtype=np.int64)
    padded[:k, :d] = weights
    blocks = padded.reshape(g, r, m, f)[..., ::-1].transpose(0, 2, 1, 3)
    out = np.zeros((g, m, layout.points), dtype=np.int64)
    out[..., : r * f] = blocks.reshape(g, m, r * f)
    return out


def targets(layout: Layout, samples: int, outputs: int) -> npt.NDArray[np.intp]:
    """Coefficient indices (outputs, samples) of one result polynomial that holds that many of each."""
    b, f = layout.samples, layout.features
    block = f * np.arange(outputs)[:, None] + f - 1
    return np.asarray(np.arange(samples)[None, :] + b * block, dtype=np.intp)


def released(layout: Layout, samples: int, outputs: int) -> list[list[npt.NDArray[np.intp]]]:
    """The target indices of every result polynomial of a batch, by chunk and group: the words that an answer releases.

    Words travel in this order: chunk, group, output, sample.
    """
    out = []
    for chunk in range(layout.chunks(samples)):
        count = min(layout.samples, samples - chunk * layout.samples)
        groups = range(0, outputs, layout.outputs)
        out.append([targets(layout, count, min(layout.outputs, outputs - first)) for first in groups])
    return out
