"""What a network answers. Byte by byte in ``docs/wire-format.md``.

Lengths are checked before anything is allocated, and every word against its prime before SEAL sees a byte. Reading
raises as :mod:`hermetic.envelope` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Residues
from ...envelope import OVERHEAD_BYTES, RESULT, seal
from ...errors import WireError
from ...rlwe.bitpacking import pack, packed_bytes, unpack
from ...rlwe.polynomials import checked
from ...signature import Signature
from ..header import BATCH
from ..query import Batch, open_for
from ..result import Result
from .public import NetworkCircuit


@dataclass(frozen=True, eq=False)
class NetworkResult(Result):
    """An encrypted answer: per sample one c1 (samples, 1, N) in coefficient form, and the words of c0
    (1, samples·words) in the order sample, word; modulo the prime of results. Nothing else of c0 is released.
    """

    c1: Residues
    words: Residues

    def to_bytes(self) -> bytes:
        """The envelope: for each sample its c1, then its words."""
        (prime,) = self.parameters.kept_primes
        width, words = prime.bit_length(), self.words.reshape(self.samples, -1)
        parts = [pack(c1, width) + pack(row, width) for c1, row in zip(self.c1[:, 0], words, strict=True)]
        return seal(RESULT, self.parameters.digest, self.batch.pack() + b"".join(parts))

    def __repr__(self) -> str:
        return f"Result(samples={self.samples}, ciphertexts={len(self.c1)})"


def read_result(data: bytes, signature: Signature) -> NetworkResult:
    """Read an answer of the model of this signature.

    Raises
    ------
    WireError
        For anything but the envelope of a result of the signature.
    MismatchError
        For a result of another signature or other parameters.
    """
    body = open_for(data, RESULT, signature)
    batch, circuit = Batch.unpack(body, signature), signature.circuit_of(NetworkCircuit)
    expected = circuit.result_bytes(batch.samples) - OVERHEAD_BYTES
    if len(body) != expected:
        raise WireError(f"the body of this result must have {expected} bytes. Got {len(body)} instead.")
    (prime,), n = signature.parameters.kept_primes, signature.parameters.ring_degree
    width, start = prime.bit_length(), BATCH.size
    c1 = np.empty((batch.samples, 1, n), dtype=np.int64)
    words = np.empty((batch.samples, circuit.words), dtype=np.int64)
    for sample in range(batch.samples):
        for out in (c1[sample, 0], words[sample]):
            end = start + packed_bytes(len(out), width)
            out[:] = checked(unpack(body[start:end], len(out), width), prime)
            start = end
    return NetworkResult(signature.parameters, batch, c1, words.reshape(1, -1))
