"""What a linear circuit answers. Byte by byte in ``docs/wire-format.md``.

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
from ...rlwe.polynomials import checked, pack_rows, packed_rows_bytes, unpack_rows
from ...signature import Signature
from ..header import BATCH
from ..query import Batch, open_for
from ..result import Result
from .public import LinearCircuit


@dataclass(frozen=True, eq=False)
class LinearResult(Result):
    """An encrypted answer: per chunk and group of outputs one c1, and the target words of c0; all modulo q'.

    ``c1`` is (chunks·G, l, N) in coefficient form, ``words`` is (l, samples·integer outputs), in the order chunk,
    output, sample. Nothing else of c0 is released.
    """

    c1: Residues
    words: Residues

    def to_bytes(self) -> bytes:
        """The envelope."""
        primes = self.parameters.kept_primes
        words = b"".join(pack(row, p.bit_length()) for row, p in zip(self.words, primes, strict=True))
        body = self.batch.pack() + pack_rows(self.c1, primes) + words
        return seal(RESULT, self.parameters.digest, body)

    def __repr__(self) -> str:
        return f"Result(samples={self.samples}, ciphertexts={len(self.c1)})"


def read_result(data: bytes, signature: Signature) -> LinearResult:
    """Read an answer of the model of this signature.

    Raises
    ------
    WireError
        For anything but the envelope of a result in a layout of the signature.
    MismatchError
        For a result of another signature or other parameters.
    """
    body = open_for(data, RESULT, signature)
    batch = Batch.unpack(body, signature)
    primes = signature.parameters.kept_primes
    expected = Result.size(signature, batch.layout, batch.samples) - OVERHEAD_BYTES
    if len(body) != expected:
        raise WireError(f"the body of this result must have {expected} bytes. Got {len(body)} instead.")
    outputs = signature.circuit_of(LinearCircuit).integer_outputs
    count = batch.layout.chunks(batch.samples) * batch.layout.result_polynomials(outputs)
    split = BATCH.size + packed_rows_bytes(count, signature.parameters, primes)
    c1 = unpack_rows(body[BATCH.size : split], count, signature.parameters, primes)
    words = []
    for prime in primes:
        end = split + packed_bytes(batch.samples * outputs, prime.bit_length())
        words.append(checked(unpack(body[split:end], batch.samples * outputs, prime.bit_length()), prime))
        split = end
    return LinearResult(signature.parameters, batch, c1, np.stack(words))
