"""The data owner's side: every shape that is answered, and every input, key and answer that is refused."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fitted
from hermetic import (
    Client,
    CompiledModel,
    DecryptionError,
    InputError,
    MismatchError,
    Query,
    Result,
    SecretKey,
)

PETALS = fitted.petals()
SAMPLE = [1.4, 0.2]
KEYS = {one.parameters: SecretKey(one.parameters) for one in (PETALS.signature, fitted.progression().signature)}


def client_of(one: fitted.Fitted, **options: Any) -> Client:
    return Client(one.signature, KEYS[one.signature.parameters], **options)


def answer(one: fitted.Fitted, X: Any, **options: Any) -> tuple[Client, Result]:
    client = client_of(one, **options)
    return client, one.model.evaluate(client.encrypt(X), client.public_key)


CLIENT = client_of(PETALS)


# What comes back


@pytest.mark.parametrize(
    "make", [fitted.petals, fitted.digits, fitted.tumours, fitted.progression, fitted.sepals], ids=lambda f: f.__name__
)
def test_results_are_the_estimators_own(make: Callable[[], fitted.Fitted]) -> None:
    one = make()
    client, result = answer(one, one.X)
    scores, labels = client.decrypt(result), client.predict(result)
    expected = one.estimator.predict(one.X)
    assert scores.shape == one.scores.shape
    assert scores.dtype == np.float64
    assert np.abs(scores - one.scores).max() <= one.signature.error
    assert labels.shape == expected.shape
    assert labels.dtype == expected.dtype
    if one.signature.labels is None:
        assert np.array_equal(labels, scores)
    else:
        gap = np.sort(np.atleast_2d(one.scores.T).T, axis=-1)
        clear = np.abs(gap[:, -1] - gap[:, -2] if gap.shape[1] > 1 else gap[:, 0]) > 2 * one.signature.error
        assert clear.mean() > 0.99
        assert np.array_equal(labels[clear], expected[clear])


@pytest.mark.parametrize(
    ("make", "scores", "labels"),
    [
        (fitted.petals, (3,), ()),
        (fitted.tumours, (), ()),
        (fitted.sepals, (2,), (2,)),
        (fitted.progression, (), ()),
    ],
    ids=["classes", "two classes", "two regressions", "regression"],
)
def test_one_sample_comes_back_as_one(make: Callable[[], fitted.Fitted], scores: Any, labels: Any) -> None:
    one = make()
    row = np.asarray(one.X)[0]
    client, result = answer(one, row)
    assert client.decrypt(result).shape == scores
    assert client.predict(result).shape == labels
    batch_client, batch = answer(one, row[None])
    assert batch_client.decrypt(batch).shape == (1, *scores)
    assert batch_client.predict(batch).shape == (1, *labels)
    assert np.array_equal(batch_client.decrypt(batch)[0], client.decrypt(result))


@pytest.mark.parametrize("make", [fitted.petals, fitted.tumours], ids=["softmax", "logistic"])
def test_probabilities_are_the_estimators(make: Callable[[], fitted.Fitted]) -> None:
    one = make()
    client, result = answer(one, one.X)
    expected = one.estimator.predict_proba(one.X)
    assert client.predict_proba(result).shape == expected.shape
    assert np.abs(client.predict_proba(result) - expected).max() <= one.signature.error
    vector_client, vector = answer(one, np.asarray(one.X)[0])
    assert vector_client.predict_proba(vector).shape == expected[0].shape


@pytest.mark.parametrize("make", [fitted.sepals, fitted.progression])
def test_regressions_have_no_probabilities(make: Callable[[], fitted.Fitted]) -> None:
    one = make()
    client, result = answer(one, one.X[:1])
    with pytest.raises(InputError, match=r"Model '\w+' has none: use decrypt or predict"):
        client.predict_proba(result)


@pytest.mark.parametrize("samples", [1, 2, 3, 150])
def test_decrypted_integers_are_the_reference(samples: int) -> None:
    client, result = answer(PETALS, PETALS.X[:samples])
    integers, vector = client.quantize(PETALS.X[:samples])
    assert not vector
    assert np.array_equal(client.decrypt_integers(result), PETALS.model.integers.apply(integers))


def test_progress_counts_ciphertexts() -> None:
    calls: list[tuple[int, int]] = []
    query = CLIENT.encrypt(np.tile(PETALS.X, (28, 1))[:4097], progress=lambda done, total: calls.append((done, total)))
    assert len(query.c0) == 4
    assert calls == [(2, 4), (4, 4)]


# What may go in


FORMS = {
    "lists": lambda X: X.tolist(),
    "tuples": lambda X: tuple(map(tuple, X.tolist())),
    "float32": lambda X: X.astype(np.float32),
    "objects": lambda X: X.astype(object),
    "Fortran order": np.asfortranarray,
    "every other row, backwards": lambda X: np.repeat(X, 2, axis=0)[::-2][::-1],
    "read-only": lambda X: np.broadcast_to(X, X.shape),
    "DataFrame": pd.DataFrame,
    "nullable DataFrame": lambda X: pd.DataFrame(X).convert_dtypes(),
    "CSR matrix": scipy.sparse.csr_matrix,
    "CSC array": scipy.sparse.csc_array,
    "COO matrix": scipy.sparse.coo_matrix,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_any_form_of_numbers_is_the_same_input(form: Callable[[np.ndarray], Any]) -> None:
    expected, _ = CLIENT.quantize(PETALS.X.astype(np.float32))
    found, vector = CLIENT.quantize(form(PETALS.X.astype(np.float32).astype(np.float64)))
    assert np.array_equal(found, expected)
    assert not vector


@pytest.mark.parametrize(
    "one", [SAMPLE, tuple(SAMPLE), np.array(SAMPLE), pd.Series(SAMPLE)], ids=lambda x: type(x).__name__
)
def test_a_vector_is_one_sample(one: Any) -> None:
    integers, vector = CLIENT.quantize(one)
    assert vector
    assert integers.shape == (1, 2)


def test_whole_numbers_and_booleans_are_numbers() -> None:
    digits = client_of(fitted.digits())
    X = fitted.digits().X[:5] > 8
    expected, _ = digits.quantize(X.astype(np.float64))
    for dtype in (bool, np.uint8, np.int64, np.float16):
        assert np.array_equal(digits.quantize(X.astype(dtype))[0], expected)


def test_names_decide_and_errors_name_columns() -> None:
    one = fitted.progression()
    client, X = client_of(one), one.X.iloc[:3]
    expected = client.quantize(X.to_numpy())[0]
    for same in (X, X[X.columns[::-1]], X.assign(more="text")):
        assert np.array_equal(client.quantize(same)[0], expected)
    assert np.array_equal(client.quantize(X.iloc[0].sort_index())[0], expected[:1])
    for wrong in (X.rename(columns={"age": "years"}), X.drop(columns="age")):
        with pytest.raises(InputError, match="Missing: 'age'"):
            client.encrypt(wrong)
    with pytest.raises(InputError, match=r"column 's1' must be between .* \(sample 2, column 's1'\)"):
        client.encrypt(X.assign(s1=[0, 0, 9]))
    with pytest.raises(InputError, match=r"could not convert .*'high' \(sample 2, column 'bp'\)"):
        client.encrypt(X.assign(bp=[0, 1, "high"]))
    with pytest.raises(InputError, match=r"must be finite. Got nan \(sample 1, column 'bp'\)"):
        client.encrypt(X.assign(bp=[0, np.nan, 0]))


REFUSED = {
    "too few features": ([[1.0]], r"shape \(2,\) or \(n, 2\). Got \(1, 1\) instead"),
    "too many features": ([[1.0, 2, 3]], r"Got \(1, 3\) instead"),
    "a vector of another length": ([1.0, 2, 3], r"Got \(3,\) instead"),
    "a number": (1.0, r"Got \(\) instead"),
    "three dimensions": (np.ones((1, 1, 2)), r"Got \(1, 1, 2\) instead"),
    "nothing": ([], r"Got \(0,\) instead"),
    "no samples": (np.ones((0, 2)), r"1 to 16777216 samples. Got 0 instead"),
    "ragged rows": ([[1.0, 2], [1.0]], "inputs must be real numbers. Got list"),
    "NaN": ([1.4, np.nan], r"must be finite. Got nan \(sample 0, feature 1\)"),
    "infinity": ([[1.4, 0.2], [np.inf, 0.2]], r"must be finite. Got inf \(sample 1, feature 0\)"),
    "None": ([1.4, None], r"must be finite. Got nan \(sample 0, feature 1\)"),
    "missing": (
        pd.DataFrame({"a": pd.array([1.0, None]), "b": [0.1, 0.2]}),
        "inputs must be real numbers|must be finite",
    ),
    "text": ([["1.4", "0.2"]], "inputs must be real numbers. Got list that is not: its dtype is <U3"),
    "bytes": (np.array([[b"1.4", b"0.2"]]), "its dtype is [|]S3"),
    "words": (np.array([["one", 2]], dtype=object), "inputs must be real numbers"),
    "complex": ([1.4 + 0j, 0.2], "its dtype is complex128"),
    "complex objects": (np.array([1.4 + 1j, 0.2], dtype=object), "inputs must be real numbers"),
    "dates": (np.array([["2026-01-01", "2026-01-02"]], dtype="M8[D]"), "its dtype is datetime64"),
    "durations": (np.array([[1, 2]], dtype="m8[s]"), "its dtype is timedelta64"),
    "dates as objects": (
        np.array([np.datetime64("2026"), 0.2], dtype=object),
        "it holds dates or times .*feature 0",
    ),
    "durations as objects": (np.array([1.4, np.timedelta64(0, "ns")], dtype=object), "it holds dates or times"),
    "a mapping": ({"a": 1.4, "b": 0.2}, "inputs must be real numbers. Got dict"),
    "above the range": ([1.4, 1e6], r"feature 1 must be between .* Got 1000000 \(sample 0, feature 1\)"),
    "below the range": ([-1e6, 0.2], "feature 0 must be between .* Check the units of the data"),
    "near float's end": ([1.7e308, -1.7e308], "feature 0 must be between"),
}


@pytest.mark.parametrize(("X", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_anything_else_is_refused_before_it_is_encrypted(X: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        CLIENT.encrypt(X)
    assert type(raised.value) is InputError
    assert isinstance(raised.value, ValueError)


def test_values_off_the_grid_are_refused_unless_rounded() -> None:
    one = fitted.digits()
    X = one.X[0].copy()
    X[7] = 3.4
    with pytest.raises(InputError, match=r"feature 7 must be 0 plus a multiple of 1. Got 3.4 .*round_inputs=True"):
        client_of(one).encrypt(X)
    rounded, _ = client_of(one, round_inputs=True).quantize(X)
    X[7] = 3
    assert np.array_equal(rounded, client_of(one).quantize(X)[0])


def test_values_out_of_range_are_refused_unless_clipped() -> None:
    grid = PETALS.signature.grid
    clipped, _ = client_of(PETALS, clip=True).quantize([[1e6, -1e6], [1.4, 0.2]])
    assert np.array_equal(clipped[0], [grid.high[0], grid.low[1]])
    assert np.array_equal(clipped[1], CLIENT.quantize(SAMPLE)[0][0])
    with pytest.raises(InputError, match="must be finite"):
        client_of(PETALS, clip=True).encrypt([np.inf, 0.2])


def test_the_ends_of_the_range_are_in_range() -> None:
    grid = PETALS.signature.grid
    integers, _ = CLIENT.quantize(np.array([grid.lower, grid.upper]))
    assert np.array_equal(integers, [grid.low, grid.high])


# What is not an answer


def test_an_answer_to_another_key_is_a_mismatch() -> None:
    _, result = answer(PETALS, SAMPLE)
    other = Client(PETALS.signature)
    with pytest.raises(MismatchError, match=f"must answer the key {other.public_key.id[:16]}"):
        other.decrypt(result)


def test_an_answer_of_another_model_is_a_mismatch() -> None:
    one = fitted.sepals()
    _, result = answer(one, SAMPLE)
    with pytest.raises(MismatchError, match="must come from model 'petals'"):
        CLIENT.decrypt(result)


def test_an_answer_under_another_signature_of_the_same_weights_is_a_mismatch() -> None:
    renamed = CompiledModel(PETALS.model.integers, replace(PETALS.signature, name="petals, renamed"))
    client = Client(renamed.signature, CLIENT.secret_key)
    result = renamed.evaluate(client.encrypt(SAMPLE), client.public_key)
    with pytest.raises(MismatchError):
        CLIENT.decrypt(result)
    with pytest.raises(MismatchError):
        Result.from_bytes(result.to_bytes(), PETALS.signature)


def test_two_clients_of_one_key_read_each_others_answers() -> None:
    first, result = answer(PETALS, SAMPLE)
    second = Client(PETALS.signature, first.secret_key)
    assert first.secret_key is second.secret_key
    assert np.array_equal(first.decrypt(result), second.decrypt(result))


def with_phase(result: Result, phase: int) -> Result:
    """The answer, its first target word changed so that it decrypts to a phase."""
    (modulus,) = result.parameters.kept_primes
    words = result.words.copy()
    words[0, 0] = (words[0, 0] + phase - int(CLIENT._half.phase(result)[0, 0])) % modulus
    return replace(result, words=words)


def test_noise_beyond_its_bound_is_an_error() -> None:
    _, result = answer(PETALS, SAMPLE)
    delta, noise = PETALS.signature.circuit.delta, PETALS.signature.circuit.result_noise
    for phase, value in ((7 * delta + noise, 7), (-7 * delta - noise, -7)):
        assert CLIENT.decrypt_integers(with_phase(result, phase))[0, 0] == value
    for phase in (7 * delta + noise + 1, 7 * delta - noise - 1, -7 * delta + delta // 2):
        with pytest.raises(DecryptionError, match="damaged, forged, or computed under another key"):
            CLIENT.decrypt(with_phase(result, phase))


def test_an_integer_out_of_range_is_an_error() -> None:
    _, result = answer(PETALS, SAMPLE)
    largest = 1 << (PETALS.signature.circuit.result_bits - 1)
    delta = PETALS.signature.circuit.delta
    assert CLIENT.decrypt_integers(with_phase(result, (largest - 1) * delta))[0, 0] == largest - 1
    with pytest.raises(DecryptionError):
        CLIENT.decrypt(with_phase(result, largest * delta))


def test_an_answer_under_another_key_is_not_read_by_accident() -> None:
    """Relabelled answers of a stranger decrypt to random words: not each is out of bounds, but some of 90 are."""
    stranger = Client(PETALS.signature)
    query = stranger.encrypt(PETALS.X[:30])
    result = PETALS.model.evaluate(query, stranger.public_key)
    relabelled = replace(result, batch=replace(result.batch, key=bytes.fromhex(CLIENT.public_key.id)))
    with pytest.raises(DecryptionError):
        CLIENT.decrypt(relabelled)


def test_warnings_are_not_part_of_the_contract() -> None:
    """Encrypting, evaluating and decrypting ordinary data is silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client, result = answer(PETALS, PETALS.X)
        client.predict(result)
        client.predict_proba(result)


def test_what_the_server_sees_of_a_query() -> None:
    query = CLIENT.encrypt(PETALS.X[:7])
    assert repr(query) == f"Query(samples=7, ciphertexts={len(query.c0)}, key_id={CLIENT.public_key.id[:16]}…)"
    read = Query.from_bytes(query.to_bytes(), PETALS.signature)
    assert read.samples == 7
    assert read.key_id == CLIENT.public_key.id
