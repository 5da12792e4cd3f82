"""The model owner's half of a linear circuit: private integer weights, and answers to queries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import check_kind
from ...arrays import Integers, Reals
from ...errors import ModelFileError
from ...keys.public import PublicKey
from ...signature import Signature
from ..cost import Offer
from ..masking import MaskingKey, MaskingKeys
from ..packing import Layout
from ..query import Query
from . import bounds
from .evaluate import evaluate
from .integers import IntegerMap, recombine, worst_case
from .public import LinearCircuit
from .weights import EncodedWeights
from .wire import LinearResult

ENCODED_BYTES = 1 << 30
"""What a model's weights may take in memory ready for use, in all layouts; more are made anew for every answer."""


class ServerHalf:
    """Answers queries for one model.

    Parameters
    ----------
    integers
        The private weights.
    signature
        The model's.

    Raises
    ------
    ModelFileError
        If weights and signature do not fit together, or a bound of :mod:`hermetic.circuits.linear.bounds` does not
        hold.
    """

    def __init__(self, integers: IntegerMap, signature: Signature) -> None:
        check_kind(integers, IntegerMap, "integers")
        _check(integers, signature.circuit_of(LinearCircuit))
        self.integers = integers
        self._signature = signature
        self._encoded: OrderedDict[Layout, EncodedWeights] = OrderedDict()
        self._keys = MaskingKeys(signature.parameters)

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, threads: int) -> LinearResult:
        """Answer a query, see :meth:`hermetic.CompiledModel.evaluate`."""
        check_kind(query, Query, "query")
        key = self._keys.of(public_key)
        return evaluate(self._signature, self.encoded, query, key, threads)

    def prepare(self, samples: int) -> None:
        """Encode the weights for batches of that many samples, which the first such query would do otherwise."""
        self.encoded(self._signature.circuit.layout_for(samples))

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """What masks need of a public key; that of the last few keys is kept."""
        check_kind(public_key, PublicKey, "public_key")
        return self._keys.of(public_key)

    def reference(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) in plain integers: what decryption must give."""
        one = self.integers
        return recombine(one.apply(values), one.limbs, one.limb_bits, one.scale_exponent)

    def simulate(self, values: Integers) -> Reals:
        """The reference: an encrypted evaluation gives the same integers."""
        return self.reference(values)

    @property
    def operations(self) -> int:
        """Products of the plain reference for one sample."""
        return int(self.integers.weights.size)

    def encoded(self, layout: Layout) -> EncodedWeights:
        """The weights in a layout, in :data:`ENCODED_BYTES` of memory at most; the layouts used last are kept."""
        if layout not in self._encoded:
            made = EncodedWeights(self.integers, self._signature, layout, ENCODED_BYTES)
            used = made.nbytes + sum(weights.nbytes for weights in self._encoded.values())
            while self._encoded and used > ENCODED_BYTES:
                used -= self._encoded.popitem(last=False)[1].nbytes
            self._encoded[layout] = made
        self._encoded.move_to_end(layout)
        return self._encoded[layout]

    @property
    def spread_over_range(self) -> float:
        """See :attr:`hermetic.CompiledModel.spread_over_range`."""
        one, grid = self.integers, self._signature.grid
        weights = recombine(one.weights.T, one.limbs, one.limb_bits, one.scale_exponent)
        reach = weights * (grid.high - grid.low)[:, None]
        parts = [reach]
        if self._signature.labels is not None and self._signature.outputs > 1:
            parts.append(reach - reach.mean(axis=1, keepdims=True))
        return float(min(np.median(np.sqrt((part**2).sum(axis=0) / 12)) for part in parts))

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of weights and bias."""
        return {"weights": self.integers.weights.shape, "bias": self.integers.bias.shape}

    def tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        """What a model file holds beside the signature."""
        integers = self.integers
        return {"weights": np.ascontiguousarray(integers.weights), "bias": np.ascontiguousarray(integers.bias)}

    @staticmethod
    def read(tensor: Callable[[str], npt.NDArray[Any]], signature: Signature) -> IntegerMap:
        """The weights of a model file from its tensors, by name. Raises TypeError for tensors of other types."""
        weights = _of_type(tensor("weights"), np.int16, np.int32, np.int64)
        bias, circuit = _of_type(tensor("bias"), np.int64), signature.circuit_of(LinearCircuit)
        return IntegerMap(weights, bias, circuit.scale_exponent, circuit.limbs, circuit.limb_bits)


def lambda_bits(integers: IntegerMap, layout: Layout, flood: int) -> float:
    """The flooding, in bits, of the answers of a layout: that of its result polynomial with the largest weights."""
    norms = integers.norms
    groups = [sum(norms[i : i + layout.outputs]) for i in range(0, len(norms), layout.outputs)]
    return bounds.flooding_lambda(flood, max(groups))


def _check(integers: IntegerMap, circuit: LinearCircuit) -> None:
    shape = (circuit.integer_outputs, circuit.features)
    if integers.weights.shape != shape or integers.bias.shape != shape[:1]:
        raise ModelFileError(
            f"weights must have shape {shape} and bias {shape[:1]}. Got {integers.weights.shape} and "
            f"{integers.bias.shape} instead."
        )
    limit = 1 << (circuit.result_bits - 1)
    if worst_case(integers.weights, integers.bias, circuit.grid) >= limit:
        raise ModelFileError(f"results must stay below {limit}: these weights exceed it for some input in range.")
    for offer in circuit.offers:
        _check_offer(integers, circuit, offer)


def _check_offer(integers: IntegerMap, circuit: LinearCircuit, offer: Offer) -> None:
    flood = circuit.flood_bits
    if not bounds.layout_allowed(circuit.parameters, offer.layout, circuit.features, flood):
        raise ModelFileError(f"{offer.layout} releases too many words of one polynomial.")
    found = lambda_bits(integers, offer.layout, flood)
    if found < offer.lambda_bits or found < bounds.MIN_LAMBDA_BITS:
        raise ModelFileError(
            f"answers in {offer.layout} must be flooded by {max(offer.lambda_bits, bounds.MIN_LAMBDA_BITS)} bits. "
            f"These weights leave {found:.1f}."
        )


def _of_type(tensor: Any, *types: type) -> Any:
    if tensor.dtype not in types:
        raise TypeError(f"tensors must be {' or '.join(kind.__name__ for kind in types)}. Got {tensor.dtype} instead.")
    return tensor
