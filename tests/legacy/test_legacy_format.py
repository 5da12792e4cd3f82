"""Bytes that claim to be of encrypted-inference 0.9: what is not exactly right is refused before SEAL sees a byte."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest
import seal
from hypothesis import given, settings
from hypothesis import strategies as st
from legacy_client import LegacyClient

from hermetic.errors import WireError
from hermetic.legacy import format as wire
from hermetic.legacy.ckks import LegacyWeights, RotationKeys, _engine

HEADER = struct.Struct("<HBBBBHQ")


def deflated(raw: bytes, *, compression: int = 1, minor: int = 5, size: int | None = None) -> bytes:
    body = zlib.compress(raw, 1) if compression else raw
    return HEADER.pack(0xA15E, 16, 3, minor, compression, 0, 16 + len(body) if size is None else size) + body


@pytest.fixture(scope="module")
def ciphertext(old: LegacyClient) -> bytes:
    return base64.b64decode(old.encrypt([1.0, 2.0])[0])


@pytest.fixture(scope="module")
def raw(ciphertext: bytes) -> bytes:
    return zlib.decompress(ciphertext[16:])


@pytest.fixture(scope="module")
def keys(old: LegacyClient) -> RotationKeys:
    return RotationKeys(old.keys)


@pytest.fixture(scope="module")
def raw_keys(old: LegacyClient) -> bytes:
    return zlib.decompressobj().decompress(old.keys[16:], 9_508_844)


def test_the_constants_are_seals_own() -> None:
    context = _engine().context
    data, key = context.first_context_data(), context.key_context_data()
    for found, expected in ((data.parms_id(), wire.DATA_PARAMETERS), (key.parms_id(), wire.KEY_PARAMETERS)):
        assert struct.pack("<4Q", *found) == expected
    assert tuple(p.value() for p in seal.CoeffModulus.Create(8192, [60, 40, 40, 60])) == wire.PRIMES


def test_real_bytes_are_read_and_stay_within_the_stated_sizes(old: LegacyClient, ciphertext: bytes) -> None:
    assert wire.is_legacy(ciphertext) and wire.is_legacy(old.keys)
    assert len(ciphertext) <= wire.MAX_CIPHERTEXT_BYTES and len(old.keys) <= wire.MAX_KEY_BYTES
    assert not wire.read_ciphertext(ciphertext)[16:].count(b"\x5e\xa1\x10\x03\x05")
    assert not wire.read_galois_keys(old.keys)[16:].count(b"\x5e\xa1\x10\x03\x05\x00\x00\x00")


def test_every_byte_that_is_known_ahead_is_checked(raw: bytes) -> None:
    start = wire._START_BYTES
    for at in range(start):
        damaged = bytearray(raw)
        damaged[at] ^= 1
        with pytest.raises(WireError, match="parameters must be those"):
            wire.read_ciphertext(deflated(bytes(damaged)))


@pytest.mark.parametrize("prime", [0, 1, 2])
def test_residues_must_be_below_their_primes(raw: bytes, prime: int) -> None:
    at = wire._START_BYTES + 8 * (8192 * prime + 4000)
    for value, fits in ((wire.PRIMES[prime] - 1, True), (wire.PRIMES[prime], False), ((1 << 64) - 1, False)):
        changed = deflated(raw[:at] + struct.pack("<Q", value) + raw[at + 8 :])
        if fits:
            wire.read_ciphertext(changed)
        else:
            with pytest.raises(WireError, match="below its prime"):
                wire.read_ciphertext(changed)


def test_headers_must_be_those_of_deflated_objects(ciphertext: bytes, raw: bytes) -> None:
    for data, words in [
        (b"", "format of"),
        (ciphertext[:15], "format of"),
        (ciphertext[:-1], "state its size"),
        (ciphertext + b"x", "end where its header says"),
        (deflated(raw, compression=0), "state its size"),
        (deflated(raw, compression=2), "state its size"),
        (deflated(raw, minor=4), "format of"),
        (deflated(raw, size=1 << 63), "state its size"),
        (deflated(raw, size=16), "state its size"),
        (deflated(raw[:-1]), "196761 bytes"),
        (deflated(raw + b"x"), "196761 bytes"),
        (deflated(b""), "196761 bytes"),
        (ciphertext[:16] + bytes(len(ciphertext) - 16), "do not inflate"),
    ]:
        with pytest.raises(WireError, match=words):
            wire.read_ciphertext(data)


def test_a_bomb_is_inflated_no_further_than_an_object_is_large() -> None:
    bomb = deflated(bytes(100 << 20))
    assert len(bomb) < wire.MAX_CIPHERTEXT_BYTES * 4
    with pytest.raises(WireError, match="must have"):
        wire.read_galois_keys(bomb)


def test_lists_of_keys_must_be_the_twelve_rotations(raw_keys: bytes) -> None:
    filled = 40 + 8 * 1  # place 1 has the key of a rotation by one
    for at in (0, 32, 40, filled, filled + 8, filled + 24, filled + 8 + 105 - 1, 9_508_844 - 1, 9_508_844 - 8 * 100):
        damaged = bytearray(raw_keys)
        damaged[at] ^= 1
        with pytest.raises(WireError, match="parameters must be those"):
            wire.read_galois_keys(deflated(bytes(damaged)))


def test_residues_of_keys_must_be_below_their_primes(raw_keys: bytes) -> None:
    at = 40 + 8 * 2 + wire._HEADER_BYTES + wire._START_BYTES + 8 * 8192
    changed = raw_keys[:at] + struct.pack("<Q", wire.PRIMES[1]) + raw_keys[at + 8 :]
    with pytest.raises(WireError, match="below its prime"):
        wire.read_galois_keys(deflated(changed))


@settings(max_examples=100)
@given(st.binary(max_size=400), st.booleans(), st.data())
def test_any_bytes_are_refused_with_one_error(junk: bytes, packed: bool, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from([b"", b"\x5e\xa1\x10\x03\x05", b"\x5e\xa1\x10\x03\x05\x01\x00\x00"]))
    body = deflated(junk) if packed else start + junk
    for read in (wire.read_ciphertext, wire.read_galois_keys):
        with pytest.raises(WireError):
            read(body)


@settings(max_examples=60)
@given(st.data())
def test_changed_ciphertexts_are_refused_or_computed_with(keys: RotationKeys, raw: bytes, data: st.DataObject) -> None:
    """Residues and seeds are the client's own affair; whatever they are, SEAL computes or there is one error."""
    valid = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(valid) - 1))
        valid[at] = data.draw(st.integers(0, 255))
    try:
        answer = LegacyWeights(np.ones((1, 2)), np.ones(1)).evaluate([deflated(bytes(valid))], keys)
    except WireError:
        return
    assert len(answer) == 1


def test_ciphertexts_that_hide_nothing_are_computed_with(keys: RotationKeys, raw: bytes) -> None:
    start = wire._START_BYTES
    for tail in (bytes(len(raw) - start), raw[start:-64] + bytes(64)):
        assert len(LegacyWeights(np.ones((1, 2)), np.ones(1)).evaluate([deflated(raw[:start] + tail)], keys)) == 1
