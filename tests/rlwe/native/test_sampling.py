"""Small integers and residues from bytes: known answers, and exact distributions."""

import math
from collections import Counter

import numpy as np
import pytest
from arrays import LARGEST
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hermetic.rlwe import native
from hermetic.rlwe.randomness import Stream


def uniform(stream: bytes, bits: int) -> list[float]:
    out = np.empty(len(stream) // 4)
    native.small_uniform(np.frombuffer(stream, dtype=np.uint8), bits, out)
    return out.tolist()


def binomial(stream: bytes) -> list[float]:
    out = np.empty(len(stream) // 6)
    native.centred_binomial(np.frombuffer(stream, dtype=np.uint8), out)
    return out.tolist()


def test_known_answers() -> None:
    assert uniform(bytes(4) + b"\xff" * 4 + b"\0\0\0\x80", 26) == [-(2**25), 2**25 - 1, 0]
    assert uniform(b"\0\0\0\x80" + bytes(4), 1) == [0, -1]
    assert binomial(bytes(6)) == binomial(b"\xff" * 6) == [0]
    assert binomial((2**21 - 1).to_bytes(6, "little") + ((2**21 - 1) << 21).to_bytes(6, "little")) == [21, -21]
    assert binomial((0b111 | 1 << 21 | 1 << 47).to_bytes(6, "little")) == [2], "the last six bits do not count"


@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_every_small_integer_comes_from_as_many_words(bits: int) -> None:
    """All patterns of the 16 high bits, the others fixed: exact counts."""
    words = np.arange(2**16, dtype=np.uint32) << 16
    counts = Counter(uniform(words.tobytes(), bits))
    assert counts == dict.fromkeys(range(-(2 ** (bits - 1)), 2 ** (bits - 1)), 2 ** (16 - bits))


def test_every_bit_counts_once_with_its_sign() -> None:
    """One bit set at a time, and each pair: values are sums over bits, so the distribution is the binomial one."""
    signs = [1] * 21 + [-1] * 21 + [0] * 6
    assert binomial(b"".join((1 << i).to_bytes(6, "little") for i in range(48))) == signs
    pairs = [(i, j) for i in range(48) for j in range(i)]
    found = binomial(b"".join((1 << i | 1 << j).to_bytes(6, "little") for i, j in pairs))
    assert found == [signs[i] + signs[j] for i, j in pairs]


def test_errors_are_centred_binomial() -> None:
    """A chi-square test of 200,000 fresh errors against the exact probabilities; p > 1e-6 to pass."""
    count = 200_000
    out = np.empty(count)
    native.centred_binomial(Stream().take(6 * count), out)
    values = np.arange(-12, 13)
    expected = [math.comb(42, 21 + int(v)) / 2**42 * count for v in values]
    tail = (count - sum(expected)) / 2
    found = [(out < -12).sum(), *((out == v).sum() for v in values), (out > 12).sum()]
    assert stats.chisquare(found, [tail, *expected, tail]).pvalue > 1e-6


def test_masks_are_uniform() -> None:
    """A chi-square test of 100,000 fresh coefficients over 256 bins of their range, and over their low 8 bits."""
    count = 100_000
    out = np.empty(count)
    native.small_uniform(Stream().take(4 * count), 26, out)
    whole = out.astype(np.int64) + 2**25
    for bins in (whole >> 18, whole & 255):
        assert stats.chisquare(np.bincount(bins, minlength=256)).pvalue > 1e-6


@given(
    words=st.lists(st.integers(0, 2**64 - 1), max_size=30),
    room=st.integers(0, 40),
    prime=st.sampled_from([65537, *LARGEST]),
)
def test_words_that_are_not_below_the_prime_are_skipped(words: list[int], room: int, prime: int) -> None:
    out = np.full(room, -1, dtype=np.int64)
    stream = np.array(words, dtype="<u8").view(np.uint8)
    taken = native.accept(stream, prime, out)
    cut = [word & (2 ** prime.bit_length() - 1) for word in words]
    expected = [word for word in cut if word < prime][:room]
    assert out[:taken].tolist() == expected


def test_streams_differ_and_go_on() -> None:
    first, second = Stream(), Stream()
    parts = [first.take(count).tobytes() for count in (5, 0, 40, 1000)]
    assert [len(part) for part in parts] == [5, 0, 40, 1000]
    assert len({part[:5] for part in (*parts, second.take(1000).tobytes()) if part}) == 4


def test_a_stream_is_aes_in_counter_mode_of_the_systems_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block of a zero key and counter: FIPS 197's cipher, from NIST's AESAVS (KAT, key of zeros)."""
    monkeypatch.setattr("hermetic.rlwe.randomness.os.urandom", bytes)
    assert Stream().take(16).tobytes().hex() == "dc95c078a2408989ad48a21492842087"
