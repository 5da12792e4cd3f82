"""The names of encrypted-inference 0.9, with Hermetic underneath: any shape, clear errors, nothing secret printed."""

from __future__ import annotations

import base64
import inspect
import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encrypted.inference.eiclient import EILinearRegressionClient
from encrypted.inference.eiserver import EIServer
from encrypted.inference.exchange import KEY_BYTES, LARGEST_INPUT, PARAMETERS, question
from hermetic.circuits.linear import bounds
from hermetic.circuits.query import Query

Reals = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def client() -> EILinearRegressionClient:
    return EILinearRegressionClient()


@pytest.fixture(scope="module")
def keys(client: EILinearRegressionClient) -> bytes:
    return client.get_public_keys()[1]


def random_map(outputs: int, features: int) -> tuple[Reals, Reals, Reals]:
    random = np.random.default_rng([outputs, features])
    return random.normal(size=(outputs, features)), random.normal(size=outputs), random.normal(size=features)


def ask(client: EILinearRegressionClient, server: EIServer, x: npt.ArrayLike) -> Reals:
    """One round trip, with JSON between the two as the guide has it."""
    request = json.loads(json.dumps(client.encrypt(x)))
    answer = json.loads(json.dumps(server.predict(request, client.get_public_keys()[1])))
    return client.decrypt(answer)


@pytest.mark.parametrize(
    ("outputs", "features"), [(1, 1), (10, 784), (1, 4096), (3, 5000), (150, 3), (1, 12_000), (33, 1025)]
)
def test_any_shape_is_answered_within_the_guaranteed_error(
    client: EILinearRegressionClient, outputs: int, features: int
) -> None:
    coeffs, intercept, x = random_map(outputs, features)
    server = EIServer(coeffs, intercept)
    scores = ask(client, server, x)
    assert scores.shape == (outputs,) and scores.dtype == np.float64
    assert np.abs(scores - (coeffs @ x + intercept)).max() <= server.error


def test_errors_are_as_small_as_those_of_the_package_that_is_replaced(client: EILinearRegressionClient) -> None:
    coeffs, intercept, x = random_map(10, 784)
    assert np.abs(ask(client, EIServer(coeffs, intercept), x) - (coeffs @ x + intercept)).max() < 2e-6


@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1e9, 1e100])
def test_coefficients_of_any_size_are_answered(client: EILinearRegressionClient, scale: float) -> None:
    coeffs, intercept, x = random_map(3, 20)
    server = EIServer(coeffs * scale, intercept * scale)
    wrong = np.abs(ask(client, server, x) / scale - (coeffs @ x + intercept)).max()
    assert wrong <= server.error / scale < 1e-5


def test_the_largest_inputs_and_coefficients_of_zero_are_answered(client: EILinearRegressionClient) -> None:
    x = np.array([LARGEST_INPUT, -LARGEST_INPUT, 0])
    server = EIServer([[1, -1, 0], [0, 0, 0]], [0.5, -2])
    assert np.abs(ask(client, server, x) - [2 * LARGEST_INPUT + 0.5, -2]).max() <= server.error


def test_signatures_are_those_of_0_9() -> None:
    calls = {
        EILinearRegressionClient: "(secret_key, session_id, verbose)",
        EILinearRegressionClient.get_public_keys: "(self)",
        EILinearRegressionClient.encrypt: "(self, values)",
        EILinearRegressionClient.decrypt: "(self, response)",
        EILinearRegressionClient.secret_key: "(self)",
        EILinearRegressionClient.secret_key_hash: "(self)",
        EIServer.predict: "(self, ciphertexts, public_keys)",
    }
    for call, expected in calls.items():
        assert f"({', '.join(inspect.signature(call).parameters)})" == expected
    assert [*inspect.signature(EIServer).parameters][:3] == ["coeffs", "intercept", "verbose"]


def test_names_of_keys_have_the_form_of_0_9(client: EILinearRegressionClient) -> None:
    key_id, keys = client.get_public_keys()
    assert key_id == client.secret_key_hash()[:32] == client.key_id
    assert len(client.secret_key_hash()) == 52 and set(key_id) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert isinstance(keys, bytes) and len(keys) == KEY_BYTES


def test_a_client_made_again_reads_old_answers_and_uses_old_keys(client: EILinearRegressionClient) -> None:
    server = EIServer([[2.0, 3.0]], [1.0])
    key_id, keys = client.get_public_keys()
    answer = server.predict(client.encrypt([1, 1]), keys)
    again = EILinearRegressionClient(client.secret_key())
    assert again.key_id == key_id and again.secret_key() == client.secret_key()
    assert again.decrypt(answer) == pytest.approx([6], abs=server.error)
    for used in (keys, again.get_public_keys()[1]):
        scores = again.decrypt(server.predict(again.encrypt([2, 2]), used))
        assert scores == pytest.approx([11], abs=server.error)


def test_encrypting_twice_gives_different_bytes(client: EILinearRegressionClient) -> None:
    assert client.encrypt([1.0]) != client.encrypt([1.0])


def test_verbose_prints_progress_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    client = EILinearRegressionClient(session_id="mine", verbose=True)
    server = EIServer([[1.5]], [0], verbose=True)
    client.decrypt(server.predict(client.encrypt([3.0]), client.get_public_keys()[1]))
    shown = capsys.readouterr().out
    assert "Session ID: mine" in shown and client.key_id in shown and "Input data encrypted" in shown
    assert len(shown.splitlines()) == 9
    assert client.secret_key()[:24] not in shown and "1.5" not in shown and client.secret_key()[:24] not in repr(client)


def test_silent_by_default(client: EILinearRegressionClient, capsys: pytest.CaptureFixture[str]) -> None:
    ask(client, EIServer([[1.5]], [0]), [3.0])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("features", [1, 79, 784, 1024, 1025, 8192, 1 << 20])
def test_every_layout_is_one_that_hides_the_weights(features: int) -> None:
    asked = question(features)
    assert bounds.layout_allowed(PARAMETERS, asked.layouts[0], features, asked.flood_bits, 1)
    assert asked.flood_bits > 80


def test_answers_are_flooded(client: EILinearRegressionClient) -> None:
    for outputs, features in [(10, 784), (1, 1), (150, 3)]:
        coeffs, intercept, _ = random_map(outputs, features)
        assert EIServer(coeffs, intercept)._model.signature.lambda_bits >= 40


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "number of inputs must be 1 to"),
        ([[1.0]], "must have one dimension"),
        (3.0, "must have one dimension"),
        (["a"], "must be real numbers"),
        ([1, float("nan")], "Value 1 is not"),
        ([float("inf")], "must be finite"),
        ([0, 20_000], "from -16384 to 16384. Value 1 is not"),
    ],
)
def test_inputs_that_cannot_be_encrypted_are_refused(
    client: EILinearRegressionClient, values: npt.ArrayLike, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        client.encrypt(values)


@pytest.mark.parametrize(
    ("coeffs", "intercept", "words"),
    [
        ([1.0], [1.0], "must have shape"),
        ([[1.0]], [1.0, 2.0], "must have shape"),
        ([[1.0]], 1.0, "must have shape"),
        ([["a"]], [1.0], "must be real numbers"),
        ([[float("nan")]], [1.0], "must be finite"),
        ([[1.0]], [1e300], "below 1e"),
        (np.zeros((0, 3)), [], "1 to"),
        (np.zeros((1, 0)), [0], "1 to"),
    ],
)
def test_coefficients_that_cannot_be_served_are_refused(
    coeffs: npt.ArrayLike, intercept: npt.ArrayLike, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        EIServer(coeffs, intercept)


@pytest.mark.parametrize("secret", ["", "not base64!", base64.b64encode(bytes(64)).decode(), "/" * 2732, "A" * 90_000])
def test_secret_keys_that_are_none_are_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret_key must"):
        EILinearRegressionClient(secret)


def test_requests_that_do_not_fit_are_refused(client: EILinearRegressionClient, keys: bytes) -> None:
    server = EIServer([[1.0, 2.0]], [0.0])
    others = EILinearRegressionClient().get_public_keys()[1]
    request = client.encrypt([1, 2])
    for ciphertexts, public_keys, words in [
        (client.encrypt([1, 2, 3]), keys, "must have 2 inputs"),
        (request, others, "must come from the same client"),
        (request, keys[:-1], f"must have {KEY_BYTES} bytes"),
        (request, "text", "must be bytes"),
        (request, bytes(KEY_BYTES), "must start with"),
        (request[0], keys, "must be a list of"),
        ([], keys, "must be a list of"),
        (None, keys, "must be a list of"),
        ([7], keys, "must be a base64 string"),
        (["*"], keys, "must be a base64 string"),
        ([request[0] * 2], keys, "must have at most"),
    ]:
        with pytest.raises(ValueError, match=words):
            server.predict(ciphertexts, public_keys)  # type: ignore[arg-type]


def test_responses_that_do_not_fit_are_refused(client: EILinearRegressionClient, keys: bytes) -> None:
    server, other = EIServer([[1.0, 2.0]], [0.0]), EILinearRegressionClient()
    answer = server.predict(client.encrypt([1, 2]), keys)
    wider = EIServer([[1.0]], [0.0]).predict(client.encrypt([1]), keys)
    with pytest.raises(ValueError, match="It answers"):
        other.decrypt(answer)
    for response in ([], answer[:1], answer[0], None, 3, [*answer, ""], answer[::-1], [wider[0], answer[1]], [1, 2]):
        with pytest.raises(ValueError, match="response must"):
            client.decrypt(response)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.data())
def test_damaged_bytes_raise_value_error_and_nothing_else(data: st.DataObject) -> None:
    client, server = EILinearRegressionClient(SECRET), EIServer([[1.0]], [0.0])
    request, keys = client.encrypt([1.0]), client.get_public_keys()[1]
    target = data.draw(st.sampled_from(["request", "keys"]))
    raw = bytearray(base64.b64decode(request[0]) if target == "request" else keys)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="must"):
        if target == "request":
            server.predict([base64.b64encode(raw).decode()], keys)
        else:
            server.predict(request, bytes(raw))


SECRET = EILinearRegressionClient().secret_key()


def test_the_server_sees_the_number_of_inputs_and_nothing_else_of_them(client: EILinearRegressionClient) -> None:
    sizes = {len(client.encrypt(np.full(784, value))[0]) for value in (0.0, 1.0, -16384.0)}
    assert len(sizes) == 1
    query = Query.from_bytes(base64.b64decode(client.encrypt([1.0, 2.0])[0]), question(2))
    assert query.batch.signature == question(2).digest and query.samples == 1
