"""Hermetic's own envelopes: what crosses the trust boundary. Byte by byte in ``docs/wire-format.md``.

Every object is ``header | body | checksum``. Lengths are checked before anything is allocated, the checksum before
anything is unpacked, and every word against its prime before SEAL sees a byte. Reading raises
:class:`~hermetic.errors.WireError` or, for a valid object of the wrong model or parameters,
:class:`~hermetic.errors.MismatchError`; never anything else.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .arguments import check_kind
from .bitpacking import pack, packed_bytes, unpack
from .errors import MismatchError, ParameterError, WireError
from .modular import Residues
from .packing import Layout
from .parameters import Parameters, parameters_for
from .seeds import SEED_BYTES
from .signature import Signature

MAGIC = b"HRMT"
VERSION = 1
SIGNATURE, PUBLIC_KEY, QUERY, RESULT = 1, 2, 3, 4
_KIND_NAMES = {SIGNATURE: "signature", PUBLIC_KEY: "public key", QUERY: "query", RESULT: "result"}

_HEADER = struct.Struct("<4sBBHQ16s")
_BATCH = struct.Struct("<32s32s32sIIIIB3x")
_CHECKSUM_BYTES = 32
OVERHEAD_BYTES = _HEADER.size + _CHECKSUM_BYTES
MAX_SIGNATURE_BYTES = 256 << 20
MAX_SAMPLES = 1 << 24


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A client's public key (b, a): for fresh encryptions of zero, nothing else. Leaks nothing about the secret key.

    ``b`` is residues (K, N) in evaluation form, over every prime of the key modulus; ``a`` is only ever a seed.
    """

    parameters: Parameters
    seed: bytes
    b: Residues

    @cached_property
    def id(self) -> str:
        """64 hexadecimal digits: the SHA-256 of the key's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The envelope (about 56 kB for ``fast``)."""
        body = self.seed + _pack_rows(self.b[None], self.parameters.key_primes)
        return _seal_envelope(PUBLIC_KEY, self.parameters.digest, body)

    @staticmethod
    def size(parameters: Parameters) -> int:
        """Exact bytes of a public key's envelope."""
        return OVERHEAD_BYTES + SEED_BYTES + _packed_rows_bytes(1, parameters, parameters.key_primes)

    @staticmethod
    def from_bytes(data: bytes) -> PublicKey:
        """Read a public key.

        Raises
        ------
        WireError
            For anything but the envelope of a public key.
        """
        parameters, body = _open_envelope(data, PUBLIC_KEY)
        expected = PublicKey.size(parameters) - OVERHEAD_BYTES
        if len(body) != expected:
            raise WireError(f"the body of a public key must have {expected} bytes. Got {len(body)} instead.")
        rows = _unpack_rows(body[SEED_BYTES:], 1, parameters, parameters.key_primes)
        return PublicKey(parameters, bytes(body[:SEED_BYTES]), rows[0])

    def __repr__(self) -> str:
        return f"PublicKey(id={self.id[:16]}…, {self.parameters.profile})"


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

    def pack(self) -> bytes:
        one = self.layout
        return _BATCH.pack(
            self.signature, self.key, self.query, self.samples, one.samples, one.features, one.outputs, self.vector
        )

    @staticmethod
    def unpack(body: memoryview, signature: Signature) -> Batch:
        """Read the fixed part of a query or result, and hold it against the signature."""
        if len(body) < _BATCH.size:
            raise WireError(f"the body must have at least {_BATCH.size} bytes. Got {len(body)} instead.")
        digest, key, query, samples, b, f, r, vector = _BATCH.unpack_from(body)
        if digest != signature.digest:
            raise MismatchError(
                f"the object must belong to model {signature.name!r} (signature {signature.digest.hex()[:16]}…). "
                f"It was made for signature {digest.hex()[:16]}… instead: fetch the current signature."
            )
        if bytes(body[_BATCH.size - 3 : _BATCH.size]) != bytes(3) or vector > 1:
            raise WireError("reserved bytes must be zero. Some are set.")
        if not 1 <= samples <= MAX_SAMPLES or (vector and samples != 1):
            raise WireError(f"a batch must have 1 to {MAX_SAMPLES} samples. Got {samples} instead.")
        layouts = {(one.samples, one.features, one.outputs): one for one in signature.layouts_for(samples)}
        if (b, f, r) not in layouts:
            raise WireError(
                f"the layout of {samples} samples must be one of {sorted(layouts)}. Got {(b, f, r)} instead."
            )
        return Batch(digest, key, query, samples, layouts[b, f, r], bool(vector))


@dataclass(frozen=True, eq=False)
class Query:
    """An encrypted batch: the c0 of every ciphertext, (chunks·m, L, N) in evaluation form; their c1 are a seed.

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
        body = self.batch.pack() + _pack_rows(self.c0, self.parameters.data_primes)
        return _seal_envelope(QUERY, self.parameters.digest, body)

    @staticmethod
    def size(signature: Signature, layout: Layout, samples: int) -> int:
        """Exact bytes of a query of ``samples`` samples in a layout."""
        count = layout.chunks(samples) * layout.query_polynomials(signature.features)
        rows = _packed_rows_bytes(count, signature.parameters, signature.parameters.data_primes)
        return OVERHEAD_BYTES + _BATCH.size + rows

    @staticmethod
    def from_bytes(data: bytes, signature: Signature) -> Query:
        """Read a query for the model of this signature.

        Raises
        ------
        WireError
            For anything but the envelope of a query in a layout of the signature.
        MismatchError
            For a query made for another signature or other parameters.
        """
        body = _open_for(data, QUERY, signature)
        batch = Batch.unpack(body, signature)
        count = batch.layout.chunks(batch.samples) * batch.layout.query_polynomials(signature.features)
        primes = signature.parameters.data_primes
        rows = _unpack_rows(body[_BATCH.size :], count, signature.parameters, primes)
        return Query(signature.parameters, batch, rows)

    def __repr__(self) -> str:
        return f"Query(samples={self.samples}, ciphertexts={len(self.c0)}, key_id={self.key_id[:16]}…)"


@dataclass(frozen=True, eq=False)
class Result:
    """An encrypted answer: per chunk and group of outputs one c1, and the target words of c0; all modulo q'.

    ``c1`` is (chunks·G, l, N) in coefficient form, ``words`` is (l, samples·integer outputs), in the order chunk,
    output, sample. Nothing else of c0 is released.
    """

    parameters: Parameters
    batch: Batch
    c1: Residues
    words: Residues

    @property
    def samples(self) -> int:
        """The number of answered samples."""
        return self.batch.samples

    def to_bytes(self) -> bytes:
        """The envelope."""
        primes = self.parameters.kept_primes
        words = b"".join(pack(row, p.bit_length()) for row, p in zip(self.words, primes, strict=True))
        body = self.batch.pack() + _pack_rows(self.c1, primes) + words
        return _seal_envelope(RESULT, self.parameters.digest, body)

    @staticmethod
    def size(signature: Signature, layout: Layout, samples: int) -> int:
        """Exact bytes of the answer to ``samples`` samples in a layout."""
        primes = signature.parameters.kept_primes
        count = layout.chunks(samples) * layout.result_polynomials(signature.integer_outputs)
        words = sum(packed_bytes(samples * signature.integer_outputs, p.bit_length()) for p in primes)
        return OVERHEAD_BYTES + _BATCH.size + _packed_rows_bytes(count, signature.parameters, primes) + words

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
        body = _open_for(data, RESULT, signature)
        batch = Batch.unpack(body, signature)
        primes = signature.parameters.kept_primes
        expected = Result.size(signature, batch.layout, batch.samples) - OVERHEAD_BYTES
        if len(body) != expected:
            raise WireError(f"the body of this result must have {expected} bytes. Got {len(body)} instead.")
        count = batch.layout.chunks(batch.samples) * batch.layout.result_polynomials(signature.integer_outputs)
        split = _BATCH.size + _packed_rows_bytes(count, signature.parameters, primes)
        c1 = _unpack_rows(body[_BATCH.size : split], count, signature.parameters, primes)
        words = []
        for prime in primes:
            end = split + packed_bytes(batch.samples * signature.integer_outputs, prime.bit_length())
            words.append(
                _checked(unpack(body[split:end], batch.samples * signature.integer_outputs, prime.bit_length()), prime)
            )
            split = end
        return Result(signature.parameters, batch, c1, np.stack(words))

    def __repr__(self) -> str:
        return f"Result(samples={self.samples}, ciphertexts={len(self.c1)})"


def signature_to_bytes(signature: Signature) -> bytes:
    """A signature's envelope."""
    check_kind(signature, Signature, "signature")
    return _seal_envelope(SIGNATURE, signature.parameters.digest, signature.json)


def signature_from_bytes(data: bytes) -> Signature:
    """Read a signature.

    Raises
    ------
    WireError
        For anything but the envelope of a valid signature.
    """
    if len(_view(data, SIGNATURE)) > MAX_SIGNATURE_BYTES:
        raise WireError(f"a signature must have at most {MAX_SIGNATURE_BYTES} bytes. Got {len(data)} instead.")
    parameters, body = _open_envelope(data, SIGNATURE)
    signature = Signature.from_json(bytes(body))
    if signature.parameters != parameters:
        raise WireError("the signature's header and body must name the same parameters.")
    return signature


def _seal_envelope(kind: int, digest: bytes, body: bytes) -> bytes:
    envelope = _HEADER.pack(MAGIC, VERSION, kind, 0, len(body), digest) + body
    return envelope + hashlib.sha256(envelope).digest()


def _open_envelope(data: bytes, kind: int) -> tuple[Parameters, memoryview]:
    view = _view(data, kind)
    if len(view) < OVERHEAD_BYTES:
        raise WireError(f"an envelope must have at least {OVERHEAD_BYTES} bytes. Got {len(view)} instead.")
    magic, version, found, reserved, length, digest = _HEADER.unpack_from(view)
    if magic != MAGIC:
        raise WireError(f"an envelope must start with {MAGIC!r}. Got {magic!r} instead.")
    if version != VERSION:
        raise WireError(f"the wire format's version must be {VERSION}. Got {version} instead: update Hermetic.")
    if found != kind:
        name = _KIND_NAMES.get(found, f"kind {found}")
        raise WireError(f"a {_KIND_NAMES[kind]} must be given. Got a {name} instead.")
    if reserved:
        raise WireError("reserved bytes must be zero. Some are set.")
    if length != len(view) - OVERHEAD_BYTES:
        raise WireError(f"the body must have {length} bytes as its header says. Got {len(view) - OVERHEAD_BYTES}.")
    if hashlib.sha256(view[:-_CHECKSUM_BYTES]).digest() != view[-_CHECKSUM_BYTES:]:
        raise WireError("the checksum must match. It does not: the bytes were damaged on the way.")
    try:
        parameters = parameters_for(digest)
    except ParameterError as error:
        raise WireError(str(error)) from None
    return parameters, view[_HEADER.size : -_CHECKSUM_BYTES]


def _view(data: bytes, kind: int) -> memoryview:
    try:
        return memoryview(data)
    except TypeError:
        what = f"a {_KIND_NAMES[kind]} must be read from bytes. Got {type(data).__name__} instead: "
        raise WireError(f"{what}read a file with Path(...).read_bytes().") from None


def _open_for(data: bytes, kind: int, signature: Signature) -> memoryview:
    check_kind(signature, Signature, "signature")
    parameters, body = _open_envelope(data, kind)
    if parameters != signature.parameters:
        raise MismatchError(
            f"the {_KIND_NAMES[kind]} must use the parameters {signature.parameters.profile!r}. "
            f"Got {parameters.profile!r} instead."
        )
    return body


def _packed_rows_bytes(count: int, parameters: Parameters, primes: Sequence[int]) -> int:
    return count * sum(packed_bytes(parameters.ring_degree, prime.bit_length()) for prime in primes)


def _pack_rows(polynomials: Residues, primes: Sequence[int]) -> bytes:
    """(n, L, N) -> bytes: prime by prime, each with the rows of all n polynomials."""
    return b"".join(pack(polynomials[:, i], prime.bit_length()) for i, prime in enumerate(primes))


def _unpack_rows(data: memoryview, count: int, parameters: Parameters, primes: Sequence[int]) -> Residues:
    expected = _packed_rows_bytes(count, parameters, primes)
    if len(data) != expected:
        raise WireError(f"{count} polynomials must take {expected} bytes. Got {len(data)} instead.")
    n = parameters.ring_degree
    out = np.empty((count, len(primes), n), dtype=np.int64)
    start = 0
    for i, prime in enumerate(primes):
        end = start + count * packed_bytes(n, prime.bit_length())
        out[:, i] = _checked(unpack(data[start:end], count * n, prime.bit_length()), prime).reshape(count, n)
        start = end
    return out


def _checked(words: Residues, prime: int) -> Residues:
    if words.max(initial=0) >= prime:
        raise WireError(f"every word must be below its prime {prime}. One is not.")
    return words
