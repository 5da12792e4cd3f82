"""The ring over SEAL: transforms as documented, and noise within the bounds that everything else rests on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from hermetic.arrays import Residues
from hermetic.rlwe import modular
from hermetic.rlwe.parameters import FAST, MAX_ERROR, PRECISE, PROFILES, Parameters
from hermetic.rlwe.ring import _NTT_FLAG, Ring, RingSecretKey, _PrimeRing
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand

SEED = bytes(range(32))
SECRETS = {parameters: RingSecretKey(Ring.of(parameters)) for parameters in PROFILES.values()}

both_profiles = pytest.mark.parametrize("parameters", [FAST, PRECISE], ids=["fast", "precise"])
numpy_seeds = st.integers(0, 2**32 - 1)


def random_polynomials(parameters: Parameters, count: int, seed: int) -> Residues:
    """(count, L, N), uniform."""
    rng = np.random.default_rng(seed)
    shape = (count, parameters.ring_degree)
    return np.stack([rng.integers(0, p, size=shape) for p in parameters.data_primes], axis=1)


def centred_coefficients(parameters: Parameters, evaluated: Residues) -> np.ndarray:
    """(L, N) in evaluation form as signed integers (N,), exact where they are small."""
    coefficients = Ring.of(parameters).intt(evaluated[None])[0]
    return modular.to_centred_integers(coefficients, parameters.data_primes)


def pointwise(a: Residues, b: Residues, primes: tuple[int, ...]) -> Residues:
    return np.stack([modular.multiply(a[..., i, :], b[..., i, :], p) for i, p in enumerate(primes)], axis=-2)


@both_profiles
@pytest.mark.parametrize("count", [1, 2, 3])
def test_transforms_undo_each_other(parameters: Parameters, count: int) -> None:
    ring, polynomials = Ring.of(parameters), random_polynomials(parameters, count, count)
    assert (ring.intt(ring.ntt(polynomials)) == polynomials).all()
    assert (ring.ntt(ring.intt(polynomials)) == polynomials).all()
    assert (ring.ntt(polynomials) != polynomials).any()


@both_profiles
@pytest.mark.parametrize("zeros", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_zero_polynomials_are_transformed_like_others(parameters: Parameters, zeros: tuple[int, ...]) -> None:
    ring, polynomials = Ring.of(parameters), random_polynomials(parameters, 3, 1)
    expected = ring.ntt(polynomials)
    polynomials[list(zeros)] = 0
    expected[list(zeros)] = 0
    assert (ring.ntt(polynomials) == expected).all()
    assert (ring.intt(expected) == polynomials).all()


@both_profiles
def test_fewer_rows_belong_to_the_first_primes(parameters: Parameters) -> None:
    ring, polynomials = Ring.of(parameters), random_polynomials(parameters, 2, 2)
    assert (ring.ntt(polynomials[:, :1]) == ring.ntt(polynomials)[:, :1]).all()
    assert (ring.intt(polynomials[:, :1]) == ring.intt(polynomials)[:, :1]).all()


@both_profiles
def test_evaluation_form_has_seals_order(parameters: Parameters) -> None:
    """Value i is the polynomial at psi^(2·bitreverse(i)+1), psi the least primitive 2N-th root of unity."""
    n = parameters.ring_degree
    polynomial = random_polynomials(parameters, 1, 3)
    values = Ring.of(parameters).ntt(polynomial)[0]
    for coefficients, row, prime in zip(polynomial[0], values, parameters.data_primes, strict=True):
        psi = reference.least_primitive_root(n, prime)
        for i in (0, 1, 2, 3, n // 2 - 1, n // 2, n - 2, n - 1):
            point = pow(psi, 2 * reference.bit_reversed(i, n.bit_length() - 1) + 1, prime)
            assert row[i] == reference.polynomial_at(coefficients, point, prime)


@both_profiles
@given(seed=numpy_seeds, terms=st.integers(1, 4))
@settings(max_examples=10)
def test_products_in_evaluation_form_are_negacyclic(parameters: Parameters, seed: int, terms: int) -> None:
    ring, n = Ring.of(parameters), parameters.ring_degree
    dense = random_polynomials(parameters, 1, seed)
    sparse = np.zeros_like(dense)
    places = np.random.default_rng(seed).integers(0, n, size=terms)
    sparse[..., places] = random_polynomials(parameters, 1, seed + 1)[..., places]
    product = ring.intt(pointwise(ring.ntt(dense), ring.ntt(sparse), parameters.data_primes))[0]
    for i, prime in enumerate(parameters.data_primes):
        expected = reference.negacyclic_product(sparse[0, i], dense[0, i])
        assert product[i].tolist() == [value % prime for value in expected]


@both_profiles
@pytest.mark.parametrize("samples", [1, 2, 64, 2048])
def test_polynomials_in_a_power_of_x_repeat_each_value(parameters: Parameters, samples: int) -> None:
    """A polynomial in X^B has N/B distinct values, each B times in a row: the packing counts on it."""
    n = parameters.ring_degree
    polynomial = np.zeros((1, len(parameters.data_primes), n), dtype=np.int64)
    polynomial[..., ::samples] = random_polynomials(parameters, 1, 4)[..., ::samples]
    values = Ring.of(parameters).ntt(polynomial).reshape(-1, n // samples, samples)
    assert (values == values[..., :1]).all()
    assert len(np.unique(values[0, :, 0])) == n // samples


@both_profiles
def test_a_ring_is_made_once(parameters: Parameters) -> None:
    assert Ring.of(parameters) is Ring.of(parameters)


# --- secret keys ----------------------------------------------------------------------------------------------------


@both_profiles
def test_secrets_are_ternary(parameters: Parameters) -> None:
    """Every noise bound takes ||s||_1 <= N for granted."""
    secret = centred_coefficients(parameters, SECRETS[parameters].rows()[: len(parameters.data_primes)])
    assert set(secret.tolist()) == {-1, 0, 1}


@both_profiles
def test_secrets_are_fresh(parameters: Parameters) -> None:
    other = RingSecretKey(Ring.of(parameters))
    assert np.mean(other.rows() == SECRETS[parameters].rows()) < 0.01


@both_profiles
def test_a_stored_secret_is_the_same_secret(parameters: Parameters) -> None:
    secret = SECRETS[parameters]
    again = RingSecretKey(Ring.of(parameters), secret.rows())
    polynomials = random_polynomials(parameters, 2, 5)
    assert (again.rows() == secret.rows()).all()
    assert (again.times(polynomials) == secret.times(polynomials)).all()


@both_profiles
def test_times_is_the_product_with_the_secret(parameters: Parameters) -> None:
    secret, primes = SECRETS[parameters], parameters.data_primes
    rows = secret.rows()[: len(primes)]
    a = random_polynomials(parameters, 3, 6)
    assert (secret.times(a) == pointwise(a, np.broadcast_to(rows, a.shape), primes)).all()
    assert (secret.times(np.ones_like(a[:1]))[0] == rows).all()
    assert not secret.times(np.zeros_like(a[:1])).any()
    assert (secret.times(a[:, :1]) == secret.times(a)[:, :1]).all()


@both_profiles
@given(seed=numpy_seeds, factor=st.integers(-(2**60), 2**60))
@settings(max_examples=10)
def test_times_is_linear(parameters: Parameters, seed: int, factor: int) -> None:
    secret, primes = SECRETS[parameters], parameters.data_primes
    a, b = random_polynomials(parameters, 1, seed), random_polynomials(parameters, 1, seed + 1)
    combined = modular.add(modular.scale(a, factor, primes), b, primes)
    expected = modular.add(modular.scale(secret.times(a), factor, primes), secret.times(b), primes)
    assert (secret.times(combined) == expected).all()


def phase(parameters: Parameters, c0: Residues, c1: Residues) -> np.ndarray:
    """c0 + c1·s (L, N) as signed integers (N,)."""
    product = SECRETS[parameters].times(c1[None])[0]
    return centred_coefficients(parameters, modular.add(c0, product, parameters.data_primes))


@both_profiles
def test_encryptions_of_zero_have_seals_error_and_the_given_c1(parameters: Parameters) -> None:
    """|e| <= 21 always; the deviation of 42 fair coins is sqrt(42)/2 = 3.24."""
    primes = parameters.data_primes
    errors = []
    for index in range(20):
        c1 = expand(QUERY_DOMAIN, SEED, index, parameters, primes)
        errors.append(phase(parameters, SECRETS[parameters].encrypt_zero(c1), c1).astype(np.float64))
    assert np.abs(errors).max() <= MAX_ERROR
    assert np.std(errors) == pytest.approx(math.sqrt(42) / 2, rel=0.03)
    assert abs(np.mean(errors)) < 0.1


@both_profiles
def test_encryptions_of_zero_are_fresh_under_the_same_c1(parameters: Parameters) -> None:
    c1 = expand(QUERY_DOMAIN, SEED, 0, parameters, parameters.data_primes)
    first, second = (SECRETS[parameters].encrypt_zero(c1) for _ in range(2))
    assert np.mean(first == second) < 0.01
    errors = [phase(parameters, c0, c1) for c0 in (first, second)]
    assert abs(np.corrcoef(np.array(errors, dtype=np.float64))[0, 1]) < 0.1


# --- public keys ----------------------------------------------------------------------------------------------------


def public_key(parameters: Parameters, index: int = 0) -> tuple[Residues, Residues]:
    a = expand(PUBLIC_KEY_DOMAIN, SEED, index, parameters, parameters.key_primes)
    return SECRETS[parameters].public_key(a), a


@both_profiles
def test_public_keys_have_seals_error_and_the_given_a(parameters: Parameters) -> None:
    b, a = public_key(parameters)
    kept = len(parameters.data_primes)
    error = phase(parameters, b[:kept], a[:kept]).astype(np.float64)
    assert b.shape == (len(parameters.key_primes), parameters.ring_degree)
    assert np.abs(error).max() <= MAX_ERROR
    assert np.std(error) == pytest.approx(math.sqrt(42) / 2, rel=0.15)


@both_profiles
def test_public_keys_are_fresh_under_the_same_a(parameters: Parameters) -> None:
    first, second = public_key(parameters), public_key(parameters)
    assert np.mean(first[0] == second[0]) < 0.01


@both_profiles
def test_seal_reads_the_form_of_a_ciphertext_where_it_is_written(parameters: Parameters) -> None:
    """With the byte as SEAL writes it, and with that byte turned."""
    n, prime = parameters.ring_degree, parameters.data_primes[0]
    field = _PrimeRing(n, prime)
    residues = np.arange(2 * n, dtype=np.int64).tobytes()
    for prefix, evaluated in ((field.serialised.ciphertext, True), (field.serialised.coefficient_ciphertext, False)):
        assert prefix[_NTT_FLAG] == evaluated
        assert field.context.from_cipher_str(prefix + residues).is_ntt_form() is evaluated
