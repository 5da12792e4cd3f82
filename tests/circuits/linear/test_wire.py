"""Envelopes: exact sizes, and no bytes that make reading do anything but refuse."""

import hashlib
import random
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fitted
from hermetic import Client, HermeticError, Layout, MismatchError, PublicKey, Query, Result, WireError
from hermetic.circuits.query import MAX_SAMPLES
from hermetic.envelope import OVERHEAD_BYTES
from hermetic.rlwe.bitpacking import pack, packed_bytes
from hermetic.rlwe.parameters import FAST, PRECISE
from hermetic.signature import Signature

MODEL = fitted.petals().model
SIGNATURE = MODEL.signature
CLIENT = Client(SIGNATURE)
QUERY = CLIENT.encrypt([1.4, 0.2])
RESULT = MODEL.evaluate(QUERY, CLIENT.public_key)

HEADER, BATCH, CHECKSUM = 32, 116, 32
SAMPLES = HEADER + 96
LAYOUT = SAMPLES + 4
VECTOR = LAYOUT + 12


@dataclass(frozen=True)
class Kind:
    """A kind of object: its number, the bytes of a good one, and how they are read."""

    number: int
    good: bytes
    read: Callable[[bytes], object]


KINDS = {
    "signature": Kind(1, SIGNATURE.to_bytes(), Signature.from_bytes),
    "public key": Kind(2, CLIENT.public_key.to_bytes(), PublicKey.from_bytes),
    "query": Kind(3, QUERY.to_bytes(), lambda data: Query.from_bytes(data, SIGNATURE)),
    "result": Kind(4, RESULT.to_bytes(), lambda data: Result.from_bytes(data, SIGNATURE)),
}
BATCHES = {name: KINDS[name] for name in ("query", "result")}

each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_batch = pytest.mark.parametrize("kind", BATCHES.values(), ids=BATCHES)


def resealed(data: bytes | bytearray) -> bytes:
    """The bytes with the length and the checksum that fit them: what an attacker sends."""
    out = bytearray(data)
    out[8:16] = struct.pack("<Q", len(out) - OVERHEAD_BYTES)
    out[-CHECKSUM:] = hashlib.sha256(out[:-CHECKSUM]).digest()
    return bytes(out)


def with_bytes(data: bytes, start: int, new: bytes) -> bytes:
    return resealed(data[:start] + new + data[start + len(new) :])


def refuse(kind: Kind, data: bytes, error: type[HermeticError] = WireError, match: str | None = None) -> None:
    with pytest.raises(error, match=match) as raised:
        kind.read(data)
    assert type(raised.value) is error


def is_read(kind: Kind, data: bytes) -> bool:
    """Whether the bytes are read. Anything fails the test but one of the two errors, or an object with these bytes."""
    try:
        one = kind.read(data)
    except HermeticError as error:
        assert type(error) in (WireError, MismatchError)
        return False
    assert one.to_bytes() == data
    return True


# Good bytes


@each_kind
def test_reading_and_writing_again_gives_the_same_bytes(kind: Kind) -> None:
    assert kind.read(kind.good).to_bytes() == kind.good


def test_what_is_read_is_what_was_written() -> None:
    key = PublicKey.from_bytes(CLIENT.public_key.to_bytes())
    assert (key.id, key.seed, key.parameters) == (CLIENT.public_key.id, CLIENT.public_key.seed, FAST)
    assert np.array_equal(key.b, CLIENT.public_key.b)
    query = Query.from_bytes(QUERY.to_bytes(), SIGNATURE)
    assert query.batch == QUERY.batch
    assert np.array_equal(query.c0, QUERY.c0)
    result = Result.from_bytes(RESULT.to_bytes(), SIGNATURE)
    assert result.batch == RESULT.batch
    assert np.array_equal(result.c1, RESULT.c1)
    assert np.array_equal(result.words, RESULT.words)
    assert Signature.from_bytes(SIGNATURE.to_bytes()) == SIGNATURE


@pytest.mark.parametrize("buffer", [bytearray, memoryview], ids=["bytearray", "memoryview"])
@each_kind
def test_any_buffer_of_bytes_is_read(kind: Kind, buffer: Callable[[bytes], bytes]) -> None:
    assert is_read(kind, buffer(kind.good))


@pytest.mark.parametrize("samples", [1, 2, 5, 150, 4097])
@pytest.mark.parametrize("make", [fitted.petals, fitted.digits, fitted.progression])
def test_announced_sizes_are_exact(make: Callable[[], fitted.Fitted], samples: int) -> None:
    if make is not fitted.petals and samples > 5:
        samples = 150
    one = make()
    X = np.resize(np.asarray(one.X), (samples, one.signature.features))
    client = Client(one.signature)
    query = client.encrypt(X)
    result = one.model.evaluate(query, client.public_key)
    layout = one.signature.layout_for(samples)
    assert len(query.to_bytes()) == Query.size(one.signature, layout, samples)
    assert len(result.to_bytes()) == Result.size(one.signature, layout, samples)
    assert len(client.public_key.to_bytes()) == PublicKey.size(one.signature.parameters)


def test_the_cost_counts_the_bytes_of_the_payload() -> None:
    cost = SIGNATURE.cost(1)
    layout = SIGNATURE.layout_for(1)
    assert Query.size(SIGNATURE, layout, 1) == OVERHEAD_BYTES + BATCH + cost.request_bytes
    assert Result.size(SIGNATURE, layout, 1) == OVERHEAD_BYTES + BATCH + cost.response_bytes


def test_a_fast_client_sends_what_the_documentation_says() -> None:
    assert PublicKey.size(FAST) == 64 + 32 + 4096 * (50 + 42 + 17) // 8 == 55_904
    assert len(KINDS["query"].good) == 64 + 116 + 4096 * (50 + 42) // 8 == 47_284
    assert len(KINDS["result"].good) == 64 + 116 + 4096 * 50 // 8 + 200 == 25_980


def test_encrypting_twice_gives_other_bytes() -> None:
    first, second = (CLIENT.encrypt([1.4, 0.2]) for _ in range(2))
    assert first.batch.query != second.batch.query
    assert (first.c0 == second.c0).sum() == 0


# The envelope, field by field


@pytest.mark.parametrize("size", range(0, OVERHEAD_BYTES, 7))
@each_kind
def test_less_than_an_envelope_is_refused(kind: Kind, size: int) -> None:
    refuse(kind, kind.good[:size], match=f"at least {OVERHEAD_BYTES} bytes. Got {size} instead")


@pytest.mark.parametrize(
    ("start", "new", "message"),
    [
        (0, b"SEAL", "must start with b'HRMT'. Got b'SEAL' instead"),
        (4, b"\x00", "version must be 1. Got 0 instead: update"),
        (4, b"\x02", "version must be 1. Got 2 instead: update"),
        (5, b"\x63", "must be given. Got a kind 99 instead"),
        (6, b"\x01", "reserved bytes must be zero"),
        (7, b"\x80", "reserved bytes must be zero"),
        (16, bytes(16), "parameter digest must be one of"),
    ],
)
@each_kind
def test_a_wrong_header_is_refused(kind: Kind, start: int, new: bytes, message: str) -> None:
    refuse(kind, with_bytes(kind.good, start, new), match=message)


@pytest.mark.parametrize("given", KINDS.values(), ids=KINDS)
@each_kind
def test_another_kind_is_refused(kind: Kind, given: Kind) -> None:
    if given is not kind:
        refuse(kind, given.good, match="must be given. Got a ")
        assert not is_read(kind, with_bytes(given.good, 5, bytes([kind.number])))


@each_kind
def test_a_wrong_checksum_is_refused(kind: Kind) -> None:
    for i in range(CHECKSUM):
        data = bytearray(kind.good)
        data[-1 - i] ^= 1
        refuse(kind, bytes(data), match="checksum must match")


@pytest.mark.parametrize(
    "kind", [k for k in KINDS.values() if k.number != 1], ids=[n for n in KINDS if n != "signature"]
)
def test_other_parameters_are_refused(kind: Kind) -> None:
    error = WireError if kind.number == 2 else MismatchError
    refuse(kind, with_bytes(kind.good, 16, PRECISE.digest), error)


def test_a_signature_for_other_parameters_than_its_header_is_refused() -> None:
    kind = KINDS["signature"]
    refuse(kind, with_bytes(kind.good, 16, PRECISE.digest), match="header and body must name the same parameters")


@each_batch
def test_another_models_object_is_a_mismatch(kind: Kind) -> None:
    refuse(kind, with_bytes(kind.good, HEADER, bytes(32)), MismatchError, match="fetch the current signature")


# Lengths that lie


LIES = [0, 1, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def peak_while_refusing(kind: Kind, data: bytes) -> int:
    """Bytes allocated at the worst moment."""
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            kind.read(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", LIES)
@each_kind
def test_a_wrong_length_is_refused_before_anything_is_allocated(kind: Kind, length: int) -> None:
    data = bytearray(kind.good)
    data[8:16] = struct.pack("<Q", length)
    data[-CHECKSUM:] = hashlib.sha256(data[:-CHECKSUM]).digest()
    refuse(kind, bytes(data), match=f"must have {length} bytes as its header says")
    assert peak_while_refusing(kind, bytes(data)) < 100_000


@pytest.mark.parametrize("samples", [8193, 1 << 20, MAX_SAMPLES, MAX_SAMPLES + 1, (1 << 32) - 1])
@pytest.mark.parametrize("layout", SIGNATURE.layouts, ids=str)
@each_batch
def test_samples_that_are_not_there_are_refused_before_anything_is_allocated(
    kind: Kind, layout: Layout, samples: int
) -> None:
    fields = struct.pack("<IIIIB", samples, layout.samples, layout.features, layout.outputs, 0)
    assert peak_while_refusing(kind, with_bytes(kind.good, SAMPLES, fields)) < 100_000


@pytest.mark.parametrize("extra", [-8, -1, 1, 8, 400, 25_600])
@each_kind
def test_a_body_of_another_size_is_refused(kind: Kind, extra: int) -> None:
    body, checksum = kind.good[:-CHECKSUM], bytes(CHECKSUM)
    refuse(kind, resealed((body + bytes(extra) if extra > 0 else body[:extra]) + checksum))


# The fixed part of queries and results


@pytest.mark.parametrize("samples", [0, MAX_SAMPLES + 1, (1 << 32) - 1])
@each_batch
def test_an_impossible_number_of_samples_is_refused(kind: Kind, samples: int) -> None:
    data = with_bytes(kind.good, VECTOR, b"\x00")
    refuse(
        kind, with_bytes(data, SAMPLES, struct.pack("<I", samples)), match=f"1 to {MAX_SAMPLES} samples. Got {samples}"
    )


@each_batch
def test_one_vector_is_one_sample(kind: Kind) -> None:
    refuse(kind, with_bytes(kind.good, SAMPLES, struct.pack("<I", 2)), match="a batch must have")


@pytest.mark.parametrize(
    "layout", [(0, 0, 0), (1, 2, 0), (3, 2, 3), (1, 4096, 1), (1, 2, 4), (1, 3, 3), (8192, 1, 1), ((1 << 32) - 1,) * 3]
)
@each_batch
def test_a_layout_that_is_not_offered_is_refused(kind: Kind, layout: tuple[int, int, int]) -> None:
    refuse(
        kind, with_bytes(kind.good, LAYOUT, struct.pack("<III", *layout)), match="layout of 1 samples must be one of"
    )


@pytest.mark.parametrize("offset", [1, 2, 3])
@each_batch
def test_reserved_bytes_of_a_batch_must_be_zero(kind: Kind, offset: int) -> None:
    refuse(kind, with_bytes(kind.good, VECTOR + offset, b"\x01"), match="reserved bytes must be zero")


@pytest.mark.parametrize("flag", [2, 3, 128, 255])
@each_batch
def test_the_vector_flag_is_zero_or_one(kind: Kind, flag: int) -> None:
    refuse(kind, with_bytes(kind.good, VECTOR, bytes([flag])), match="reserved bytes must be zero")


# Words


ROWS = {
    "public key": (HEADER + 32, FAST.key_primes),
    "query": (HEADER + BATCH, FAST.data_primes),
    "result": (HEADER + BATCH, FAST.kept_primes),
}


def rows_of(name: str) -> Iterator[tuple[int, int]]:
    """(start, prime) of every packed row of 4,096 words."""
    start, primes = ROWS[name]
    for prime in primes:
        yield start, prime
        start += packed_bytes(4096, prime.bit_length())


@pytest.mark.parametrize("name", ROWS)
def test_every_word_must_be_below_its_prime(name: str) -> None:
    for start, prime in rows_of(name):
        width = prime.bit_length()
        size = packed_bytes(4096, width)
        for position in (0, 1, 2047, 4095):
            for value, fits in ((prime - 1, True), (prime, False), ((1 << width) - 1, False)):
                row = np.zeros(4096, dtype=np.int64)
                row[position] = value
                data = with_bytes(KINDS[name].good, start, pack(row, width))
                assert len(pack(row, width)) == size
                assert is_read(KINDS[name], data) == fits


def test_every_target_word_must_be_below_its_prime() -> None:
    (prime,) = FAST.kept_primes
    start = HEADER + BATCH + packed_bytes(4096, 50)
    for value, fits in ((prime - 1, True), (prime, False)):
        data = with_bytes(KINDS["result"].good, start, pack(np.array([0, value, 0]), 50))
        assert is_read(KINDS["result"], data) == fits


def test_padding_must_be_zero() -> None:
    """Three target words of 50 bits take 200 bytes: 1,450 bits of them are padding."""
    start = HEADER + BATCH + packed_bytes(4096, 50)
    good = KINDS["result"].good
    for bit in range(3 * 50, 200 * 8, 29):
        byte = start + bit // 8
        refuse(KINDS["result"], with_bytes(good, byte, bytes([good[byte] | 1 << bit % 8])), match="padding bits")


# Fuzzing: 48,000 cases and those of Hypothesis


CASES = 2_000


def noise(dice: random.Random, kind: Kind) -> bytes:
    """Random bytes of any length."""
    return dice.randbytes(dice.choice((dice.randrange(200), dice.randrange(5_000))))


def random_body(dice: random.Random, kind: Kind) -> bytes:
    """A true envelope around random bytes."""
    return resealed(kind.good[:HEADER] + dice.randbytes(dice.randrange(3_000)) + bytes(CHECKSUM))


def truncated(dice: random.Random, kind: Kind) -> bytes:
    """The beginning; half of the cases as a true envelope."""
    end = dice.randrange(len(kind.good))
    if dice.random() < 0.5 or end < OVERHEAD_BYTES:
        return kind.good[:end]
    return resealed(kind.good[:end])


def extended(dice: random.Random, kind: Kind) -> bytes:
    """More bytes, after the end or in the middle; half of the cases as a true envelope."""
    at = dice.choice((len(kind.good), dice.randrange(len(kind.good))))
    data = kind.good[:at] + dice.randbytes(dice.randrange(1, 300)) + kind.good[at:]
    return data if dice.random() < 0.5 else resealed(data)


def flipped(dice: random.Random, kind: Kind) -> bytes:
    """One to eight flipped bits."""
    data = bytearray(kind.good)
    for _ in range(dice.randrange(1, 9)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


BREAKING = [noise, random_body, truncated, extended, flipped]


@pytest.mark.parametrize("break_it", BREAKING, ids=lambda one: one.__name__)
@each_kind
def test_broken_bytes_are_always_refused(kind: Kind, break_it: Callable[[random.Random, Kind], bytes]) -> None:
    dice = random.Random(f"{kind.number} {break_it.__name__}")
    for _ in range(CASES):
        data = break_it(dice, kind)
        assert data == kind.good or not is_read(kind, data)


@each_kind
def test_flipped_bits_under_a_right_checksum_are_refused_or_read_as_they_are(kind: Kind) -> None:
    """A flip in a word or a seed is another word or seed; reading must not take it for anything else."""
    dice = random.Random(f"{kind.number} resealed")
    outcomes = [is_read(kind, resealed(flipped(dice, kind))) for _ in range(CASES)]
    assert {True, False} == set(outcomes)


@each_batch
def test_every_bit_of_the_fixed_part_counts(kind: Kind) -> None:
    """Only the key's name and the query's seed may be anything; and one sample may be a vector or a row."""
    free = range(HEADER + 32, HEADER + 96)
    for bit in range(8 * (HEADER + BATCH)):
        data = bytearray(kind.good)
        data[bit // 8] ^= 1 << bit % 8
        length_is_rewritten = 8 <= bit // 8 < 16
        assert is_read(kind, resealed(data)) == (bit // 8 in free or bit == 8 * VECTOR or length_is_rewritten)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    fields=st.tuples(*(st.integers(0, (1 << bits) - 1) for bits in (8, 8, 16))),
    length=st.integers(0, (1 << 64) - 1),
    digest=st.sampled_from([FAST.digest, PRECISE.digest]) | st.binary(min_size=16, max_size=16),
    body=st.binary(max_size=300),
    fits=st.booleans(),
)
def test_any_envelope_is_refused(
    kind: str, fields: tuple[int, int, int], length: int, digest: bytes, body: bytes, fits: bool
) -> None:
    header = struct.pack("<4sBBHQ16s", b"HRMT", *fields, length, digest)
    data = header + body
    data += hashlib.sha256(data).digest()
    assert not is_read(KINDS[kind], resealed(data) if fits else data)
