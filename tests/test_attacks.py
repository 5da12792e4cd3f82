"""Can a client learn more about the weights than the scores of its samples? Every attack here is carried out.

The tools are in :mod:`adversary`. Each attack is first shown to work where a protection is missing, so that it is
known to be one; then to fail on what a service releases, for an honest and for every kind of malicious client.
"""

import dataclasses
import math
import multiprocessing
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import seal
from scipy import stats
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import adversary
import fitted
import hermetic
from hermetic import (
    Client,
    CompiledModel,
    Layout,
    ModelFileError,
    Parameters,
    PublicKey,
    Query,
    Result,
    Signature,
    WireError,
)
from hermetic.circuits import packing
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear import bounds
from hermetic.rlwe import modular, parameters, ring
from hermetic.rlwe.parameters import FAST, PRECISE
from hermetic.rlwe.public_ring import Lanes, PublicRing
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand
from known_weights import with_circuit

PETALS = fitted.petals().model
WEIGHTS = PETALS.integers.weights
FORGED_Q = FAST.query_modulus // 4


@pytest.fixture
def client() -> Client:
    return Client(PETALS.signature)


# 1. A product of ciphertext and weights is not fit to be seen


def test_division_reads_every_weight_from_a_bare_product() -> None:
    digits = fitted.digits()
    query = Client(digits.signature).encrypt(digits.X[0])
    (c1,) = adversary.bare_product(digits.model, query)
    found = adversary.weights_by_division(c1, query, outputs=10, features=64)
    assert np.array_equal(found, digits.model.integers.weights)


def rescaled(c1: adversary.BigIntegers) -> adversary.BigIntegers:
    """c1 after rescaling, times P again: rounded, as a result's c1, but not masked."""
    factor = FAST.rescale_factor
    return (c1 + factor // 2) // factor * factor


def test_rescaling_does_not_hide_the_weights(client: Client) -> None:
    query = client.encrypt([1.4, 0.2])
    (c1,) = adversary.bare_product(PETALS, query)
    assert adversary.recognised(rescaled(c1), c1, FAST) == 1
    assert not np.array_equal(adversary.weights_by_division(rescaled(c1), query, 3, 2), WEIGHTS)
    assert np.array_equal(adversary.weights_by_lattice(rescaled(c1), query, 3, 2), WEIGHTS)


# 2. What is released hides them, whatever the client sends


def honest(client: Client) -> tuple[Query, PublicKey]:
    return client.encrypt([1.4, 0.2]), client.public_key


def words(polynomial: list[int]) -> modular.Residues:
    """A polynomial's first coefficients as a forged c0 or b, in evaluation form."""
    padded = polynomial + [0] * (FAST.ring_degree - len(polynomial))
    rows = np.array([[one % prime for one in padded] for prime in FAST.key_primes], dtype=np.int64)
    return ring.Ring.of(FAST).ntt(rows[None])[0]


def forged_query(polynomial: list[int]) -> Callable[[Client], tuple[Query, PublicKey]]:
    def attack(client: Client) -> tuple[Query, PublicKey]:
        query, key = honest(client)
        return adversary.with_c0(query, words(polynomial)[:2], key), key

    return attack


def forged_key(b: modular.Residues | int) -> Callable[[Client], tuple[Query, PublicKey]]:
    def attack(client: Client) -> tuple[Query, PublicKey]:
        query, key = honest(client)
        forged = adversary.with_b(key, b)
        return adversary.with_c0(query, query.c0, forged), forged

    return attack


def all_zero_words(client: Client) -> tuple[Query, PublicKey]:
    query, key = honest(client)
    forged = adversary.with_b(key, 0)
    return adversary.with_c0(query, 0, forged), forged


def equal_seeds(client: Client) -> tuple[Query, PublicKey]:
    query, key = honest(client)
    forged = replace(key, seed=query.batch.query)
    return adversary.with_c0(query, query.c0, forged), forged


def zero_seeds(client: Client) -> tuple[Query, PublicKey]:
    query, key = honest(client)
    forged = replace(key, seed=bytes(32))
    query = replace(query, batch=replace(query.batch, query=bytes(32)))
    return adversary.with_c0(query, query.c0, forged), forged


def mask_revealing_key(client: Client) -> tuple[Query, PublicKey]:
    key = adversary.forged_key(PETALS.signature, stride=1)
    query = client.encrypt([1.4, 0.2])
    return adversary.with_c0(query, 0, key), key


LARGEST = np.array(FAST.key_primes)[:, None] - 1
CLIENTS = {
    "honest": honest,
    "c0 = 0": forged_query([0]),
    "c0 = 1": forged_query([1]),
    "c0 = q/4": forged_query([FORGED_Q]),
    "c0 = q/4 in every coefficient": forged_query([FORGED_Q] * FAST.ring_degree),
    "c0 = X^2048": forged_query([0] * 2048 + [1]),
    "c0 = q/4·(X + X^5)": forged_query([0, FORGED_Q, 0, 0, 0, FORGED_Q]),
    "b = 0": forged_key(0),
    "b = 1": forged_key(words([1])),
    "b = 2^80": forged_key(words([1 << 80])),
    "b = -1 in every word": forged_key(LARGEST),
    "b that reveals u": mask_revealing_key,
    "all words zero": all_zero_words,
    "equal seeds": equal_seeds,
    "zero seeds": zero_seeds,
}


def released(query: Query, key: PublicKey, model: CompiledModel = PETALS) -> Result:
    """The answer of a service that reads both from the network, as the client reads it."""
    arrived = Query.from_bytes(query.to_bytes(), model.signature)
    answer = model.evaluate(arrived, PublicKey.from_bytes(key.to_bytes())).to_bytes()
    return Result.from_bytes(answer, model.signature)


@pytest.mark.parametrize("attack", CLIENTS.values(), ids=CLIENTS)
def test_a_released_result_hides_the_weights(client: Client, attack: Callable[..., tuple[Query, PublicKey]]) -> None:
    query, key = attack(client)
    c1 = adversary.lifted(released(query, key))
    (product,) = adversary.bare_product(PETALS, query)
    assert adversary.recognised(c1, product, FAST) == 0
    for found in (
        adversary.weights_by_division(c1, query, outputs=3, features=2),
        adversary.weights_by_lattice(c1, query, outputs=3, features=2),
    ):
        assert found is None or not (found == WEIGHTS).any()


def test_a_precise_result_hides_them_as_well() -> None:
    progression = fitted.progression()
    client = Client(progression.signature)
    query = client.encrypt(progression.X.iloc[0])
    result = released(query, client.public_key, progression.model)
    (product,) = adversary.bare_product(progression.model, query)
    assert progression.signature.parameters == PRECISE
    assert adversary.recognised(adversary.lifted(result), product, PRECISE) == 0


def test_every_polynomial_has_a_mask_of_its_own(client: Client) -> None:
    """Two polynomials under one mask would show their difference; 4,097 samples of 3 outputs take six polynomials."""
    large = PETALS.signature.layouts[-1]
    query = client.encrypt(np.tile(fitted.petals().X, (28, 1))[:4097])
    assert query.batch.layout == large == Layout(4096, 4096, 1, 1)
    result = released(query, client.public_key)
    own = adversary.coefficients(adversary.query_c1(query), FAST).reshape(2, 2, 4096)
    products = [WEIGHTS[v].astype(object) @ own[chunk] for chunk in range(2) for v in range(3)]
    masks = [adversary.lifted(result, i) - product for i, product in enumerate(products)]
    assert len(result.c1) == len(masks) == 6
    for i, mask in enumerate(masks):
        for other in [0, *masks[:i]]:
            assert adversary.recognised(mask, other, FAST) == 0


def test_a_seed_gives_queries_and_keys_different_polynomials() -> None:
    seed = secrets.token_bytes(32)
    c1, a = (expand(domain, seed, 0, FAST, FAST.data_primes) for domain in (QUERY_DOMAIN, PUBLIC_KEY_DOMAIN))
    assert (c1 == a).sum() == 0


def test_no_two_answers_share_a_mask(client: Client) -> None:
    """Not in one thread, not in several, and not in processes that were forked after the first answer."""
    query, key = honest(client)
    sent = (query.to_bytes(), key.to_bytes())
    found = [c1_of(sent) for _ in range(5)]
    with ThreadPoolExecutor(4) as threads:
        found += threads.map(c1_of, [sent] * 20)
    with multiprocessing.get_context("fork").Pool(2) as processes:
        found += processes.map(c1_of, [sent] * 10)
    assert len(set(found)) == 35


def c1_of(sent: tuple[bytes, bytes]) -> bytes:
    return released(Query.from_bytes(sent[0], PETALS.signature), PublicKey.from_bytes(sent[1])).c1.tobytes()


def test_a_generator_that_repeats_itself_is_seen(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the operating system's bytes fixed, two answers to a query are the same: nothing else is random."""
    monkeypatch.setattr("hermetic.rlwe.randomness.os.urandom", bytes)
    query, key = honest(client)
    first, second = (PETALS.evaluate(query, key).to_bytes() for _ in range(2))
    assert first == second


# 3. Statistics: c1 looks uniform and does not depend on the weights; target words are flooded


def c1_gaps(model: CompiledModel, query: Query, key: PublicKey, answers: int) -> np.ndarray:
    """How far the c1 of answers are from c1·W modulo q', as fractions of q'."""
    (product,) = adversary.bare_product(model, query)
    gaps = [
        adversary.centred(adversary.lifted(model.evaluate(query, key)) - product, FAST.query_modulus)
        for _ in range(answers)
    ]
    return np.concatenate(gaps).astype(np.float64) / FAST.query_modulus


def test_c1_does_not_depend_on_the_weights(client: Client) -> None:
    """A chi-square test of 64 bins on 20 answers, against the sharpest prediction there is; p > 1e-6 to pass."""
    other = CompiledModel(replace(PETALS.integers, weights=-WEIGHTS), PETALS.signature)
    query, key = honest(client)
    bins = np.linspace(-0.5, 0.5, 65)
    counts = [np.histogram(c1_gaps(model, query, key, answers=20), bins)[0] for model in (PETALS, other)]
    assert all(count.sum() == 20 * FAST.ring_degree for count in counts)
    for count in counts:
        assert stats.chisquare(count).pvalue > 1e-6
    assert stats.chi2_contingency(counts).pvalue > 1e-6

    (product,) = adversary.bare_product(PETALS, query)
    gap = adversary.centred(rescaled(product) - product, FAST.query_modulus).astype(np.float64) / FAST.query_modulus
    assert stats.chisquare(np.histogram(gap, bins)[0]).pvalue < 1e-100, "the test must see a c1 without a mask"


def residues_of_flooding(client: Client, query: Query, answers: int) -> np.ndarray:
    """What is left of target words after decryption, in units of P: (answers, samples·outputs)."""
    rows = []
    for _ in range(answers):
        result = PETALS.evaluate(query, client.public_key)
        y = client.decrypt_integers(result)
        rows.append((client._half.phase(result) - y * PETALS.signature.circuit.delta).reshape(-1))
    return np.array(rows, dtype=np.float64)


def test_target_words_are_flooded_uniformly(client: Client) -> None:
    """Kolmogorov and Smirnov's test of 30,000 words against the flooding alone; p > 1e-6 to pass."""
    query = client.encrypt(np.tile(fitted.petals().X, (14, 1))[:2000])
    left = residues_of_flooding(client, query, answers=5)
    half = 2.0 ** (PETALS.signature.flood_bits - 1) / FAST.rescale_factor
    assert np.abs(left).max() <= PETALS.signature.circuit.result_noise
    assert stats.kstest(left.reshape(-1) / half, stats.uniform(-1, 2).cdf).pvalue > 1e-6


ROUNDING = 10 * math.sqrt((1 + 2 * FAST.ring_degree / 3) / 12)
"""Ten standard deviations of what rescaling adds to a word, in units of P: the ends of flooding are no sharper."""


def left_of_shifted_words(model: CompiledModel, shift: float, answers: int) -> np.ndarray:
    """What is left of words (answers, 3), in fractions of flooding, if the first is moved by ``shift`` of it.

    The client moves it with an error K of its own in c0, which adds K·w to a word; it takes off the scores of an honest
    query. Words that nothing moves are uniform in ±1/2.
    """
    client, width = Client(model.signature), 2.0**model.signature.flood_bits
    query, key = honest(client)
    y = client.decrypt_integers(model.evaluate(query, key))
    error = words([round(shift * width / int(model.integers.weights[0, 0]))])[:2]
    moved = adversary.with_c0(query, (query.c0 + error) % np.array(FAST.data_primes)[:, None], key)
    rows = [client._half.phase(model.evaluate(moved, key)) - y * model.signature.circuit.delta for _ in range(answers)]
    return np.array(rows).reshape(answers, 3) * FAST.rescale_factor / width


@pytest.mark.parametrize("bits", [3, 4, 5])
def test_the_ends_of_flooding_tell_a_shift_and_take_twice_the_answers_for_each_bit(bits: int) -> None:
    """A word beyond the end of flooding has been moved. A shift of 2^-L takes one word in 2^L there.

    32 of 2^(L+5) are expected, and fewer than 8 or more than 70 once in 10^6; the ten of 2^(L+3.3) answers are plenty.
    Without a shift there are none. What is gained is K·w, to a quarter here, as the middle between the extremes of n
    words is off by 1/n: one linear equation in the weights, which the scores of two honest samples give exactly.
    """
    model = hermetic.compile(fitted.petals().estimator, fitted.petals().X, flooding=40)
    answers, shift = 2 ** (bits + 5), 2.0**-bits
    end = 0.5 + ROUNDING * FAST.rescale_factor / 2.0**model.signature.flood_bits
    moved, still = (left_of_shifted_words(model, one, answers) for one in (shift, 0.0))
    assert 8 <= (moved[:, 0] > end).sum() <= 70
    assert (np.abs(still) <= end).all()
    weights = model.integers.weights[:, 0]
    for left, expected in ((moved, shift * weights / weights[0]), (still, np.zeros(3))):
        middle = (left.max(axis=0) + left.min(axis=0)) / 2
        assert (np.abs(middle - expected) < shift / 4).all()


def test_a_thousand_answers_give_the_score_and_no_weight(client: Client) -> None:
    """Flooding's mean narrows by sqrt(n), its ends by n, as they must; e·W is 2^-28.9 of it, and far from being seen in
    either. c1 is masked afresh every time.
    """
    answers = 1000
    query, key = honest(client)
    results = [PETALS.evaluate(query, key) for _ in range(answers)]
    y = client.decrypt_integers(results[0])
    left = np.array([client._half.phase(one) for one in results]) - y * PETALS.signature.circuit.delta
    width = 2.0**PETALS.signature.flood_bits / FAST.rescale_factor
    deviation = width / math.sqrt(12)
    spread = left.std(axis=0) / deviation
    assert (np.abs(spread - 1) < 0.15).all()
    assert (np.abs(left.mean(axis=0)) < 6 * deviation / math.sqrt(answers)).all()
    assert (np.abs(left).max(axis=0) < width / 2 + ROUNDING).all()
    largest_e_w = parameters.MAX_ERROR * int(np.abs(WEIGHTS).sum()) / FAST.rescale_factor
    assert largest_e_w < width * 10 / answers / 2**20

    total = np.sum([one.c1[0, 0] for one in results], axis=0).astype(object) * FAST.rescale_factor
    (product,) = adversary.bare_product(PETALS, query)
    assert adversary.recognised(total, answers * product, FAST) == 0
    mean = total // answers
    assert adversary.recognised(mean, product, FAST) == 0
    assert not np.array_equal(adversary.weights_by_lattice(mean, query, 3, 2), WEIGHTS)


# 4. What the released words can carry


def test_a_result_is_c1_and_the_target_words_and_nothing_else(client: Client) -> None:
    samples = fitted.petals().X[:5]
    query = client.encrypt(samples)
    result = PETALS.evaluate(query, client.public_key)
    packed = 4096 * 50 // 8
    assert query.batch.layout.outputs == 3
    assert result.c1.shape == (1, 1, 4096)
    assert result.words.shape == (1, 15)
    envelope, batch, fifteen_words = 32 + 32, 32 + 32 + 32 + 4 * 4 + 4, 32 * 50 // 8
    assert len(result.to_bytes()) == envelope + batch + packed + fifteen_words


def crafted_words(client: Client, constant: int) -> np.ndarray:
    """The target words, times P and less the bias, of a query whose phase is a constant: b = 0 and c0 = constant."""
    key = adversary.with_b(client.public_key, 0)
    query = adversary.with_c0(client.encrypt([1.4, 0.2]), words([constant])[:2], key)
    result = released(query, key)
    found = modular.to_centred_integers(result.words, FAST.kept_primes)
    values = found - PETALS.signature.circuit.delta * PETALS.integers.bias.astype(object)
    return adversary.centred(values, FAST.result_modulus) * FAST.rescale_factor


def test_a_crafted_word_reads_one_number_as_an_honest_score_does(client: Client) -> None:
    """c0 = K for K above the flooding: each target word gives K·w. So do the scores of two honest samples."""
    constant = 1 << (PETALS.signature.flood_bits + 2)
    crafted = np.array([round(int(one) / constant) for one in crafted_words(client, constant)])
    grid = PETALS.signature.grid
    pair = np.array([grid.offset, grid.offset + np.array([grid.step[0], 0])])
    zero, one = client.decrypt_integers(PETALS.evaluate(client.encrypt(pair), client.public_key))
    assert np.array_equal(crafted, one - zero)
    assert np.array_equal(crafted, WEIGHTS[:, 0])


def test_a_crafted_word_below_the_flooding_reads_nothing_for_sure(client: Client) -> None:
    """c0 = K for K = 2^(F-10): a word gives w + (uniform in ±2^9)."""
    constant = 1 << (PETALS.signature.flood_bits - 10)
    found = np.array([crafted_words(client, constant) for _ in range(50)]) / constant
    error = found.astype(np.float64) - WEIGHTS[:, 0]
    assert np.abs(error).max() < 513
    assert 196 < np.abs(error).mean() < 316, "the mean of 150 values uniform in 0..512 is 256 ± 12"


def weights_of_wines(model: CompiledModel, samples: int) -> tuple[np.ndarray, list[list[int] | None]]:
    """Honest samples at random places of the inputs' ranges, as integers, and the weights that their scores give."""
    client, grid = Client(model.signature), model.signature.grid
    X = np.random.default_rng(1).uniform(grid.lower, grid.upper, size=(samples, grid.features))
    scores = client.decrypt_integers(released(client.encrypt(X), client.public_key, model))
    inputs, _ = client.quantize(X)
    return inputs, adversary.weights_by_scores(inputs, scores, model.signature.circuit.result_bits)


def test_fewer_samples_than_features_give_all_weights() -> None:
    """A score of T bits is one equation, and says more than one weight: 9 honest samples give 3 · 13 weights.

    Elimination needs 14. With 3, which carry fewer bits than the weights have, reduction finds other small ones.
    """
    X, y = load_wine(return_X_y=True)
    model = hermetic.compile(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X)
    inputs, found = weights_of_wines(model, samples=9)
    assert np.array_equal(found, model.integers.weights)
    assert np.linalg.matrix_rank(inputs[1:] - inputs[0]) == 8 < model.signature.features == 13

    _, found = weights_of_wines(model, samples=3)
    held = np.log2(2 * np.abs(model.integers.weights)).sum(axis=1)
    assert (held > 3 * (model.signature.circuit.result_bits + 1)).all()
    assert not any(np.array_equal(one, true) for one, true in zip(found, model.integers.weights, strict=True))


# 5. Forged public keys: the rule of max_targets


def offering(model: CompiledModel, layout: Layout) -> Signature:
    """The model's signature with one layout, whatever its flooding."""
    return with_circuit(model.signature, offers=(Offer(layout, bounds.MIN_LAMBDA_BITS),))


DIGITS = fitted.digits().model
WIDE = Layout(4096, 32, 12, 10)
FORBIDDEN = Layout(4096, 64, 1, 64)


def test_a_forged_key_reads_the_whole_of_a_narrow_mask() -> None:
    """320 words give 4,096 coefficients of one bit; with them, the mask of c1 comes off and c1·W lies open."""
    signature = offering(DIGITS, WIDE)
    key = adversary.forged_key(signature, stride=32, bits=1)
    query = adversary.silent_query(signature, key, WIDE, samples=32)
    result = adversary.answer_unchecked(DIGITS, signature, query, key, bits=1)
    mask = adversary.read_mask(result, signature, DIGITS.integers.bias, bits=1)
    assert len(mask) == 4096
    (product,) = adversary.bare_product(DIGITS, query)
    assert adversary.recognised(adversary.unmasked(result, key, mask), product, FAST) == 1


def test_a_forged_key_reads_a_small_part_of_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """320 words give 320 coefficients of 26 bits. The 3,776 that are left make c1 a sample of 128 bits by the
    Standard, whose table wants 2,048 for a modulus of 50 bits and an error of 12^-1/2.
    """
    masked, original = [], PublicRing.mask

    def recording(ring: PublicRing, answer: Lanes, *rest: Any) -> None:
        original(ring, answer, *rest)
        masked.append(answer[0, 0].astype(np.int64))

    monkeypatch.setattr(PublicRing, "mask", recording)
    signature = offering(DIGITS, WIDE)
    model = CompiledModel(DIGITS.integers, signature)
    key = adversary.forged_key(signature, stride=32)
    query = adversary.silent_query(signature, key, WIDE, samples=32)
    mask = adversary.read_mask(model.evaluate(query, key), signature, DIGITS.integers.bias)
    c0 = modular.to_centred_integers(masked[0] % np.array(FAST.data_primes)[:, None], FAST.data_primes)
    whole = adversary.read_digits(c0, range(4096), signature, stride=32)
    assert len(whole) == 4096, "the attack is real: all of c0 would give u"
    assert 2**24 < max(map(abs, whole.values())) <= 2**25
    assert mask == {i: whole[i] for i in mask}
    assert len(mask) == 320
    assert bounds.max_targets(FAST, signature.flood_bits) >= 320


@pytest.mark.parametrize("one", [FAST, PRECISE], ids=["fast", "precise"])
def test_no_flooding_allows_more_targets_than_the_mask_can_spare(one: Parameters) -> None:
    wanted = math.log2(one.result_modulus) + math.log2(3.2 * math.sqrt(12))
    degree = {FAST: 2048, PRECISE: 4096}[one]
    assert wanted <= parameters.MAX_MODULUS_BITS[degree]
    for flood in range(10, int(math.log2(one.query_modulus))):
        revealed = bounds.max_targets(one, flood) * bounds.target_bits(one, flood) / bounds.MASK_BITS
        assert one.ring_degree - revealed >= degree


def test_a_model_that_offers_a_forbidden_layout_is_refused() -> None:
    with pytest.raises(ModelFileError, match="releases too many words"):
        CompiledModel(DIGITS.integers, offering(DIGITS, FORBIDDEN))


def test_a_layout_for_large_batches_refuses_small_ones() -> None:
    """64 samples in a layout of 2048 would release 2048 words, though 65 honest samples determine the weights."""
    signature = DIGITS.signature
    large = Layout(4096, 2048, 2, 1)
    key = adversary.forged_key(signature, stride=1)
    assert large in signature.layouts
    with pytest.raises(WireError, match="layout of 64 samples must be one of"):
        Query.from_bytes(adversary.silent_query(signature, key, large, samples=64).to_bytes(), signature)
    Query.from_bytes(adversary.silent_query(signature, key, large, samples=65).to_bytes(), signature)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Parameters:
    """N = 64: no security, and not to be made outside this test. One answer's words then cover the whole mask."""

    def insecure_context(ring_degree: int, primes: tuple[int, ...]) -> seal.SEALContext:
        literal = seal.EncryptionParameters(seal.scheme_type.ckks)
        literal.set_poly_modulus_degree(ring_degree)
        literal.set_coeff_modulus([seal.Modulus(prime) for prime in primes])
        return seal.SEALContext(literal, True, seal.sec_level_type.none)

    monkeypatch.setattr(ring, "_context", insecure_context)
    monkeypatch.setitem(parameters.MAX_MODULUS_BITS, 64, 109)
    return dataclasses.replace(FAST, ring_degree=64)


def test_in_a_small_ring_three_words_give_six_weights(toy: Parameters) -> None:
    """The whole attack, end to end, in a ring small enough: one sample's scores are three numbers, and the weights six.

    Words reveal the mask, the mask opens c1, and c1·W gives W up to rounding, which lattice reduction removes.
    """
    layout = Layout(64, 1, 21, 3)
    signature = with_circuit(offering(PETALS, layout), parameters=toy)
    key = adversary.forged_key(signature, stride=1, bits=1)
    query = adversary.silent_query(signature, key, layout, samples=1)
    result = adversary.answer_unchecked(PETALS, signature, query, key, bits=1)
    mask = adversary.read_mask(result, signature, PETALS.integers.bias, bits=1)
    assert result.words.size == 3
    assert len(mask) == 64
    c1 = adversary.unmasked(result, key, mask)
    assert np.array_equal(adversary.weights_by_lattice(c1, query, outputs=3, features=2), WEIGHTS)
    with pytest.raises(ModelFileError, match="releases too many words"):
        CompiledModel(PETALS.integers, signature)


# 6. The other way round: what a client must not tell a service


def test_scores_told_to_a_dishonest_service_are_the_secret_key(client: Client) -> None:
    """An answer with c1 = delta and words of zero decrypts, without an error, to 450 coefficients of the secret key.

    Results are not authenticated and nothing can be done about it here: docs/security.md says who must keep scores
    to himself.
    """
    result = PETALS.evaluate(client.encrypt(fitted.petals().X), client.public_key)
    c1, words = np.zeros_like(result.c1), np.zeros_like(result.words)
    c1[0, 0, 0] = PETALS.signature.circuit.delta
    told = client.decrypt_integers(replace(result, c1=c1, words=words))
    rows = client.secret_key.ring_key.rows()[None, :1]
    secret = adversary.centred(ring.Ring.of(FAST).intt(rows)[0, 0].astype(object), FAST.key_primes[0])
    ((positions,),) = packing.released(result.batch.layout, 150, 3)
    assert np.array_equal(told.T, secret[positions])
    assert set(np.unique(told)) == {-1, 0, 1}
