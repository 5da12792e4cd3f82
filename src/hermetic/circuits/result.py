"""What every service answers. Which bytes follow the header is the circuit's own affair: its ``wire``."""

from __future__ import annotations

from dataclasses import dataclass

from ..arguments import check_kind
from ..rlwe.parameters import Parameters
from ..signature import Signature
from . import read_result
from .packing import Layout
from .query import Batch


@dataclass(frozen=True, eq=False)
class Result:
    """An encrypted answer, of one kind of circuit or another."""

    parameters: Parameters
    batch: Batch

    @property
    def samples(self) -> int:
        """The number of answered samples."""
        return self.batch.samples

    def to_bytes(self) -> bytes:
        """The envelope."""
        raise NotImplementedError

    @staticmethod
    def size(signature: Signature, layout: Layout, samples: int) -> int:
        """Exact bytes of the answer to ``samples`` samples in a layout."""
        return signature.circuit.result_bytes(samples, layout)

    @staticmethod
    def from_bytes(data: bytes, signature: Signature) -> Result:
        """Read an answer of the model of this signature.

        Raises
        ------
        WireError
            For anything but the envelope of a result in a layout of the signature.
        MismatchError
            For a result of another signature or other parameters.
        """
        check_kind(signature, Signature, "signature")
        found: Result = read_result(signature.circuit.kind)(data, signature)
        return found
