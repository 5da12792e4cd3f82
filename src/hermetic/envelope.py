"""Hermetic's own envelopes: what crosses the trust boundary. Byte by byte in ``docs/wire-format.md``.

Every object is ``header | body | checksum``. Lengths are checked before anything is allocated, the checksum before
anything is unpacked, and every word against its prime before SEAL sees a byte. Reading raises
:class:`~hermetic.errors.WireError` or, for a valid object of the wrong model or parameters,
:class:`~hermetic.errors.MismatchError`; never anything else.
"""

from __future__ import annotations

import hashlib
import struct

from .errors import ParameterError, WireError
from .rlwe.parameters import Parameters, parameters_for

MAGIC = b"HRMT"
VERSION = 1
SIGNATURE, PUBLIC_KEY, QUERY, RESULT = 1, 2, 3, 4
KIND_NAMES = {SIGNATURE: "signature", PUBLIC_KEY: "public key", QUERY: "query", RESULT: "result"}

_HEADER = struct.Struct("<4sBBHQ16s")
_CHECKSUM_BYTES = 32
OVERHEAD_BYTES = _HEADER.size + _CHECKSUM_BYTES


def seal(kind: int, digest: bytes, body: bytes) -> bytes:
    envelope = _HEADER.pack(MAGIC, VERSION, kind, 0, len(body), digest) + body
    return envelope + hashlib.sha256(envelope).digest()


def open_envelope(data: bytes | memoryview, kind: int) -> tuple[Parameters, memoryview]:
    view = memoryview(data)
    if len(view) < OVERHEAD_BYTES:
        raise WireError(f"an envelope must have at least {OVERHEAD_BYTES} bytes. Got {len(view)} instead.")
    magic, version, found, reserved, length, digest = _HEADER.unpack_from(view)
    if magic != MAGIC:
        raise WireError(f"an envelope must start with {MAGIC!r}. Got {magic!r} instead.")
    if version != VERSION:
        raise WireError(f"the wire format's version must be {VERSION}. Got {version} instead: update Hermetic.")
    if found != kind:
        name = KIND_NAMES.get(found, f"kind {found}")
        raise WireError(f"a {KIND_NAMES[kind]} must be given. Got a {name} instead.")
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
