"""A model's integer weights in one layout, in evaluation form, within a limit of memory.

Evaluation form takes 8·L bytes a weight in layouts of few samples (L primes), and up to three times that in layouts of
many. So weights are made in *tiles*: some result polynomials by some query polynomials. Tiles are kept until they take
the memory that they may; the others are made anew for every answer, which takes about twice the time of using them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ...arrays import Integers, Residues
from ...rlwe import modular
from ...rlwe.modular import ModularMatrix
from ...rlwe.parameters import Parameters
from ...rlwe.ring import Ring
from .integers import Weights
from .packing import Layout, pack_weights

TILE_BYTES = 32 << 20
"""About what one tile takes, and what it makes of a query."""

_TILE_BLOCKS = 128
_FEW_POINTS = 64

Tile = list[ModularMatrix]
"""One matrix a prime."""


class EncodedWeights:
    """Integer weights (k, d), ready to be multiplied with the queries of one layout.

    Parameters
    ----------
    weights
        Of any integer type.
    parameters, layout
        The ring and the layout.
    memory
        Bytes that tiles may take from one answer to the next; by default all are kept.
    """

    def __init__(
        self, weights: Weights, parameters: Parameters, layout: Layout, memory: int | float = float("inf")
    ) -> None:
        self._weights = weights
        self._parameters = parameters
        self._layout = layout
        self.groups = layout.result_polynomials(len(weights))
        self.blocks = layout.query_polynomials(weights.shape[1])
        self._kept: dict[tuple[int, int], Tile] = {}
        self.nbytes = 0
        for first in range(0, self.groups, self._tile_groups):
            for start in range(0, self.blocks, _TILE_BLOCKS):
                tile = self._make(first, start)
                size = sum(matrix.nbytes for matrix in tile)
                if self.nbytes + size > memory:
                    return
                self._kept[first, start] = tile
                self.nbytes += size

    @property
    def _tile_groups(self) -> int:
        """Result polynomials of a tile."""
        primes = len(self._parameters.data_primes)
        weights = min(self.blocks, _TILE_BLOCKS) * self._layout.points
        return max(1, TILE_BYTES // (8 * primes * max(weights, 2 * self._layout.ring_degree)))

    def products(self, polynomials: Residues) -> Iterator[tuple[int, Residues]]:
        """The query polynomials (m, 2, L, N) of one chunk times their weights.

        Yields
        ------
        The number of the first result polynomial and (some of G, 2, L, N), in evaluation form: not yet fit to be seen.
        """
        primes = self._parameters.data_primes
        for first in range(0, self.groups, self._tile_groups):
            total: Residues | None = None
            for start in range(0, self.blocks, _TILE_BLOCKS):
                tile = self._kept.get((first, start)) or self._make(first, start)
                part = self._multiply(tile, polynomials[start : start + _TILE_BLOCKS])
                total = part if total is None else modular.add(total, part, primes)
            if total is not None:
                yield first, total

    def _multiply(self, tile: Tile, polynomials: Residues) -> Residues:
        blocks, components, _, n = polynomials.shape
        shape = (blocks, components, self._layout.points, self._layout.samples)
        rows = [matrix.product(polynomials[:, :, i].reshape(shape)) for i, matrix in enumerate(tile)]
        return np.stack([row.reshape(-1, components, n) for row in rows], axis=2)

    def _make(self, first: int, start: int) -> Tile:
        r, f, parameters = self._layout.outputs, self._layout.features, self._parameters
        chosen = self._weights[first * r : (first + self._tile_groups) * r, start * f : (start + _TILE_BLOCKS) * f]
        values = _evaluate_polynomials(pack_weights(chosen.astype(np.int64), self._layout), parameters, self._layout)
        return [
            ModularMatrix(rows.transpose(2, 0, 1), prime, self._layout.samples)
            for rows, prime in zip(np.moveaxis(values, 2, 0), parameters.data_primes, strict=True)
        ]


def _evaluate_polynomials(coefficients: Integers, parameters: Parameters, layout: Layout) -> Residues:
    """Polynomials in X^B, (G, m, N/B), as their N/B distinct values, (G, m, L, N/B)."""
    if layout.points == 1:
        return np.repeat(coefficients[:, :, None], len(parameters.data_primes), axis=2)
    if layout.points <= _FEW_POINTS:
        return _evaluate_at_few_points(coefficients, parameters, layout.samples)
    groups, blocks, points = coefficients.shape
    values = np.empty((groups, blocks, len(parameters.data_primes), points), dtype=np.int64)
    for g, row in enumerate(coefficients):
        values[g] = _transform(row, parameters, layout.samples)
    return values


def _transform(coefficients: Integers, parameters: Parameters, samples: int) -> Residues:
    """Polynomials in X^B, (n, N/B), as values (n, L, N/B), by a transform of length N each."""
    polynomials = np.zeros((len(coefficients), parameters.ring_degree), dtype=np.int64)
    polynomials[:, ::samples] = coefficients
    residues = modular.from_integers(polynomials, parameters.data_primes)
    return Ring.of(parameters).ntt(residues)[..., ::samples]


@lru_cache(maxsize=8)
def _monomials(parameters: Parameters, samples: int) -> Residues:
    """The powers of X^B as values, (N/B, L, N/B)."""
    return _transform(np.eye(parameters.ring_degree // samples, dtype=np.int64), parameters, samples)


def _evaluate_at_few_points(coefficients: Integers, parameters: Parameters, samples: int) -> Residues:
    """As :func:`_evaluate_polynomials`, by one product with the values of the monomials: N/B transforms in all."""
    groups, blocks, points = coefficients.shape
    monomials = _monomials(parameters, samples)
    columns = coefficients.reshape(-1, points).T
    rows = []
    for i, prime in enumerate(parameters.data_primes):
        matrix = ModularMatrix(monomials[:, i].T[None], prime, columns.shape[1])
        rows.append(matrix.product(modular.reduce(columns, prime)[:, None, None])[:, 0, 0])
    return np.stack(rows).transpose(2, 0, 1).reshape(groups, blocks, len(rows), points)
