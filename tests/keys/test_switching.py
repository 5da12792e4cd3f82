"""Switching keys: what travels, what is refused, and that no seed is used twice."""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hermetic import PublicKey, WireError
from hermetic.envelope import OVERHEAD_BYTES, PUBLIC_KEY, seal, split
from hermetic.errors import ParameterError
from hermetic.keys.secret import SecretKey
from hermetic.keys.switching import MAX_KEYS, size, uniform_halves
from hermetic.rlwe import modular
from hermetic.rlwe.levels import CONJUGATE, RELINEARISE
from hermetic.rlwe.parameters import FAST, NETWORK
from hermetic.rlwe.public_ring import PublicRing
from hermetic.rlwe.seeds import SEED_BYTES

SHAPE = ((RELINEARISE, 3), (CONJUGATE, 2), (64, 2))


@cache
def secret() -> SecretKey:
    return SecretKey(NETWORK)


@cache
def data() -> bytes:
    return secret().public_key_for(SHAPE).to_bytes()


def body_of(keys: bytes) -> bytes:
    """A public key with other bytes where switching keys are."""
    masking = PublicKey.size(NETWORK) - OVERHEAD_BYTES
    (envelope,) = split(data(), PUBLIC_KEY)
    start = len(envelope) - OVERHEAD_BYTES - size(NETWORK, SHAPE)
    assert start == masking
    body = bytes(envelope[OVERHEAD_BYTES - 32 : -32])
    return seal(PUBLIC_KEY, NETWORK.digest, body[:masking] + keys)


def test_what_travels_is_what_was_made() -> None:
    key = PublicKey.from_bytes(data())
    assert len(data()) == PublicKey.size(NETWORK, SHAPE)
    assert key.shape == SHAPE
    assert key.to_bytes() == data()
    assert key.id == secret().public_key_for(SHAPE).id == hashlib.sha256(data()).hexdigest()
    for own, read in zip(secret().public_key_for(SHAPE).switching, key.switching, strict=True):
        assert np.array_equal(own.b, read.b)


def test_a_relinearisation_key_holds_the_square_of_the_secret() -> None:
    """b + a·s is P·s^2 plus an error, in the row of each digit; 0 plus an error in the others."""
    key = secret().public_key_for(SHAPE)
    one, parameters = key.switching[0], NETWORK
    a = uniform_halves(parameters, key.seed, 0, one.level)
    rows, ring = secret().ring_key.rows(), PublicRing.of(parameters, parameters.levels)
    for digit in range(one.level):
        for row, prime in enumerate(parameters.data_primes):
            content = modular.multiply(a[digit, row], rows[row], prime) + one.b[digit, row]
            if digit == row:
                square = modular.multiply(rows[row], rows[row], prime)
                content = content - modular.multiply(square, parameters.special_prime % prime, prime)
            padded = np.zeros((1, parameters.levels, parameters.ring_degree), dtype=np.int64)
            padded[0, row] = np.mod(content, prime)
            error = ring.intt(padded)[0, row]
            assert np.minimum(error, prime - error).max() <= 21


def test_the_public_keys_of_one_secret_share_no_seed() -> None:
    seeds = {secret().public_key_for(shape).seed for shape in ((), SHAPE, SHAPE[:1])}
    assert len(seeds) == 3
    assert secret().public_key_for(SHAPE) is secret().public_key_for(SHAPE)


def test_a_key_file_keeps_every_public_key(tmp_path: Path) -> None:
    secret().public_key_for(SHAPE)
    secret().save(tmp_path / "one.key", "words")
    loaded = SecretKey.load(tmp_path / "one.key", "words")
    assert loaded.public_key.id == secret().public_key.id
    assert loaded.public_key_for(SHAPE).to_bytes() == data()


def test_other_parameters_have_no_switching_keys() -> None:
    with pytest.raises(ParameterError, match="parameters 'fast' must go without switching keys"):
        SecretKey(FAST).public_key_for(SHAPE)
    longer = SecretKey(FAST).public_key.to_bytes()
    body = longer[OVERHEAD_BYTES - 32 : -32] + struct.pack("<I", 0)
    with pytest.raises(WireError, match="the body of a public key must have"):
        PublicKey.from_bytes(seal(PUBLIC_KEY, FAST.digest, body))


def keys_of(count: int, *heads: tuple[int, int]) -> bytes:
    return struct.pack("<I", count) + b"".join(struct.pack("<iI", *head) for head in heads)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (keys_of(0), "at most 256 switching keys. Got 0"),
        (keys_of(MAX_KEYS + 1), "at most 256 switching keys. Got 257"),
        (b"\x01\x00", "at most 256 switching keys. Got 0"),
        (keys_of(1), "must be whole. They are cut off"),
        (keys_of(1, (-2, 3)), "Got -2 and 3"),
        (keys_of(1, (4096, 3)), "Got 4096 and 3"),
        (keys_of(1, (1, 0)), "Got 1 and 0"),
        (keys_of(1, (1, 4)), "Got 1 and 4"),
        (keys_of(1, (1, 3)), "polynomials must take"),
    ],
)
def test_keys_that_are_none_are_refused(keys: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words.replace(".", r"\.")):
        PublicKey.from_bytes(body_of(keys))


def test_a_word_beyond_its_prime_is_refused() -> None:
    whole = bytearray(split(data(), PUBLIC_KEY)[0][OVERHEAD_BYTES - 32 : -32])
    start = SEED_BYTES + PublicKey.size(NETWORK) - OVERHEAD_BYTES - SEED_BYTES + 12
    whole[start : start + 50] = b"\xff" * 50
    with pytest.raises(WireError, match="every word must be below its prime"):
        PublicKey.from_bytes(seal(PUBLIC_KEY, NETWORK.digest, bytes(whole)))


def test_bytes_after_the_last_key_are_refused() -> None:
    body = bytes(split(data(), PUBLIC_KEY)[0][OVERHEAD_BYTES - 32 : -32])
    with pytest.raises(WireError, match="3 switching keys must take"):
        PublicKey.from_bytes(seal(PUBLIC_KEY, NETWORK.digest, body + b"\x00"))
