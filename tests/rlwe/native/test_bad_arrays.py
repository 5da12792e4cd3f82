"""Arrays that do not fit are refused in words, before anything reads or writes them."""

from collections.abc import Callable

import numpy as np
import pytest

from hermetic.rlwe import native
from hermetic.rlwe.parameters import FAST

N, L = 64, 2
PRIMES = (1125899906826241, 4398046486529)
RING = native.Ring(N, PRIMES, 1)


def lanes(*shape: int) -> np.ndarray:
    return np.zeros(shape)


def words(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.int64)


def stream(count: int) -> np.ndarray:
    return np.zeros(count, dtype=np.uint8)


def unaligned(*shape: int) -> np.ndarray:
    return np.zeros(8 * int(np.prod(shape)) + 1, dtype=np.uint8)[1:].view(np.float64).reshape(shape)


def read_only(*shape: int) -> np.ndarray:
    out = lanes(*shape)
    out.flags.writeable = False
    return out


SHARED, WIDE = words(1, L, N), lanes(1, 2, L, N)
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "too few axes": (lambda: RING.forward(lanes(L, N)), "must have shape"),
    "more rows than primes": (lambda: RING.forward(lanes(1, 3, N)), "l <= 2"),
    "no power of two": (lambda: RING.forward(lanes(1, L, 48)), "a power of two"),
    "more than the degree": (lambda: RING.forward(lanes(1, L, 2 * N)), "a power of two <= 64"),
    "nothing": (lambda: RING.forward(lanes(1, L, 0)), "a power of two"),
    "less than the degree": (lambda: RING.inverse(lanes(1, L, N // 2)), "float64 of shape"),
    "another type": (lambda: RING.forward(lanes(1, L, N).astype(np.float32)), "float64 .* Got another type"),
    "integers for lanes": (lambda: RING.inverse(words(1, L, N)), "float64 .* Got another type"),
    "unsigned words": (lambda: RING.lift(words(1, L, N).view(np.uint64), lanes(1, L, N)), "int64 .* Got another type"),
    "Fortran order": (lambda: RING.forward(np.asfortranarray(lanes(3, L, N))), "in C order"),
    "every second word": (lambda: RING.forward(lanes(1, L, 2 * N)[..., ::2]), "in C order"),
    "backwards": (lambda: RING.forward(lanes(1, L, N)[..., ::-1]), "in C order"),
    "an odd address": (lambda: RING.forward(unaligned(1, L, N)), "aligned"),
    "another length out": (lambda: RING.lift(words(1, L, N), lanes(2, L, N)), "lanes must be float64 of shape"),
    "a word that is its prime": (lambda: RING.lift(words(1, L, N) + PRIMES[1], lanes(1, L, N)), "below its prime"),
    "a negative word": (lambda: RING.lift(words(1, L, N) - 1, lanes(1, L, N)), "at least 0"),
    "the least word": (lambda: RING.lift(words(1, L, N) + np.iinfo(np.int64).min, lanes(1, L, N)), "at least 0"),
    "the largest word": (
        lambda: RING.lift_pairs(words(1, L, N), words(1, L, N) + (2**63 - 1), lanes(1, 2, L, N)),
        "below its prime",
    ),
    "halves of two sizes": (lambda: RING.lift_pairs(words(1, L, N), words(2, L, N), lanes(1, 2, L, N)), "c1 must be"),
    "no ciphertext": (
        lambda: RING.products(lanes(0, 2, L, N), lanes(1, 0, L, N), lanes(1, 2, L, N), False),
        "at least one",
    ),
    "blocks that differ": (
        lambda: RING.products(lanes(3, 2, L, N), lanes(1, 2, L, N), lanes(1, 2, L, N), False),
        "weights must be float64",
    ),
    "groups that differ": (
        lambda: RING.products(lanes(1, 2, L, N), lanes(3, 1, L, N), lanes(2, 2, L, N), False),
        "answer must be float64",
    ),
    "points that are odd": (
        lambda: RING.products(lanes(1, 2, L, N), lanes(1, 1, L, 3), lanes(1, 2, L, N), False),
        "points must be a power of two",
    ),
    "a ring too small": (
        lambda: native.Ring(32, PRIMES, 1).products(lanes(1, 2, L, 32), lanes(1, 1, L, 32), lanes(1, 2, L, 32), False),
        "degree 64 or more",
    ),
    "sparse weights past their end": (
        lambda: RING.sparse_products(lanes(1, 2, L, N), np.array([0, 2]), words(1), words(1), lanes(1, 2, L, N)),
        "starts must rise from 0 to the number of places",
    ),
    "sparse weights before their start": (
        lambda: RING.sparse_products(lanes(1, 2, L, N), np.array([-1, 1]), words(1), words(1), lanes(1, 2, L, N)),
        "starts must rise",
    ),
    "starts that fall": (
        lambda: RING.sparse_products(lanes(2, 2, L, N), np.array([0, 2, 1]), words(1), words(1), lanes(1, 2, L, N)),
        "starts must rise",
    ),
    "a sparse weight outside its polynomial": (
        lambda: RING.sparse_products(lanes(1, 2, L, N), np.array([0, 1]), words(1) + N, words(1), lanes(1, 2, L, N)),
        "inside a polynomial",
    ),
    "sparse weights of no ciphertext": (
        lambda: RING.sparse_products(lanes(0, 2, L, N), words(1), words(0), words(0), lanes(1, 2, L, N)),
        "at least one",
    ),
    "masks of no bits": (
        lambda: RING.mask(lanes(1, 2, L, N), lanes(2, L, N), stream(4 * N), 0),
        "bits must be 1 to 30",
    ),
    "masks of 31 bits": (
        lambda: RING.mask(lanes(1, 2, L, N), lanes(2, L, N), stream(4 * N), 31),
        "bits must be 1 to 30",
    ),
    "a short stream": (lambda: RING.mask(lanes(2, 2, L, N), lanes(2, L, N), stream(4 * N), 26), "stream must be uint8"),
    "a stream of words": (
        lambda: RING.mask(lanes(1, 2, L, N), lanes(2, L, N), words(4 * N), 26),
        "stream must be uint8",
    ),
    "short errors": (lambda: RING.rescale(lanes(1, 2, L, N), stream(5 * N), words(1, 1, N)), "errors must be uint8"),
    "rows that are dropped": (
        lambda: RING.rescale(lanes(1, 2, L, N), stream(6 * N), words(1, 2, N)),
        "out must be int64",
    ),
    "a place outside": (
        lambda: RING.target_words(lanes(1, 2, L, N), words(1) + N, words(1, L), stream(6), stream(16), 9, words(1, 1)),
        "inside the answer",
    ),
    "a negative place": (
        lambda: RING.target_words(lanes(1, 2, L, N), words(1) - 1, words(1, L), stream(6), stream(16), 9, words(1, 1)),
        "inside the answer",
    ),
    "an offset that is its prime": (
        lambda: RING.target_words(
            lanes(1, 2, L, N), words(1), words(1, L) + PRIMES[1], stream(6), stream(16), 9, words(1, 1)
        ),
        "below its prime",
    ),
    "flooding of 129 bits": (
        lambda: RING.target_words(lanes(1, 2, L, N), words(1), words(1, L), stream(6), stream(16), 129, words(1, 1)),
        "flood_bits must be 1 to 128",
    ),
    "words of 58 bits": (lambda: native.pack(words(64), 58, words(58)), "1 to 57 bits"),
    "words of no bits": (lambda: native.unpack(stream(0), 0, words(0)), "1 to 57 bits"),
    "a word that is too wide": (lambda: native.pack(words(64) + 8, 3, words(3)), "at most 3 bits"),
    "a negative word to pack": (lambda: native.pack(words(64) - 1, 57, words(57)), "at most 57 bits"),
    "too little room": (lambda: native.pack(words(64), 50, words(49)), "out must be int64"),
    "too few bytes": (lambda: native.unpack(stream(399), 50, words(64)), "data must be uint8"),
    "half a word": (lambda: native.accept(stream(12), 65537, words(2)), "shape"),
    "a prime of 63 bits": (lambda: native.accept(stream(8), 2**62 + 1, words(2)), "the prime must be"),
    "short bytes": (lambda: native.centred_binomial(stream(11), lanes(2)), "stream must be uint8"),
    "a table": (lambda: native.small_uniform(stream(8), 26, lanes(2, 1)), "shape"),
    "more words than there is memory": (
        lambda: native.unpack(stream(0), 50, np.lib.stride_tricks.as_strided(words(1), (1 << 59,), (8,))),
        "data must be uint8",
    ),
    "words in place of lanes": (lambda: RING.lift(SHARED, SHARED.view(np.float64)), "must not share memory"),
    "products over what they are made of": (
        lambda: RING.products(WIDE, lanes(1, 1, L, N), WIDE, False),
        "must not share memory",
    ),
    "no prime": (lambda: native.Ring(N, (), 1), "1 to 8 primes"),
    "nine primes": (lambda: native.Ring(N, tuple(range(9)), 1), "1 to 8 primes"),
    "a prime of 51 bits": (lambda: native.Ring(N, (2**50 + 4 * N + 1,), 1), "below 2\\^50"),
    "a prime that does not split": (lambda: native.Ring(N, (65539,), 1), "1 modulo 128"),
    "a number that is no prime": (lambda: native.Ring(N, (3 * 2**27 + 1,), 1), "prime|root"),
    "a prime twice": (lambda: native.Ring(N, (65537, 65537), 1), "must be distinct"),
    "a degree of 48": (lambda: native.Ring(48, (65537,), 1), "a power of two"),
    "a degree of 65536": (lambda: native.Ring(65536, (65537,), 1), "to 32768"),
    "nothing kept": (lambda: native.Ring(N, (65537,), 0), "keep must be"),
    "more kept than there are": (lambda: native.Ring(N, (65537,), 2), "keep must be"),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "wrong", [None, [1.0], "lanes", 3.0, memoryview(b"12345678")], ids=lambda it: type(it).__name__
)
def test_what_is_no_array_is_refused(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        RING.forward(wrong)


def test_what_must_not_be_written_is_refused() -> None:
    with pytest.raises((TypeError, ValueError, BufferError)):
        RING.forward(read_only(1, L, N))


def test_words_that_come_from_outside_are_checked_by_their_reader() -> None:
    """The largest word is what `unpack` gives, so that a reader holds it against its prime before a ring sees it."""
    data = np.frombuffer((2**50 - 1).to_bytes(8, "little"), dtype=np.uint8)
    assert native.unpack(data, 50, words(1)) == 2**50 - 1 > FAST.data_primes[0]
