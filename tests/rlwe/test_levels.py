"""Rotations, products and rescaling decrypt to what they must, within the noise that is bounded, as SEAL's own do."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import seal

from hermetic.arrays import Residues
from hermetic.circuits.networks import embedding
from hermetic.circuits.networks.bounds import Noise
from hermetic.rlwe import modular
from hermetic.rlwe.levels import CONJUGATE, RELINEARISE, Level, LoadedKey, galois_element, permutation
from hermetic.rlwe.parameters import NETWORK
from hermetic.rlwe.public_ring import PublicRing
from hermetic.rlwe.ring import Ring, RingSecretKey

N, TOP = NETWORK.ring_degree, NETWORK.levels
RANDOM = np.random.default_rng(0)


@cache
def secret() -> RingSecretKey:
    return RingSecretKey(Ring.of(NETWORK))


@cache
def switching_key(step: int) -> Residues:
    return next(secret().switching_keys([step]))


def loaded(step: int, level: int) -> LoadedKey:
    primes = [*range(level), TOP]
    return Level.of(NETWORK, level).load(np.ascontiguousarray(switching_key(step)[:level][:, :, primes]), step)


def encrypted(message: np.ndarray, level: int) -> np.ndarray:
    """A ciphertext (2, l, N) of small integers (N,)."""
    one = Level.of(NETWORK, level)
    c1 = np.stack([RANDOM.integers(0, prime, N) for prime in NETWORK.data_primes])
    halves = np.stack([secret().encrypt_zero(c1)[:level], c1[:level]])
    lanes = np.empty(halves.shape)
    PublicRing.of(NETWORK, level)._native.lift(halves, lanes)
    one.add(lanes[:1], np.ascontiguousarray(one.encode(message[None])[:, :level]))
    return lanes


def decrypted(ciphertext: np.ndarray) -> np.ndarray:
    """c0 + c1·s as centred integers (N,)."""
    level = ciphertext.shape[1]
    primes, ring = NETWORK.data_primes[:level], PublicRing.of(NETWORK, level)
    residues = np.empty(ciphertext.shape, dtype=np.int64)
    ring._native.lower(ciphertext, residues)
    phase = modular.add(secret().times(residues[1][None])[0], residues[0], primes)
    return modular.to_centred_integers(ring.intt(phase[None])[0], primes)


def moved(message: np.ndarray, step: int) -> np.ndarray:
    """The coefficients of a polynomial in X^g."""
    exponents = np.arange(N) * galois_element(step, N) % (2 * N)
    out = np.zeros(N, dtype=np.int64)
    out[exponents % N] = np.where(exponents < N, message, -message)
    return out


def largest_slot(coefficients: np.ndarray) -> float:
    """The largest |slot| of a polynomial."""
    return float(np.abs(embedding.values(coefficients.astype(np.float64), N)).max())


def assert_near(noise: float, bound: float) -> None:
    """A bound of 2^-40 is kept, and is not a hundred times what is seen."""
    assert bound / 100 < noise <= bound


def small(bound: int = 1 << 30) -> np.ndarray:
    return RANDOM.integers(-bound, bound, N)


@pytest.mark.parametrize("level", range(2, TOP + 1))
@pytest.mark.parametrize("step", [1, 5, 64, 2048, CONJUGATE])
def test_a_rotated_ciphertext_is_that_of_the_rotated_message(step: int, level: int) -> None:
    message = small()
    rotated = Level.of(NETWORK, level).rotate(encrypted(message, level), loaded(step, level))
    noise = largest_slot(decrypted(rotated) - moved(message, step))
    assert_near(noise, Noise(NETWORK).fresh + Noise(NETWORK).switching(level))


@pytest.mark.parametrize("level", range(2, TOP + 1))
def test_a_product_is_that_of_the_messages(level: int) -> None:
    one, (a, b) = Level.of(NETWORK, level), (small(1000), small(1000))
    product = one.relinearise(one.multiply(encrypted(a, level), encrypted(b, level)), loaded(RELINEARISE, level))
    whole = np.convolve(a, b)
    expected = whole[:N] - np.append(whole[N:], 0)
    fresh = Noise(NETWORK).fresh
    bound = fresh * (largest_slot(a) + largest_slot(b) + fresh) + Noise(NETWORK).switching(level)
    assert_near(largest_slot(decrypted(product) - expected), bound)


@pytest.mark.parametrize("level", range(2, TOP + 1))
def test_rescaling_divides_and_rounds(level: int) -> None:
    prime = NETWORK.data_primes[level - 1]
    message = RANDOM.integers(-100, 100, N)
    one = Level.of(NETWORK, level)
    ciphertext = encrypted(np.zeros(N, dtype=np.int64), level)
    one.add(ciphertext[:1], np.ascontiguousarray(one.encode(message[None], prime)[:, :level]))
    noise = largest_slot(decrypted(one.rescale(ciphertext)) - message)
    assert_near(noise, Noise(NETWORK).rounding() + Noise(NETWORK).fresh / prime)


def test_extending_and_shrinking_give_the_ciphertext_back() -> None:
    one, ciphertext = Level.of(NETWORK, TOP), encrypted(small(), TOP)
    assert np.array_equal(one.shrink(one.extend(ciphertext)), ciphertext)


def test_a_key_serves_lower_levels() -> None:
    cut, own = loaded(3, TOP).at_level(2), loaded(3, 2)
    assert np.array_equal(cut.lanes, own.lanes)
    assert np.array_equal(cut.permutation, own.permutation)
    assert loaded(3, TOP).at_level(TOP).lanes.shape == loaded(3, TOP).lanes.shape


@pytest.mark.parametrize("step", [1, 7, CONJUGATE])
def test_a_permutation_is_the_automorphism_of_values(step: int) -> None:
    message = small(100)
    values = PublicRing.of(NETWORK, TOP).ntt(modular.from_integers(message[None], NETWORK.data_primes))
    expected = PublicRing.of(NETWORK, TOP).ntt(modular.from_integers(moved(message, step)[None], NETWORK.data_primes))
    assert np.array_equal(values[..., permutation(step, N)], expected)


def test_seals_own_rotation_gives_the_same_message() -> None:
    """The oracle: SEAL's evaluator with SEAL's key, on slots that SEAL encoded."""
    ring = secret()._ring
    keys, generator = seal.GaloisKeys(), seal.KeyGenerator(ring._context, secret()._key)
    generator.create_galois_keys([3], keys)
    values = RANDOM.normal(size=N // 2)
    encoder = seal.CKKSEncoder(ring._context)
    ciphertext = secret()._encryptor.encrypt_symmetric(encoder.encode(values, 2.0**40))
    rotated = ring._evaluator.rotate_vector(ciphertext, 3, keys)
    theirs = np.array(encoder.decode(secret()._decryptor.decrypt(rotated)))
    assert np.allclose(theirs, np.roll(values, -3), atol=1e-6)
    data = ciphertext.to_string(seal.compr_mode_type.none)
    halves = np.frombuffer(data, dtype=np.int64, offset=len(data) - 16 * TOP * N).reshape(2, TOP, N).copy()
    lanes = np.empty(halves.shape)
    PublicRing.of(NETWORK, TOP)._native.lift(halves, lanes)
    ours = decrypted(Level.of(NETWORK, TOP).rotate(lanes, loaded(3, TOP)))
    expected = decrypted(lanes)
    assert np.abs((ours - moved_exactly(expected, 3)).astype(np.float64)).max() <= Noise(NETWORK).switching(TOP)


def moved_exactly(message: np.ndarray, step: int) -> np.ndarray:
    exponents = np.arange(N) * galois_element(step, N) % (2 * N)
    out = np.zeros(N, dtype=object)
    out[exponents % N] = np.where(exponents < N, message, -message)
    return out
