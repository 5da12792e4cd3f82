"""What every client sends: the encrypted values of a batch. Byte by byte in ``docs/wire-format.md``.

Lengths are checked before anything is allocated, and every word against its prime before SEAL sees a byte. Reading
raises as :mod:`hermetic.envelope` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..arguments import check_kind
from ..arrays import Residues
from ..envelope import KIND_NAMES, QUERY, open_envelope, peek, seal
from ..errors import MismatchError, WireError
from ..rlwe.parameters import Parameters
from ..rlwe.polynomials import pack_rows, unpack_rows
from ..signature import Signature
from .header import BATCH
from .packing import Layout

MAX_SAMPLES = 1 << 24


@dataclass(frozen=True)
class Batch:
    """What a query and its result say about themselves in the clear.

    ``signature`` and ``key`` are digests (32 bytes), ``query`` the seed of the query's ciphertexts (32 bytes),
    ``vector`` whether the input was one sample of shape (d,).
    """

    signature: bytes
    key: bytes
    query: bytes
    samples: int
    layout: Layout
    vector: bool

    @property
    def places(self) -> int:
        """How many samples a client could have asked for, whatever it declares: those of its chunks in full."""
        return self.layout.chunks(self.samples) * self.layout.samples

    def pack(self) -> bytes:
        layout = self.layout
        return BATCH.pack(
            self.signature,
            self.key,
            self.query,
            self.samples,
            layout.samples,
            layout.features,
            layout.outputs,
            self.vector,
        )

    @staticmethod
    def unpack(body: memoryview, signature: Signature) -> Batch:
        """Read the fixed part of a query or result, and hold it against the signature."""
        if len(body) < BATCH.size:
            raise WireError(f"the body must have at least {BATCH.size} bytes. Got {len(body)} instead.")
        digest, key, query, samples, b, f, r, vector = BATCH.unpack_from(body)
        if digest != signature.digest:
            raise MismatchError(
                f"the object must belong to model {signature.name!r} (signature {signature.digest.hex()[:16]}…). "
                f"It was made for signature {digest.hex()[:16]}… instead: fetch the current signature."
            )
        if bytes(body[BATCH.size - 3 : BATCH.size]) != bytes(3) or vector > 1:
            raise WireError("reserved bytes must be zero. Some are set.")
        if not 1 <= samples <= MAX_SAMPLES or (vector and samples != 1):
            raise WireError(f"a batch must have 1 to {MAX_SAMPLES} samples. Got {samples} instead.")
        layouts = {
            (layout.samples, layout.features, layout.outputs): layout
            for layout in signature.circuit.layouts_for(samples)
        }
        if (b, f, r) not in layouts:
            raise WireError(
                f"the layout of {samples} samples must be one of {sorted(layouts)}. Got {(b, f, r)} instead."
            )
        return Batch(digest, key, query, samples, layouts[b, f, r], bool(vector))


@dataclass(frozen=True, eq=False)
class Query:
    """An encrypted batch: the c0 of every ciphertext, (chunks·m, L, N) in evaluation form, modulo the primes of
    queries; their c1 are a seed.

    Leaks to the server: the number of samples, the layout, the model's signature and which public key answers it.
    """

    parameters: Parameters
    batch: Batch
    c0: Residues

    @property
    def samples(self) -> int:
        """The number of encrypted samples."""
        return self.batch.samples

    @property
    def key_id(self) -> str:
        """The id of the public key that the answer will be masked with."""
        return self.batch.key.hex()

    def to_bytes(self) -> bytes:
        """The envelope; encrypting the same input again gives different bytes."""
        body = self.batch.pack() + pack_rows(self.c0, self.parameters.query_primes)
        return seal(QUERY, self.parameters.digest, body)

    @staticmethod
    def size(signature: Signature, layout: Layout, samples: int) -> int:
        """Exact bytes of a query of ``samples`` samples in a layout."""
        return signature.circuit.query_bytes(samples, layout)

    @staticmethod
    def peek(data: bytes | bytearray | memoryview, signature: Signature) -> Batch:
        """What a query says in the clear, from its start alone. Its checksum and its words are not looked at.

        Raises
        ------
        WireError, MismatchError
            As :meth:`from_bytes`.
        """
        return Batch.unpack(peek(data, QUERY)[1], signature)

    @staticmethod
    def from_bytes(data: bytes | memoryview, signature: Signature) -> Query:
        """Read a query for the model of this signature.

        Raises
        ------
        WireError
            For anything but the envelope of a query in a layout of the signature.
        MismatchError
            For a query made for another signature or other parameters.
        """
        body = open_for(data, QUERY, signature)
        batch = Batch.unpack(body, signature)
        count = batch.layout.chunks(batch.samples) * batch.layout.query_polynomials(signature.circuit.values)
        primes = signature.parameters.query_primes
        rows = unpack_rows(body[BATCH.size :], count, signature.parameters, primes)
        return Query(signature.parameters, batch, rows)

    def __repr__(self) -> str:
        return f"Query(samples={self.samples}, ciphertexts={len(self.c0)}, key_id={self.key_id[:16]}…)"


def open_for(data: bytes | memoryview, kind: int, signature: Signature) -> memoryview:
    """The body of a query or result, whose parameters are held against the signature's."""
    check_kind(signature, Signature, "signature")
    parameters, body = open_envelope(data, kind)
    if parameters != signature.parameters:
        raise MismatchError(
            f"the {KIND_NAMES[kind]} must use the parameters {signature.parameters.profile!r}. "
            f"Got {parameters.profile!r} instead."
        )
    return body
