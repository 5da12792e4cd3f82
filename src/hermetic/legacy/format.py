"""The bytes of encrypted-inference 0.9, checked wholly before SEAL sees one. No cryptography here.

It writes what SEAL 3.5 saves: objects in one another, each after a header of 16 bytes

    magic 5e a1 | 10 | version 3, 5 | compression | 2 reserved | size, 8 bytes little-endian

and the outermost one deflated. The package has one set of parameters, so every byte but the residues and the seeds is
known ahead, and nothing else is accepted:

    ciphertext    parameters (32) | 1 | 2, N, L | scale | header | words | residues of c0 (L, N) | seed of c1 (64)
    Galois keys   parameters (32) | N | for each of N places: 0, or 3 and as many ciphertexts over all primes
    public keys   Galois keys | relinearisation keys, which are not needed and not read

Two things are rewritten for SEAL 4.4: the compression byte, and the version to 3.4, because the package expands its
seeds as SEAL 3.4 did.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from ..errors import WireError

RING_DEGREE = 8192
SLOTS = RING_DEGREE // 2
PRIMES = (1152921504606748673, 1099510890497, 1099511480321, 1152921504606830593)
"""60, 40, 40 and 60 bits; the last is the special prime, which only keys have."""

SCALE = 2.0**40
ROTATIONS = tuple(1 << i for i in range(12))
"""The steps to the left that a client sends keys for."""

DATA_PARAMETERS = bytes.fromhex("0f8bbf7d4509a0123c2bc9d4f3d564630c448ed8cc41a8965894081870675512")
KEY_PARAMETERS = bytes.fromhex("e2a8dd3f1586dacfac02a4591f26b3ba536e0b1f60e28faef57f030eab08c5dd")
"""SEAL's hashes of the parameters, without and with the special prime."""

_HEADER = struct.Struct("<HBBBBHQ")
_MAGIC, _HEADER_BYTES = 0xA15E, 16
_MINOR = 4
_START = struct.pack("<HBBB", _MAGIC, _HEADER_BYTES, 3, 5)
_SEED_BYTES = 64
_DIGITS = 3
_GENERATOR = 3
_PLACES = sorted((pow(_GENERATOR, step, 2 * RING_DEGREE) - 1) // 2 for step in ROTATIONS)
"""Where the keys stand in their list: a rotation by ``step`` is the substitution X -> X^(3^step)."""

_CORRECTION_AT, _CORRECTION_BYTES = 32 + 1 + 24 + 8, 8


def _header(size: int, minor: int, compression: int = 0) -> bytes:
    return _HEADER.pack(_MAGIC, _HEADER_BYTES, 3, minor, compression, 0, size)


def _ciphertext_start(parameters: bytes, primes: int, scale: float, minor: int) -> bytes:
    """Everything before the residues of a seeded ciphertext, its own header left out."""
    words = primes * RING_DEGREE
    fixed = parameters + struct.pack("<BQQQd", 1, 2, RING_DEGREE, primes, scale)
    return fixed + _header(_HEADER_BYTES + 8 + 8 * words, minor) + struct.pack("<Q", words)


_START_BYTES = len(_ciphertext_start(DATA_PARAMETERS, 1, SCALE, 5))
_CIPHERTEXT_BYTES = _START_BYTES + 8 * RING_DEGREE * 3 + _SEED_BYTES
_KEY_BYTES = _START_BYTES + 8 * RING_DEGREE * 4 + _SEED_BYTES
_GALOIS_BYTES = 32 + 8 + 8 * RING_DEGREE + len(ROTATIONS) * _DIGITS * (_HEADER_BYTES + _KEY_BYTES)
_RELINEARISATION_BYTES = 32 + 8 + 8 + _DIGITS * (_HEADER_BYTES + _KEY_BYTES)


def _deflated(size: int) -> int:
    """The most bytes that ``size`` bytes take deflated, with the header."""
    return _HEADER_BYTES + size + size // 1000 + 64


MAX_CIPHERTEXT_BYTES = _deflated(_CIPHERTEXT_BYTES)
MAX_KEY_BYTES = _deflated(_GALOIS_BYTES) + _deflated(_RELINEARISATION_BYTES)


def is_legacy(data: bytes | memoryview) -> bool:
    """Whether bytes begin as those of encrypted-inference 0.9 do."""
    return bytes(data[: len(_START)]) == _START


def ciphertexts_for(features: int) -> int:
    """How many ciphertexts ``features`` inputs take."""
    return -(-features // SLOTS)


def max_ciphertext_bytes(features: int) -> int:
    """The most bytes that the ciphertexts of ``features`` inputs take together."""
    return ciphertexts_for(features) * MAX_CIPHERTEXT_BYTES


def read_strings(strings: Sequence[object], features: int) -> list[bytes]:
    """The ciphertexts of a request for ``features`` inputs, from base64; not looked into yet.

    Raises
    ------
    WireError
        If they are not base64 strings, too long, or not as many as the inputs take.
    """
    count = ciphertexts_for(features)
    if len(strings) != count:
        raise WireError(f"{features} inputs must take {count} ciphertexts. Got {len(strings)} instead.")
    return [_from_base64(string) for string in strings]


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str | bytes) or len(text) > 4 * -(-MAX_CIPHERTEXT_BYTES // 3):
        raise WireError(f"a ciphertext must be a base64 string of at most {MAX_CIPHERTEXT_BYTES} bytes. It is not.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("a ciphertext must be a base64 string. It is not.") from None


def read_ciphertext(data: bytes) -> bytes:
    """A ciphertext as SEAL 4.4 loads it.

    Raises
    ------
    WireError
        For anything but a seeded ciphertext with the parameters and the scale of encrypted-inference 0.9.
    """
    raw, rest = _inflate(data, _CIPHERTEXT_BYTES, "a ciphertext")
    if rest:
        raise WireError("a ciphertext must end where its header says. It does not.")
    start = _check_ciphertext(raw, 0, DATA_PARAMETERS, PRIMES[:-1], SCALE)
    return _header(_HEADER_BYTES + len(raw), _MINOR) + start + raw[len(start) :]


def read_galois_keys(data: bytes) -> bytes:
    """The Galois keys of a client's public keys, as SEAL 4.4 loads them.

    Raises
    ------
    WireError
        For anything but the twelve rotation keys of encrypted-inference 0.9.
    """
    if len(data) > MAX_KEY_BYTES:
        raise WireError(f"public keys must have at most {MAX_KEY_BYTES} bytes. Got {len(data)} instead.")
    raw, _ = _inflate(data, _GALOIS_BYTES, "public keys")
    return _header(_HEADER_BYTES + len(raw), _MINOR) + _rewrite_keys(raw)


def _rewrite_keys(raw: bytes) -> bytes:
    """Check every byte of the list of keys that is known ahead, and set the versions."""
    out = bytearray(raw)
    _expect(raw, 0, KEY_PARAMETERS + struct.pack("<Q", RING_DEGREE))
    offset, place = 40, 0
    for filled in _PLACES:
        skipped = struct.pack("<Q", 0) * (filled - place) + struct.pack("<Q", _DIGITS)
        offset = _expect(raw, offset, skipped)
        for _ in range(_DIGITS):
            size = _HEADER_BYTES + _KEY_BYTES
            _expect(raw, offset, _header(size, 5))
            start = _header(size, _MINOR) + _check_ciphertext(raw, offset + _HEADER_BYTES, KEY_PARAMETERS, PRIMES, 1.0)
            out[offset : offset + len(start)] = start
            offset += size
        place = filled + 1
    _expect(raw, offset, bytes(8 * (RING_DEGREE - place)))
    return bytes(out)


def _check_ciphertext(raw: bytes, at: int, parameters: bytes, primes: tuple[int, ...], scale: float) -> bytes:
    """Check a seeded ciphertext; gives what to write before its residues for SEAL 4.4."""
    offset = _expect(raw, at, _ciphertext_start(parameters, len(primes), scale, 5))
    words = np.frombuffer(raw, dtype="<u8", offset=offset, count=len(primes) * RING_DEGREE)
    if (words.reshape(len(primes), RING_DEGREE) >= np.array(primes, dtype=np.uint64)[:, None]).any():
        raise WireError("every residue must be below its prime. One is not.")
    return _ciphertext_start(parameters, len(primes), scale, _MINOR)


def _expect(raw: bytes, at: int, expected: bytes) -> int:
    """Raise :class:`WireError` if other bytes stand at an offset; gives the offset behind them."""
    if raw[at : at + len(expected)] != expected:
        raise WireError("the parameters must be those of encrypted-inference 0.9. They are others.")
    return at + len(expected)


def _inflate(data: bytes, size: int, what: str) -> tuple[bytes, bytes]:
    """The body of an object that must have ``size`` bytes, and what comes after the object."""
    if len(data) < _HEADER_BYTES or not is_legacy(data):
        raise WireError(f"{what} must be in the format of encrypted-inference 0.9. The bytes are not.")
    _, _, _, _, compression, reserved, total = _HEADER.unpack_from(data)
    if compression != 1 or reserved or not _HEADER_BYTES < total <= min(len(data), _deflated(size)):
        raise WireError(f"the header of {what} must state its size, and that it is deflated. It does not.")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data[_HEADER_BYTES:total], size + 1)
    except zlib.error:
        raise WireError(f"{what} must be deflated. The bytes do not inflate.") from None
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise WireError(f"{what} must have {size} bytes when inflated, and nothing behind them.")
    return raw, data[total:]


def write_answer(saved: bytes) -> str:
    """A ciphertext that SEAL 4.4 saved without compression, as a client of encrypted-inference 0.9 reads it: base64,
    with the versions of 3.5, and without the correction factor that SEAL 4 added.
    """
    body = saved[_HEADER_BYTES:]
    inner = body[_CORRECTION_AT + _CORRECTION_BYTES :]
    out = body[:_CORRECTION_AT] + _header(len(inner), 5) + inner[_HEADER_BYTES:]
    return base64.b64encode(_header(_HEADER_BYTES + len(out), 5) + out).decode()
