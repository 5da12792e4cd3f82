"""A model's integer weights in one layout, in evaluation form, within a limit of memory.

Evaluation form takes 8·L bytes a weight (L primes). So weights are made in *tiles*: some result polynomials by some
query polynomials. Tiles are kept until they take the memory that they may; the others are made anew for every answer.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Integers, Residues
from ...rlwe import modular
from ...rlwe.public_ring import Lanes, PublicRing
from ...signature import Signature
from ..packing import Layout, pack_weights
from .integers import IntegerMap
from .public import LinearCircuit

_TILE_BYTES = 32 << 20
_TILE_GROUPS = 16
_TILE_BLOCKS = 128


class EncodedWeights:
    """An integer map (k, d), ready for the queries of one layout.

    Parameters
    ----------
    integers
        The private weights and biases.
    signature
        The model's signature.
    layout
        One that it offers.
    memory
        Bytes that tiles may take from one answer to the next; by default all are kept.
    """

    def __init__(
        self, integers: IntegerMap, signature: Signature, layout: Layout, memory: int | float = float("inf")
    ) -> None:
        self._weights = integers.weights
        self._ring = PublicRing.of(signature.parameters)
        self._layout = layout
        self._offsets = _offsets(integers, signature)
        self.blocks = layout.query_polynomials(integers.weights.shape[1])
        self.groups = layout.result_polynomials(len(integers.weights))
        self.tiles = self._cut()
        self._places = {tile: self._first_places(tile) for tile in self.tiles}
        self._kept: dict[tuple[range, int], Lanes] = {}
        self.nbytes = 0
        self._keep(memory)

    def _cut(self) -> list[range]:
        """The result polynomials of every tile."""
        weights = min(self.blocks, _TILE_BLOCKS) * self._layout.points
        most = _TILE_BYTES // (8 * len(self._ring.parameters.data_primes) * weights)
        step = max(1, min(_TILE_GROUPS, most))
        return [range(first, min(first + step, self.groups)) for first in range(0, self.groups, step)]

    def _keep(self, memory: int | float) -> None:
        for tile in self.tiles:
            for start in range(0, self.blocks, _TILE_BLOCKS):
                made = self._make(tile, start)
                if self.nbytes + made.nbytes > memory:
                    return
                self._kept[tile, start] = made
                self.nbytes += made.nbytes

    def targets(self, tile: range, samples: int) -> tuple[Integers, Residues]:
        """Where the words of a tile's outputs are among its coefficients (G, N), in the order they are released, and
        the offset (L) that each word of a chunk of so many samples gets: (T,), (T, L).
        """
        places, offsets = self._places[tile], self._offsets[self._outputs(tile)]
        if samples == 1:
            return places, offsets
        return (places[:, None] + np.arange(samples)).reshape(-1), np.repeat(offsets, samples, axis=0)

    def _outputs(self, tile: range) -> slice:
        return slice(tile.start * self._layout.outputs, tile.stop * self._layout.outputs)

    def _first_places(self, tile: range) -> Integers:
        """The places of the first sample's outputs, see :func:`hermetic.circuits.packing.targets`."""
        layout, outputs = self._layout, np.arange(len(self._offsets))[self._outputs(tile)]
        group, output = np.divmod(outputs, layout.outputs)
        within = layout.samples * (layout.features * output + layout.features - 1)
        return np.asarray((group - tile.start) * layout.ring_degree + within, dtype=np.int64)

    def products(self, tile: range, ciphertexts: Lanes) -> Lanes:
        """The products (G, 2, L, N) of one chunk of a query (m, 2, L, N) for the result polynomials of a tile, in
        evaluation form: not yet fit to be seen.
        """
        total = np.empty((len(tile), *ciphertexts.shape[1:]))
        for start in range(0, self.blocks, _TILE_BLOCKS):
            weights = self._kept.get((tile, start))
            if weights is None:
                weights = self._make(tile, start)
            block = ciphertexts[start : start + _TILE_BLOCKS]
            self._ring.add_products(total, block, weights, fresh=start == 0)
        return total

    def _make(self, tile: range, start: int) -> Lanes:
        r, f = self._layout.outputs, self._layout.features
        chosen = self._weights[tile.start * r : tile.stop * r, start * f : (start + _TILE_BLOCKS) * f]
        return self._ring.encode(pack_weights(chosen.astype(np.int64), self._layout))


def _offsets(integers: IntegerMap, signature: Signature) -> Residues:
    """Every bias as it is added to a c0: delta·P times, as residues (k, L)."""
    primes = signature.parameters.data_primes
    factor = signature.circuit_of(LinearCircuit).delta * signature.parameters.rescale_factor
    return np.ascontiguousarray(modular.scale(modular.from_integers(integers.bias, primes), factor, primes).T)
