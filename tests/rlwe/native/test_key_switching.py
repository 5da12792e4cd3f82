"""Key switching, products of ciphertexts and division by primes equal what Python's integers give, word for word."""

import numpy as np
import pytest
from arrays import lanes_of, numpy_seeds, random_words, words_of
from hypothesis import given
from hypothesis import strategies as st

from hermetic.rlwe import native

# The largest primes below 2^50 for degree 32768: the most of them that a level may have, the special one last.
PRIMES = (
    *(1125899904679937, 1125899903991809, 1125899903827969, 1125899903795201),
    *(1125899903500289, 1125899903107073, 1125899902124033, 1125899901665281),
)
SPECIAL = PRIMES[-1]

levels = st.integers(1, len(PRIMES) - 1)
degrees = st.sampled_from([64, 256])
threads = st.integers(0, 12)
kinds = st.sampled_from(["uniform", "extreme", "middle", "zero"])


def moduli(primes: tuple[int, ...]) -> np.ndarray:
    return np.array(primes, dtype=object)[:, None]


def with_special(level: int) -> tuple[int, ...]:
    return (*PRIMES[:level], SPECIAL)


def coefficients(words: np.ndarray, primes: tuple[int, ...]) -> np.ndarray:
    """Of polynomials (m, l, N) in evaluation form, by the transform that has tests of its own."""
    lanes = lanes_of(words, primes)
    native.Ring(words.shape[-1], primes, 1).inverse(lanes)
    return words_of(lanes, primes)


def evaluated(words: np.ndarray, primes: tuple[int, ...]) -> np.ndarray:
    lanes = lanes_of(words, primes)
    native.Ring(words.shape[-1], primes, 1).forward(lanes)
    return words_of(lanes, primes)


def centred(words: np.ndarray, prime: int) -> np.ndarray:
    return np.where(words > prime // 2, words - prime, words)


@given(level=levels, degree=degrees, kind=kinds, threads=threads, seed=numpy_seeds)
def test_digits_are_balanced_residues_modulo_every_prime(
    level: int, degree: int, kind: str, threads: int, seed: int
) -> None:
    primes = PRIMES[:level]
    words = random_words(seed, primes, (1, degree), kind)
    digits = np.full((level, level + 1, degree), np.nan)
    native.Level(degree, primes, SPECIAL).decompose(lanes_of(words, primes)[0], digits, threads)
    rows = coefficients(words, primes)[0]
    for d in range(level):
        balanced = centred(rows[d], primes[d])
        carried = np.stack([np.mod(balanced, prime) for prime in with_special(level)])[None]
        found = np.mod(digits[d].astype(object), moduli(with_special(level)))
        assert np.array_equal(found.astype(np.int64), evaluated(carried, with_special(level))[0])
    assert (np.abs(digits) <= 6.3 * np.array(with_special(level))[:, None]).all()


@given(
    level=levels,
    degree=degrees,
    kind=kinds,
    key_kind=kinds,
    permuted=st.booleans(),
    added=st.sampled_from(["nothing", "a polynomial", "an extended one"]),
    threads=threads,
    seed=numpy_seeds,
)
def test_switching_is_a_sum_of_digits_times_keys(
    level: int, degree: int, kind: str, key_kind: str, permuted: bool, added: str, threads: int, seed: int
) -> None:
    """Also for digits as large as a transform leaves them, which no reduction follows. A polynomial is added times the
    special prime, an extended one as it is.
    """
    primes, random = with_special(level), np.random.default_rng(seed)
    shape = (level, level + 1, degree)
    wide = random.choice([-6.0, 0.0, 5.0], shape) * np.array(primes, dtype=np.float64)[:, None]
    digits = lanes_of(random_words(seed, primes, (level, degree), kind), primes) + wide
    key = random_words(seed + 1, primes, (level, 2, degree), key_kind)
    own = primes if added == "an extended one" else primes[:-1]
    addend = random_words(seed + 2, own, (degree,), kind)
    order = random.permutation(degree).astype(np.int32) if permuted else None
    out = np.full((2, level + 1, degree), np.nan)
    given_addend = None if added == "nothing" else lanes_of(addend, own)
    ring = native.Level(degree, primes[:-1], SPECIAL)
    ring.switch_key(digits, lanes_of(key, primes), order, given_addend, out, threads)
    expected = np.einsum("djn,dcjn->cjn", digits.astype(np.int64).astype(object), key.astype(object))
    if added != "nothing":
        expected[0, : len(own)] += addend.astype(object) * (1 if own == primes else SPECIAL)
    expected = (expected % moduli(primes)).astype(np.int64)
    assert np.array_equal(words_of(out, primes), expected if order is None else expected[..., order])


@given(
    level=levels,
    degree=degrees,
    kind=kinds,
    extended=st.booleans(),
    permuted=st.booleans(),
    added=st.booleans(),
    kept=st.booleans(),
    threads=threads,
    seed=numpy_seeds,
)
def test_switching_a_polynomial_is_switching_its_digits(
    level: int, degree: int, kind: str, extended: bool, permuted: bool, added: bool, kept: bool, threads: int, seed: int
) -> None:
    """An extended one is divided by the special prime first; a rest is added."""
    primes, random = with_special(level), np.random.default_rng(seed)
    own = primes if extended else primes[:-1]
    polynomial = lanes_of(random_words(seed, own, (1, degree), kind), own)
    key = lanes_of(random_words(seed + 1, primes, (level, 2, degree)), primes)
    order = random.permutation(degree).astype(np.int32) if permuted else None
    addend = lanes_of(random_words(seed + 2, own, (degree,)), own) if added else None
    ring = native.Level(degree, primes[:-1], SPECIAL)
    found, expected = (np.full((2, level + 1, degree), np.nan) for _ in range(2))
    rest = lanes_of(random_words(seed + 3, primes, (2, degree), kind), primes) if kept else None
    ring.switch_polynomial(polynomial[0], key, order, addend, rest, found, threads)
    if extended:
        ring.shrink(polynomial, divided := np.full((1, level, degree), np.nan))
        polynomial = divided
    ring.decompose(polynomial[0], digits := np.full((level, level + 1, degree), np.nan))
    ring.switch_key(digits, key, order, addend, expected)
    if rest is not None:
        ring.add(expected, rest)
    assert np.array_equal(found, expected)


@given(level=levels, degree=degrees, kind=kinds, special=st.booleans(), threads=threads, seed=numpy_seeds)
def test_a_prime_is_divided_away_with_rounding_to_nearest(
    level: int, degree: int, kind: str, special: bool, threads: int, seed: int
) -> None:
    """By the special prime, or by the last one of data where another is left."""
    chain = with_special(level) if special or level == 1 else PRIMES[:level]
    words = random_words(seed, chain, (2, degree), kind)
    out = np.full((2, len(chain) - 1, degree), np.nan)
    ring = native.Level(degree, PRIMES[:level], SPECIAL)
    (ring.shrink if chain[-1] == SPECIAL else ring.rescale)(lanes_of(words, chain), out, threads)
    rows = coefficients(words, chain).astype(object)
    last = centred(rows[:, -1], chain[-1])
    inverses = moduli(tuple(pow(chain[-1], -1, prime) for prime in chain[:-1]))
    expected = (rows[:, :-1] - last[:, None]) * inverses % moduli(chain[:-1])
    assert np.array_equal(words_of(out, chain[:-1]), evaluated(expected.astype(np.int64), chain[:-1]))


@given(level=levels, degree=degrees, kind=kinds, other=kinds, seed=numpy_seeds)
def test_products_and_sums_of_ciphertexts(level: int, degree: int, kind: str, other: str, seed: int) -> None:
    primes = PRIMES[:level]
    a, b = (random_words(seed + i, primes, (2, degree), one) for i, one in enumerate((kind, other)))
    ring, out = native.Level(degree, primes, SPECIAL), np.full((3, level, degree), np.nan)
    ring.multiply(lanes_of(a, primes), lanes_of(b, primes), out)
    x, y = a.astype(object), b.astype(object)
    expected = np.stack([x[0] * y[0], x[0] * y[1] + x[1] * y[0], x[1] * y[1]]) % moduli(primes)
    assert np.array_equal(words_of(out, primes), expected.astype(np.int64))
    total = lanes_of(a, primes)
    ring.add(total, lanes_of(b, primes))
    assert np.array_equal(words_of(total, primes), ((x + y) % moduli(primes)).astype(np.int64))


@given(
    level=levels,
    degree=degrees,
    blocks=st.integers(1, 12),
    kind=kinds,
    add=st.booleans(),
    threads=threads,
    seed=numpy_seeds,
)
def test_dot_products_of_extended_ciphertexts(
    level: int, degree: int, blocks: int, kind: str, add: bool, threads: int, seed: int
) -> None:
    """They may be added to what is there."""
    primes = with_special(level)
    x = random_words(seed, primes, (blocks, 2, degree), kind)
    w = random_words(seed + 1, primes, (blocks, degree), kind)
    before = random_words(seed + 2, primes, (2, degree), kind)
    out = lanes_of(before, primes) if add else np.full((2, level + 1, degree), np.nan)
    native.Level(degree, primes[:-1], SPECIAL).products(lanes_of(x, primes), lanes_of(w, primes), out, add, threads)
    expected = np.einsum("bcjn,bjn->cjn", x.astype(object), w.astype(object))
    expected = (expected + before.astype(object) * add) % moduli(primes)
    assert np.array_equal(words_of(out, primes), expected.astype(np.int64))


@given(level=levels, degree=degrees, seed=numpy_seeds)
def test_extending_multiplies_by_the_special_prime(level: int, degree: int, seed: int) -> None:
    primes = PRIMES[:level]
    words = random_words(seed, primes, (2, degree))
    ring, extended = native.Level(degree, primes, SPECIAL), np.full((2, level + 1, degree), np.nan)
    ring.extend(lanes_of(words, primes), extended)
    expected = words.astype(object) * SPECIAL % moduli(primes)
    assert np.array_equal(words_of(extended, with_special(level))[:, :level], expected.astype(np.int64))
    assert not extended[:, level].any()
    back = np.full((2, level, degree), np.nan)
    ring.shrink(extended, back)
    assert np.array_equal(words_of(back, primes), words)


@given(level=levels, degree=degrees, factor=st.integers(-(2**48), 2**48), seed=numpy_seeds)
def test_integers_become_values_modulo_every_prime(level: int, degree: int, factor: int, seed: int) -> None:
    primes = with_special(level)
    integers = np.random.default_rng(seed).integers(-(2**62), 2**62, (2, degree))
    out = np.full((2, level + 1, degree), np.nan)
    factors = np.full(level + 1, float(factor))
    native.Level(degree, primes[:-1], SPECIAL).encode(integers, factors, out)
    residues = integers.astype(object)[:, None] * factor % moduli(primes)
    assert np.array_equal(words_of(out, primes), evaluated(residues.astype(np.int64), primes))


N, LEVEL = 64, native.Level(64, PRIMES[:2], SPECIAL)


def lanes(*shape: int) -> np.ndarray:
    return np.zeros(shape)


WRONG = {
    "digits of another level": (lambda: LEVEL.decompose(lanes(3, N), lanes(2, 3, N)), "polynomial must be float64"),
    "digits that overlap": (
        lambda: LEVEL.decompose((one := lanes(2, 3, N))[0, :2], one),
        "must not share memory",
    ),
    "a permutation inside what is written": (
        lambda: LEVEL.switch_key(
            lanes(2, 3, N), lanes(2, 2, 3, N), (one := lanes(2, 3, N)).view(np.int32).reshape(-1)[:N], None, one
        ),
        "must not share memory",
    ),
    "integers inside what is written": (
        lambda: LEVEL.encode((one := lanes(1, 3, N)).view(np.int64)[:, 0], np.ones(3), one),
        "must not share memory",
    ),
    "residues inside what is written": (
        lambda: LEVEL.lift((one := lanes(1, 2, N)).view(np.int64), one),
        "must not share memory",
    ),
    "a key of another level": (
        lambda: LEVEL.switch_key(lanes(2, 3, N), lanes(2, 2, 2, N), None, None, lanes(2, 3, N)),
        "key must be float64 of shape",
    ),
    "a permutation of other numbers": (
        lambda: LEVEL.switch_key(
            lanes(2, 3, N), lanes(2, 2, 3, N), np.full(N, N, dtype=np.int32), None, lanes(2, 3, N)
        ),
        "inside a polynomial",
    ),
    "a permutation of negative ones": (
        lambda: LEVEL.switch_key(
            lanes(2, 3, N), lanes(2, 2, 3, N), np.full(N, -1, dtype=np.int32), None, lanes(2, 3, N)
        ),
        "inside a polynomial",
    ),
    "a permutation of another type": (
        lambda: LEVEL.switch_key(lanes(2, 3, N), lanes(2, 2, 3, N), np.arange(N), None, lanes(2, 3, N)),
        "int32 .* Got another type",
    ),
    "a polynomial of no level": (
        lambda: LEVEL.switch_polynomial(lanes(4, N), lanes(2, 2, 3, N), None, None, None, lanes(2, 3, N)),
        "l or l\\+1",
    ),
    "a polynomial inside what is written": (
        lambda: LEVEL.switch_polynomial((one := lanes(2, 3, N))[0], lanes(2, 2, 3, N), None, None, None, one),
        "must not share memory",
    ),
    "a key of another level for a polynomial": (
        lambda: LEVEL.switch_polynomial(lanes(2, N), lanes(2, 2, 2, N), None, None, None, lanes(2, 3, N)),
        "key must be float64 of shape",
    ),
    "another place for a polynomial's sum": (
        lambda: LEVEL.switch_polynomial(lanes(2, N), lanes(2, 2, 3, N), None, None, None, lanes(2, 2, N)),
        "extended must be float64 of shape",
    ),
    "a rest of another level": (
        lambda: LEVEL.switch_polynomial(lanes(2, N), lanes(2, 2, 3, N), None, None, lanes(2, 2, N), lanes(2, 3, N)),
        "rest must be float64 of shape",
    ),
    "a rest that is written": (
        lambda: LEVEL.switch_polynomial(lanes(2, N), lanes(2, 2, 3, N), None, None, (one := lanes(2, 3, N)), one),
        "must not share memory",
    ),
    "no prime to divide by": (
        lambda: native.Level(N, PRIMES[:1], SPECIAL).rescale(lanes(2, 1, N), lanes(2, 0, N)),
        "with l >= 2",
    ),
    "rows of no level": (lambda: LEVEL.add(lanes(2, 4, N), lanes(2, 4, N)), "l or l\\+1"),
    "nothing to multiply": (lambda: LEVEL.products(lanes(0, 2, 3, N), lanes(0, 3, N), lanes(2, 3, N)), "at least one"),
    "factors beyond their primes": (
        lambda: LEVEL.encode(np.zeros((1, N), dtype=np.int64), np.full(3, 2.0**50), lanes(1, 3, N)),
        "within half their primes",
    ),
    "factors that are no whole numbers": (
        lambda: LEVEL.encode(np.zeros((1, N), dtype=np.int64), np.full(3, 0.5), lanes(1, 3, N)),
        "whole numbers",
    ),
    "words that are their prime": (
        lambda: LEVEL.lift(np.full((1, 2, N), PRIMES[1], dtype=np.int64), lanes(1, 2, N)),
        "below its prime",
    ),
    "a small ring": (lambda: native.Level(32, PRIMES[:2], SPECIAL), "at least 64"),
    "the special prime twice": (lambda: native.Level(64, PRIMES, SPECIAL), "1 to 8 primes|must be distinct"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name: str) -> None:
    attempt, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        attempt()
