"""What a tree circuit answers. Byte by byte in ``docs/wire-format.md``.

Lengths are checked before anything is allocated. Reading raises as :mod:`hermetic.envelope` says.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ...arrays import Integers
from ...envelope import OVERHEAD_BYTES, RESULT, seal
from ...errors import WireError
from ...rlwe.bitpacking import pack, packed_bytes, unpack
from ...signature import Signature
from ..header import BATCH
from ..query import Batch, open_for
from ..result import Result
from .public import Section, TreeCircuit

SEAL_DOMAIN = b"hermetic trees seal 1"


@dataclass(frozen=True, eq=False)
class SectionAnswer:
    """One section of the answer to one sample: ``c1`` (G, N) and ``words`` (T,), rounded to the section's precision."""

    c1: Integers
    words: Integers

    def pack(self, section: Section) -> bytes:
        precision = section.precision
        return pack(self.c1, precision.c1_bits) + pack(self.words, precision.word_bits)

    @staticmethod
    def unpack(data: memoryview, section: Section, ring_degree: int) -> SectionAnswer:
        precision, shape = section.precision, (section.polynomials, ring_degree)
        split = packed_bytes(shape[0] * shape[1], precision.c1_bits)
        c1 = unpack(data[:split], shape[0] * shape[1], precision.c1_bits).reshape(shape)
        return SectionAnswer(c1, unpack(data[split:], len(section.places), precision.word_bits))


@dataclass(frozen=True, eq=False)
class TreeResult(Result):
    """An encrypted answer: for each sample its sections, of which all but the first are sealed."""

    circuit: TreeCircuit
    answers: tuple[tuple[SectionAnswer, ...], ...]

    def to_bytes(self) -> bytes:
        """The envelope."""
        sections = self.circuit.sections
        parts = [
            answer.pack(section) for sample in self.answers for answer, section in zip(sample, sections, strict=True)
        ]
        return seal(RESULT, self.parameters.digest, self.batch.pack() + b"".join(parts))

    def __repr__(self) -> str:
        count = sum(section.polynomials for section in self.circuit.sections)
        return f"Result(samples={self.samples}, ciphertexts={self.samples * count})"


def read_result(data: bytes, signature: Signature) -> TreeResult:
    """Read an answer of the model of this signature.

    Raises
    ------
    WireError
        For anything but the envelope of a result of the signature.
    MismatchError
        For a result of another signature or other parameters.
    """
    body = open_for(data, RESULT, signature)
    batch, circuit = Batch.unpack(body, signature), signature.circuit_of(TreeCircuit)
    expected = circuit.result_bytes(batch.samples) - OVERHEAD_BYTES
    if len(body) != expected:
        raise WireError(f"the body of this result must have {expected} bytes. Got {len(body)} instead.")
    start, n, answers = BATCH.size, signature.parameters.ring_degree, []
    for _ in range(batch.samples):
        sample = []
        for section in circuit.sections:
            end = start + section.bytes(n)
            sample.append(SectionAnswer.unpack(body[start:end], section, n))
            start = end
        answers.append(tuple(sample))
    return TreeResult(signature.parameters, batch, circuit, tuple(answers))


def keystream(limbs: Integers, query: bytes, number: int, words: int) -> Integers:
    """The stream (words,) of 32-bit integers that sealed words of the sample of this number in a query are added to.

    Its key is the hash of all limbs that the tests open; see ``docs/wire-format.md``.
    """
    text = SEAL_DOMAIN + query + struct.pack("<I", number) + np.asarray(limbs, dtype="<u2").tobytes()
    key = hashlib.sha256(text).digest()
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(4 * words))
    return np.frombuffer(stream, dtype="<u4").astype(np.int64)


def sealed(sample: Sequence[SectionAnswer], circuit: TreeCircuit, stream: Integers) -> tuple[SectionAnswer, ...]:
    """A sample's sections with the words of all but the first under a stream, or without it: the same step twice."""
    tests, *others = sample
    out, start = [tests], 0
    for answer, section in zip(others, circuit.sections[1:], strict=True):
        mask = (1 << section.precision.word_bits) - 1
        part = stream[start : start + len(answer.words)] & mask
        out.append(SectionAnswer(answer.c1, answer.words ^ part))
        start += len(answer.words)
    return tuple(out)
