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
_SIGNATURE_BYTES = 32
OVERHEAD_BYTES = _HEADER.size + _CHECKSUM_BYTES
PEEK_BYTES = _HEADER.size + _SIGNATURE_BYTES
"""What :func:`peek` needs to say which model an object belongs to."""


def seal(kind: int, digest: bytes, body: bytes) -> bytes:
    """The envelope of an object of a kind; ``digest`` is that of its parameters."""
    envelope = _HEADER.pack(MAGIC, VERSION, kind, 0, len(body), digest) + body
    return envelope + hashlib.sha256(envelope).digest()


def peek(data: bytes | bytearray | memoryview, kind: int) -> tuple[bytes, memoryview]:
    """The digest of the signature that a query or result names, and its body as far as it came.

    Only the header is checked: what is read here may be damaged or forged.

    Raises
    ------
    WireError
        For fewer than :data:`PEEK_BYTES` bytes, another kind of object, or one of a later version.
    """
    view = view_of(data, kind)
    if len(view) < PEEK_BYTES:
        raise WireError(f"a {KIND_NAMES[kind]} must have at least {PEEK_BYTES} bytes. Got {len(view)} instead.")
    _read_header(view, kind)
    body = view[_HEADER.size :]
    return bytes(body[:_SIGNATURE_BYTES]), body


def split(data: bytes, kind: int) -> list[memoryview]:
    """The envelopes of objects of a kind that follow one another. Raises :class:`WireError` if the last is cut off."""
    view, found = view_of(data, kind), []
    while view:
        if len(view) < _HEADER.size:
            raise WireError(f"an envelope must have at least {OVERHEAD_BYTES} bytes. Got {len(view)} instead.")
        end = OVERHEAD_BYTES + _read_header(view, kind)[0]
        if end > len(view):
            raise WireError(f"a {KIND_NAMES[kind]} must have {end} bytes as its header says. Got {len(view)} instead.")
        found.append(view[:end])
        view = view[end:]
    return found


def view_of(data: bytes | bytearray | memoryview, kind: int) -> memoryview:
    """Raises :class:`WireError` for anything but bytes."""
    try:
        return memoryview(data)
    except TypeError:
        what = f"a {KIND_NAMES[kind]} must be read from bytes. Got {type(data).__name__} instead: "
        raise WireError(f"{what}read a file with Path(...).read_bytes().") from None


def open_envelope(data: bytes | memoryview, kind: int) -> tuple[Parameters, memoryview]:
    """The parameters and the body of an object of a kind.

    Raises
    ------
    WireError
        For anything but a whole envelope of that kind.
    """
    view = view_of(data, kind)
    if len(view) < OVERHEAD_BYTES:
        raise WireError(f"an envelope must have at least {OVERHEAD_BYTES} bytes. Got {len(view)} instead.")
    length, digest = _read_header(view, kind)
    if length != len(view) - OVERHEAD_BYTES:
        raise WireError(f"the body must have {length} bytes as its header says. Got {len(view) - OVERHEAD_BYTES}.")
    if hashlib.sha256(view[:-_CHECKSUM_BYTES]).digest() != view[-_CHECKSUM_BYTES:]:
        raise WireError("the checksum must match. It does not: the bytes were damaged on the way.")
    try:
        parameters = parameters_for(digest)
    except ParameterError as error:
        raise WireError(str(error)) from None
    return parameters, view[_HEADER.size : -_CHECKSUM_BYTES]


def _read_header(view: memoryview, kind: int) -> tuple[int, bytes]:
    """The length of the body and the digest of the parameters."""
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
    return length, digest
