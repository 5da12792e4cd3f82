"""The model owner's side: private weights with their public signature; saving, loading, evaluating."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .arguments import check_kind, check_path
from .arrays import Integers, Reals
from .circuits import server_half
from .circuits.masking import MaskingKey, available_cores
from .circuits.packing import Layout
from .circuits.query import Query
from .circuits.result import Result
from .errors import MismatchError, ModelFileError, WireError
from .files import write_private
from .keys.public import PublicKey
from .signature import Signature

if TYPE_CHECKING:
    from .circuits.linear.weights import EncodedWeights
    from .circuits.server_interface import ServerHalf

FORMAT = "hermetic model 1"


class CompiledModel:
    """A compiled model: private integer weights and the public signature. Made by :func:`hermetic.compile`.

    The weights are *not* encrypted: this object and its file belong to the model's owner. What is encrypted are the
    queries it answers. ``EncryptedModel``, its earlier name, says otherwise; it is kept, and means this class.

    Attributes
    ----------
    signature
        What is public.
    spread
        How far apart scores were on the sample, which makes an error small or large; None is not known, as in a model
        that was loaded. Private.
    agreement
        For networks, how much of the sample gets the label, or the value, that the network gives in plain, see
        :mod:`hermetic.compiler.agreement`; None is not known. Private.
    """

    def __init__(self, integers: Any, signature: Signature) -> None:
        """Check that the bounds of the circuit hold for these weights, or words of trees.

        Raises
        ------
        ModelFileError
            If weights and signature do not fit together, or a bound does not hold.
        """
        check_kind(signature, Signature, "signature")
        self._half: ServerHalf = server_half(signature.circuit.kind)(integers, signature)
        self.signature = signature
        self.spread: float | None = None
        self.agreement: float | None = None

    @property
    def integers(self) -> Any:
        """The private integers: weights and biases of a linear circuit, words of trees, the layers of a network."""
        return self._half.integers

    @property
    def spread_over_range(self) -> float:
        """The standard deviation of scores of inputs that are uniform in range, of most outputs; where labels are
        chosen by several scores, also that of their differences from the mean: the smaller.
        """
        return self._half.spread_over_range

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, *, threads: int | None = None) -> Result:
        """Answer a query: what the server does. Exact and sanitised, see :mod:`hermetic.circuits.linear.evaluate` and
        :mod:`hermetic.circuits.trees.evaluate`; within the signature's error, of networks: see
        :mod:`hermetic.circuits.networks.bounds`.

        Parameters
        ----------
        query
            From :meth:`Client.encrypt` or :meth:`Query.from_bytes`.
        public_key
            The client's public key, or what :meth:`masking_key` made of it.
        threads
            How many threads may work on a large answer, or a network's; by default as many as this process has cores.

        Raises
        ------
        MismatchError
            If the query belongs to another model or key, an argument has the wrong type, or ``threads`` is below 1.

        Notes
        -----
        Leaks to the client: the scores of its samples, and each released word carries at most
        ``bounds.target_bits`` bits about the weights whatever the client sends. As with any prediction service,
        d + 1 well-chosen samples determine a linear model, and lattice reduction needs fewer, as a score holds more
        bits than a weight: limiting the number of samples, far below d, is the caller's job.
        """
        asked: Any = available_cores() if threads is None else threads
        if not (isinstance(asked, int | np.integer) and asked >= 1):
            raise MismatchError(f"threads must be a whole number of at least 1, or None. Got {threads!r} instead.")
        return self._half.evaluate(query, public_key, int(asked))

    def prepare(self, samples: int) -> None:
        """Make the weights ready for batches of that many samples, which the first such query would do otherwise."""
        self._half.prepare(samples)

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """What masks need of a public key; that of the last few keys is kept."""
        return self._half.masking_key(public_key)

    def encoded(self, layout: Layout) -> EncodedWeights:
        """The weights of a linear circuit in a layout, in a limited amount of memory; the layouts used last are kept.

        Raises
        ------
        MismatchError
            For another circuit, whose weights are drawn for each answer.
        """
        kind = self.signature.circuit.kind
        if kind != "linear":
            raise MismatchError(f"encoded weights must be of a linear circuit. {self.signature.name!r} has {kind}.")
        found: EncodedWeights = self._half.encoded(layout)  # type: ignore[attr-defined]
        return found

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the private integers: weights and bias, or the words, conditions and terms of trees."""
        return self._half.sizes

    def reference(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) in plain integers: what decryption must give, and tests against."""
        return self._half.reference(values)

    def simulate(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) by the integers of an encrypted evaluation, without encryption.

        For networks they have what rounding and rescaling change, and no errors, masks and flooding; for the others
        they are those of :meth:`reference`.
        """
        return self._half.simulate(values)

    @property
    def operations(self) -> int:
        """How many products or sums :meth:`reference` takes for one sample."""
        return self._half.operations

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write a safetensors file with a JSON header, mode 0600, all or nothing. Never a pickle.

        Returns
        -------
        int
            Its bytes.

        Raises
        ------
        ModelFileError
            If it cannot be written.
        """
        check_path(path, "path", ModelFileError)
        tensors, signature = dict(self._half.tensors()), self.signature.json.decode()
        metadata = {"format": FORMAT, "signature": signature, "checksum": _checksum(tensors, signature)}
        data = save(tensors, metadata=metadata)
        try:
            write_private(Path(path), data)
        except OSError as error:
            raise ModelFileError(f"{path} cannot be written: {error.strerror}.") from error
        return len(data)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> CompiledModel:
        """Read a model file; every bound is checked again.

        Raises
        ------
        ModelFileError
            If it cannot be read, is damaged, is no Hermetic model, or its bounds do not hold.
        """
        check_path(path, "path", ModelFileError)
        if not Path(path).is_file():
            raise ModelFileError(f"{path} must be a Hermetic model file. There is no such file.")
        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ModelFileError(
                        f"{path} must be a Hermetic model file ({FORMAT!r}). Its format is {metadata.get('format')!r}."
                    )
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                checksum = metadata.get("checksum")
                if checksum is not None and checksum != _checksum(tensors, metadata["signature"]):
                    raise ModelFileError(
                        f"the checksum of {path} must match. It does not: the file was damaged or changed. Compile the "
                        "model again, or copy the file again."
                    )
                signature = Signature.from_json(metadata["signature"].encode())
                integers = server_half(signature.circuit.kind).read(tensors.__getitem__, signature)
        except (SafetensorError, WireError, OSError, KeyError, TypeError) as error:
            raise ModelFileError(f"{path} is not a valid Hermetic model file: {error}") from error
        return CompiledModel(integers, signature)

    def __repr__(self) -> str:
        signature = self.signature
        return (
            f"CompiledModel({signature.name!r}, {signature.features} features -> {signature.outputs} outputs, "
            f"{signature.parameters.profile})"
        )


def _checksum(tensors: Mapping[str, npt.NDArray[Any]], signature: str) -> str:
    """The SHA-256 of a signature and of all tensors, by name, with their types and shapes; files of before had none."""
    found = hashlib.sha256(signature.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        found.update(np.ascontiguousarray(tensor).data)
    return found.hexdigest()


EncryptedModel = CompiledModel
"""The earlier name, for programs that have it."""
