"""An unmodified client of encrypted-inference 0.9 gets right scores, with any number of inputs and outputs."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from legacy_client import LegacyClient

from encrypted.inference.eiclient import EILinearRegressionClient
from encrypted.inference.eiserver import EIServer
from hermetic.errors import SettingsError
from hermetic.legacy.ckks import LegacyWeights, RotationKeys
from hermetic.legacy.format import read_strings

Reals = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def keys(old: LegacyClient) -> RotationKeys:
    return RotationKeys(old.keys)


def ask(old: LegacyClient, keys: RotationKeys, coeffs: Reals, intercept: Reals, x: Reals) -> Reals:
    strings = read_strings(old.encrypt(x), len(x))
    return old.decrypt(LegacyWeights(coeffs, intercept).evaluate(strings, keys))


def random_map(outputs: int, features: int) -> tuple[Reals, Reals, Reals]:
    random = np.random.default_rng([outputs, features])
    return random.normal(size=(outputs, features)), random.normal(size=outputs), random.random(size=features)


def assert_right(scores: Reals, coeffs: Reals, intercept: Reals, x: Reals) -> None:
    """Within 1e-6 of the range of scores, over inputs like x."""
    score_range = float(np.abs(coeffs).sum(axis=1).max() * np.abs(x).max() + np.abs(intercept).max())
    assert scores.shape == intercept.shape
    assert np.abs(scores - (coeffs @ x + intercept)).max() <= 1e-6 * score_range


@pytest.mark.parametrize(
    ("outputs", "features"),
    [(1, 1), (2, 3), (3, 30), (10, 784), (16, 4096), (5, 4097), (1, 12_000), (65, 70)],
)
def test_scores_are_right_for_any_shape(old: LegacyClient, keys: RotationKeys, outputs: int, features: int) -> None:
    coeffs, intercept, x = random_map(outputs, features)
    assert_right(ask(old, keys, coeffs, intercept, x), coeffs, intercept, x)


@pytest.mark.parametrize("scale", [1e-6, 1e4, 1e12])
def test_scores_are_right_for_coefficients_of_any_size(old: LegacyClient, keys: RotationKeys, scale: float) -> None:
    coeffs, intercept, x = random_map(3, 50)
    assert_right(ask(old, keys, coeffs * scale, intercept * scale, x), coeffs * scale, intercept * scale, x)


def test_large_inputs_and_scores_do_not_overflow(old: LegacyClient, keys: RotationKeys) -> None:
    coeffs, intercept, x = random_map(4, 60)
    assert_right(ask(old, keys, coeffs, intercept, 1e6 * x), coeffs, intercept, 1e6 * x)


def test_maps_with_zeros_are_answered(old: LegacyClient, keys: RotationKeys) -> None:
    x = np.array([1.0, -2.0, 3.0])
    for coeffs in (np.zeros((3, 3)), np.eye(3), np.array([[0, 0, 1e-3], [0, 0, 0], [5, 0, 0]])):
        intercept = np.array([1.0, 0.0, -7.0])
        assert np.abs(ask(old, keys, coeffs, intercept, x) - (coeffs @ x + intercept)).max() < 1e-5


def test_a_large_intercept_leaves_the_scores_right(old: LegacyClient, keys: RotationKeys) -> None:
    coeffs, _, x = random_map(2, 9)
    intercept = np.array([1e15, -3e14])
    assert_right(ask(old, keys, coeffs, intercept, x), coeffs, intercept, x)


def test_more_outputs_than_slots_are_answered_in_groups() -> None:
    assert len(LegacyWeights(np.ones((4097, 2)), np.ones(4097))._groups) == 2


class CountingKeys(RotationKeys):
    rotations = 0

    def rotate(self, ciphertext: object, step: int) -> object:
        self.rotations += 1
        return super().rotate(ciphertext, step)


@pytest.mark.parametrize(("outputs", "features", "expected"), [(10, 784, 23), (1, 784, 12), (10, 5000, 26)])
def test_the_number_of_rotations_is_what_the_text_says(
    old: LegacyClient, outputs: int, features: int, expected: int
) -> None:
    coeffs, intercept, x = random_map(outputs, features)
    keys = CountingKeys(old.keys)
    LegacyWeights(coeffs, intercept).evaluate(read_strings(old.encrypt(x), features), keys)
    assert keys.rotations == expected


# EIServer


def test_the_server_answers_legacy_clients_and_new_ones_once_it_is_told_to(old: LegacyClient) -> None:
    coeffs, intercept, x = random_map(10, 784)
    with pytest.warns(UserWarning, match="not protected"):
        server = EIServer(coeffs, intercept, legacy_clients=True)
    answer = json.loads(json.dumps(server.predict(json.loads(json.dumps(old.encrypt(x))), old.keys)))
    assert len(answer) == 10
    assert_right(old.decrypt(answer), coeffs, intercept, x)
    new = EILinearRegressionClient()
    scores = new.decrypt(server.predict(new.encrypt(x), new.get_public_keys()[1]))
    assert np.abs(scores - (coeffs @ x + intercept)).max() <= server.error


def test_the_server_refuses_legacy_clients_unless_it_is_told_to(
    old: LegacyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HERMETIC_LEGACY_CLIENTS", raising=False)
    with pytest.raises(ValueError, match="HERMETIC_LEGACY_CLIENTS"):
        EIServer([[1.0]], [0.0]).predict(old.encrypt([1.0]), old.keys)


def test_an_environment_variable_tells_an_unchanged_script(old: LegacyClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMETIC_LEGACY_CLIENTS", "1")
    with pytest.warns(UserWarning, match="not protected"):
        server = EIServer([[2.0]], [1.0])
    assert old.decrypt(server.predict(old.encrypt([3.0]), old.keys)) == pytest.approx([7], abs=1e-5)
    monkeypatch.setenv("HERMETIC_LEGACY_CLIENTS", "maybe")
    with pytest.raises(ValueError, match="must be 1 or 0"):
        EIServer([[2.0]], [1.0])


@pytest.mark.parametrize("word", ["1", "true", "yes", "TRUE", " 1 ", "please"])
def test_an_operator_can_make_them_impossible(word: str, old: LegacyClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks, and however deep: an answer in this format needs weights that are encoded for it."""
    monkeypatch.setenv("HERMETIC_FORBID_LEGACY_CLIENTS", word)
    with pytest.raises(ValueError, match="HERMETIC_FORBID_LEGACY_CLIENTS is set"):
        EIServer([[2.0]], [1.0], legacy_clients=True)
    with pytest.raises(SettingsError, match="must not be answered"):
        LegacyWeights(np.ones((1, 1)), np.ones(1))
    monkeypatch.setenv("HERMETIC_LEGACY_CLIENTS", "1")
    with pytest.raises(ValueError, match="HERMETIC_FORBID_LEGACY_CLIENTS is set"):
        EIServer([[2.0]], [1.0])
    new = EILinearRegressionClient()
    server = EIServer([[2.0]], [1.0], legacy_clients=False)
    assert new.decrypt(server.predict(new.encrypt([3.0]), new.get_public_keys()[1])) == pytest.approx([7], abs=1e-3)


@pytest.mark.parametrize("word", ["", "0", "false", "no"])
def test_a_plain_no_forbids_nothing(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMETIC_FORBID_LEGACY_CLIENTS", word)
    assert LegacyWeights(np.ones((1, 1)), np.ones(1)).features == 1


@pytest.mark.filterwarnings("ignore:answers")
def test_the_server_parses_keys_once_and_keeps_few(old: LegacyClient, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    class Counted(RotationKeys):
        def __init__(self, data: bytes) -> None:
            parsed.append(len(data))
            super().__init__(data)

    monkeypatch.setattr("encrypted.inference.legacy_clients.RotationKeys", Counted)
    server = EIServer([[2.0]], [1.0], legacy_clients=True)
    for _ in range(3):
        server.predict(old.encrypt([3.0]), old.keys)
    assert len(parsed) == 1
    for padding in range(1, 12):  # what follows the rotation keys is not read: other bytes, the same keys
        server.predict(old.encrypt([3.0]), old.keys + bytes(padding))
    assert len(parsed) == 12 and len(server._legacy._keys) <= 8
    server.predict(old.encrypt([3.0]), old.keys)
    assert len(parsed) == 13


@pytest.mark.filterwarnings("ignore:answers")
def test_requests_of_legacy_clients_that_do_not_fit_are_refused(old: LegacyClient) -> None:
    server, right = EIServer([[1.0, 2.0]], [0.0], legacy_clients=True), old.encrypt([1.0, 2.0])
    for ciphertexts, keys, words in [
        ([], old.keys, "must take 1 ciphertexts"),
        (right * 2, old.keys, "must take 1 ciphertexts"),
        (right[0], old.keys, "must be a list"),
        ([7], old.keys, "must be a base64 string"),
        (right, old.keys[:-700_000], "must state its size"),
        (right, old.keys + bytes(2 << 20), "must have at most"),
        (EILinearRegressionClient().encrypt([1.0, 2.0]), old.keys, "format of encrypted-inference 0.9"),
    ]:
        with pytest.raises(ValueError, match=words):
            server.predict(ciphertexts, keys)  # type: ignore[arg-type]
