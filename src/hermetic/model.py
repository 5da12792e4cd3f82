"""The model owner's side: integer weights with their public signature; saving, loading, evaluating."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .circuits.linear import bounds
from .circuits.linear.integers import IntegerMap, worst_case
from .circuits.linear.packing import Layout
from .circuits.linear.server import MaskingKey, evaluate
from .circuits.linear.weights import EncodedWeights
from .circuits.linear.wire import Query, Result
from .errors import MismatchError, ModelFileError, WireError
from .files import write_private
from .keys.public import PublicKey
from .signature import Offer, Signature

FORMAT = "hermetic model 1"
ENCODED_BYTES = 1 << 30
"""What a model's weights may take in memory ready for use, in all layouts; more are made anew for every answer."""

_MAX_KEYS = 16


class EncryptedModel:
    """A compiled model: private integer weights and the public signature. Made by :func:`hermetic.compile`.

    The weights are *not* encrypted: this object and its file belong to the model's owner. What is encrypted are the
    queries it answers.
    """

    def __init__(self, integers: IntegerMap, signature: Signature) -> None:
        """Check that the bounds of :mod:`hermetic.circuits.linear.bounds` hold for these weights.

        Raises
        ------
        ModelFileError
            If weights and signature do not fit together, or a bound does not hold.
        """
        _check(integers, signature)
        self._integers = integers
        self.signature = signature
        self._encoded: OrderedDict[Layout, EncodedWeights] = OrderedDict()
        self._keys: OrderedDict[str, MaskingKey] = OrderedDict()

    @property
    def integers(self) -> IntegerMap:
        """The private integer weights and biases."""
        return self._integers

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, *, threads: int | None = None) -> Result:
        """Answer a query: what the server does. Exact and sanitised, see :mod:`hermetic.circuits.linear.server`.

        Parameters
        ----------
        query
            From :meth:`Client.encrypt` or :meth:`Query.from_bytes`.
        public_key
            The client's public key, or what :meth:`masking_key` made of it.
        threads
            How many threads may work on a large answer; by default as many as this process has cores.

        Raises
        ------
        MismatchError
            If the query belongs to another model or key.

        Notes
        -----
        Leaks to the client: the scores of its samples, and each released word carries at most
        ``bounds.target_bits`` bits about the weights whatever the client sends. As with any prediction service,
        d + 1 well-chosen samples determine a linear model, and lattice reduction needs fewer, as a score holds more
        bits than a weight: limiting the number of samples, far below d, is the caller's job.
        """
        key = public_key if isinstance(public_key, MaskingKey) else self.masking_key(public_key)
        return evaluate(self.signature, self.encoded, query, key, threads or available_cores())

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """What masks need of a public key; that of the last few keys is kept."""
        if public_key.parameters != self.signature.parameters:
            raise MismatchError(
                f"the public key must use the parameters {self.signature.parameters.profile!r}. "
                f"Got {public_key.parameters.profile!r} instead."
            )
        if public_key.id not in self._keys:
            self._keys[public_key.id] = MaskingKey(public_key)
            while len(self._keys) > _MAX_KEYS:
                self._keys.popitem(last=False)
        self._keys.move_to_end(public_key.id)
        return self._keys[public_key.id]

    def encoded(self, layout: Layout) -> EncodedWeights:
        """The weights in a layout, in :data:`ENCODED_BYTES` of memory at most; the layouts used last are kept."""
        if layout not in self._encoded:
            made = EncodedWeights(self._integers, self.signature, layout, ENCODED_BYTES)
            used = made.nbytes + sum(one.nbytes for one in self._encoded.values())
            while self._encoded and used > ENCODED_BYTES:
                used -= self._encoded.popitem(last=False)[1].nbytes
            self._encoded[layout] = made
        self._encoded.move_to_end(layout)
        return self._encoded[layout]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with a JSON header, mode 0600, all or nothing. Never a pickle.

        Raises
        ------
        ModelFileError
            If it cannot be written.
        """
        one = self._integers
        tensors = {"weights": np.ascontiguousarray(one.weights), "bias": np.ascontiguousarray(one.bias)}
        data = save(tensors, metadata={"format": FORMAT, "signature": self.signature.json.decode()})
        try:
            write_private(Path(path), data)
        except OSError as error:
            raise ModelFileError(f"{path} cannot be written: {error.strerror}.") from error

    @staticmethod
    def load(path: str | os.PathLike[str]) -> EncryptedModel:
        """Read a model file; every bound is checked again.

        Raises
        ------
        ModelFileError
            If it cannot be read, is damaged, is no Hermetic model, or its bounds do not hold.
        """
        if not Path(path).is_file():
            raise ModelFileError(f"{path} must be a Hermetic model file. There is no such file.")
        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ModelFileError(
                        f"{path} must be a Hermetic model file ({FORMAT!r}). Its format is {metadata.get('format')!r}."
                    )
                weights = _integers(file.get_tensor("weights"), np.int16, np.int32, np.int64)
                bias = _integers(file.get_tensor("bias"), np.int64)
            signature = Signature.from_json(metadata["signature"].encode())
        except (SafetensorError, WireError, OSError, KeyError, TypeError) as error:
            raise ModelFileError(f"{path} is not a valid Hermetic model file: {error}") from error
        return EncryptedModel(
            IntegerMap(weights, bias, signature.scale_exponent, signature.limbs, signature.limb_bits), signature
        )

    def __repr__(self) -> str:
        one = self.signature
        return (
            f"EncryptedModel({one.name!r}, {one.features} features -> {one.outputs} outputs, {one.parameters.profile})"
        )


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lambda_bits(integers: IntegerMap, layout: Layout, flood: int) -> float:
    """The flooding, in bits, of the answers of a layout: that of its result polynomial with the largest weights."""
    norms = integers.norms
    groups = [sum(norms[i : i + layout.outputs]) for i in range(0, len(norms), layout.outputs)]
    return bounds.flooding_lambda(flood, max(groups))


def _check(integers: IntegerMap, signature: Signature) -> None:
    shape = (signature.integer_outputs, signature.features)
    if integers.weights.shape != shape or integers.bias.shape != shape[:1]:
        raise ModelFileError(
            f"weights must have shape {shape} and bias {shape[:1]}. Got {integers.weights.shape} and "
            f"{integers.bias.shape} instead."
        )
    limit = 1 << (signature.result_bits - 1)
    if worst_case(integers.weights, integers.bias, signature.grid) >= limit:
        raise ModelFileError(f"results must stay below {limit}: these weights exceed it for some input in range.")
    for offer in signature.offers:
        _check_offer(integers, signature, offer)


def _check_offer(integers: IntegerMap, signature: Signature, offer: Offer) -> None:
    parameters, flood = signature.parameters, signature.flood_bits
    if not bounds.layout_allowed(parameters, offer.layout, signature.features, flood):
        raise ModelFileError(f"{offer.layout} releases too many words of one polynomial.")
    found = lambda_bits(integers, offer.layout, flood)
    if found < offer.lambda_bits or found < bounds.MIN_LAMBDA_BITS:
        raise ModelFileError(
            f"answers in {offer.layout} must be flooded by {max(offer.lambda_bits, bounds.MIN_LAMBDA_BITS)} bits. "
            f"These weights leave {found:.1f}."
        )


def _integers(tensor: Any, *types: type) -> Any:
    if tensor.dtype not in types:
        raise TypeError(f"tensors must be {' or '.join(one.__name__ for one in types)}. Got {tensor.dtype} instead.")
    return tensor
