"""The parts of the client that need no service: options, batches, scores."""

from __future__ import annotations

import inspect
import ssl
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, r2_score

import hermetic
from fitted import digits, tumours
from hermetic import InputError, Query, SettingsError
from hermetic.remote.batches import Batches, best_batch_size
from hermetic.remote.changes import differences
from hermetic.remote.exchange import readable
from hermetic.remote.metrics import accuracy, r2
from hermetic.remote.progress import reporting
from hermetic.remote.settings import Settings

TOKEN = "hermetic_a-token-nobody-should-see"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "127.0.0.1:8000"}, "url must be like"),
        ({"url": "ftp://host"}, "url must be like"),
        ({"url": "https://"}, "url must be like"),
        ({"url": "https://host:99999"}, "url must be like"),
        ({"url": 7}, "url must be like"),
        ({"url": "https://a host"}, "url must be like"),
        ({"url": "https://host\n"}, "url must be like"),
        ({"url": "https://host#"}, "address alone"),
        ({"url": "https://user:secret@host"}, "must not hold a user"),
        ({"url": "https://host?x=1"}, "address alone"),
        ({"model": ""}, "name of a model"),
        ({"in_flight": 0}, "in_flight must be a whole number, 1 or more"),
        ({"in_flight": 2.0}, "in_flight must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"retries": -1}, "retries must be"),
        ({"retries": True}, "retries must be"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"token": ""}, "token must be"),
        ({"token": "two words"}, "without spaces"),
        ({"token": f"{TOKEN}\n"}, "strip the end of the line"),
        ({"token": f"{TOKEN}é"}, "printable ASCII"),
        ({"token": TOKEN, "url": "http://models.example.com"}, "must not travel in the clear"),
        ({"token": TOKEN, "url": "http://10.0.0.1"}, "must not travel in the clear"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        Settings(**{"url": "https://models.example.com", "model": "digits", **options})
    assert TOKEN not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "http://localhost:8000", "http://[::1]:8000", "http://127.8.8.8"])
def test_a_token_may_travel_in_the_clear_within_this_machine(url: str) -> None:
    assert Settings(url=url, model="digits", token=TOKEN).current_token() is not None


def test_or_when_the_caller_says_so() -> None:
    assert Settings(url="http://10.0.0.1", model="digits", token=TOKEN, allow_http=True)


def test_a_token_may_come_from_a_function() -> None:
    tokens = iter(["one", "two", "a bad one"])
    settings = Settings(url="https://host", model="digits", token=lambda: next(tokens))
    shown = [one.reveal() for one in (settings.current_token(), settings.current_token()) if one]
    assert shown == ["one", "two"]
    with pytest.raises(SettingsError):
        settings.current_token()


def test_options_have_one_set_of_defaults() -> None:
    """connect, aconnect and the settings behind them agree on every option."""
    blocking, twin = (inspect.signature(one).parameters for one in (hermetic.connect, hermetic.aconnect))
    assert list(blocking) == list(twin)
    for field in fields(Settings):
        default = inspect.Parameter.empty if field.name in ("url", "model") else field.default
        assert blocking[field.name].default == twin[field.name].default == default or field.name in ("url", "model")


@pytest.mark.parametrize("file", ["missing.pem", "empty.pem"])
def test_certificates_must_be_certificates(file: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="certificates, PEM"):
        hermetic.connect("https://127.0.0.1:1", model="digits", verify=str(tmp_path / file))


def test_an_ssl_context_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    assert hermetic.aconnect("https://127.0.0.1:1", model="digits", verify=context).settings.model == "digits"


@given(st.integers(0, 40), st.integers(1, 50))
def test_batches_are_the_samples_in_order(n: int, size: int) -> None:
    X = np.arange(2 * n).reshape(n, 2)
    batches = Batches(X, size)
    parts = list(batches)
    assert len(parts) == len(batches)
    np.testing.assert_array_equal(np.concatenate(parts), X)
    assert all(len(part) <= size for part in parts)
    assert batches.largest == max(map(len, parts))
    assert batches.done(len(parts)) == n
    assert [first for first, _ in batches.numbered()] == list(range(0, max(n, 1), size))


def test_one_sample_is_one_batch() -> None:
    batches = Batches([1.0, 2.0, 3.0], 2)
    assert (len(batches), batches.samples, batches.largest) == (1, 1, 1)
    (only,) = batches
    assert only.shape == (3,)


def test_a_bar_needs_rich_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(SettingsError, match="pip install rich"), reporting(True, Batches(np.zeros((3, 1)), 1)):
        pass
    with reporting(True, Batches(np.zeros((3, 1)), 3)) as show:  # one batch has no bar
        show(1)


@pytest.mark.parametrize("signature", [digits().signature, tumours().signature])
def test_the_batch_size_is_close_to_the_cheapest(signature: hermetic.Signature) -> None:
    def cost(size: int) -> float:
        return (5 + signature.cost(size).estimated_ms) / size

    chosen = best_batch_size(signature)
    assert cost(chosen) <= 1.1 * min(cost(1 << power) for power in range(13))
    assert chosen == 1 or cost(chosen // 2) > 1.1 * min(cost(1 << power) for power in range(17))


@given(st.integers(1, 5000), st.integers(10_000, 3_000_000))
def test_the_batch_size_respects_what_the_service_takes(max_samples: int, max_bytes: int) -> None:
    signature = digits().signature
    size = best_batch_size(signature, max_samples, max_bytes)
    assert size <= max_samples
    query = Query.size(signature, signature.layout_for(size), size)
    assert query <= max_bytes or size == 1


@given(st.data())
def test_scores_are_scikit_learns(data: st.DataObject) -> None:
    n, k = data.draw(st.integers(2, 20)), data.draw(st.integers(1, 3))
    numbers = st.integers(-3, 3)
    y, predicted = (
        np.array(data.draw(st.lists(numbers, min_size=n * k, max_size=n * k))).reshape(n, k) for _ in range(2)
    )
    weights = np.array(data.draw(st.lists(st.integers(1, 5), min_size=n, max_size=n)))
    for one in (None, weights):
        assert r2(y, predicted, one) == pytest.approx(r2_score(y, predicted, sample_weight=one))
        assert accuracy(y[:, 0], predicted[:, 0], one) == pytest.approx(
            accuracy_score(y[:, 0], predicted[:, 0], sample_weight=one)
        )


@pytest.mark.parametrize("y", [[1, 2], [[1], [2], [3]], 1])
def test_scores_need_one_true_value_a_sample(y: object) -> None:
    for metric in (accuracy, r2):
        with pytest.raises(InputError, match="y must have the shape"):
            metric(y, np.array([1, 2, 3]))  # type: ignore[arg-type]


def test_scores_need_one_weight_a_sample() -> None:
    with pytest.raises(InputError, match="sample_weight must have shape"):
        accuracy([1, 2], np.array([1, 2]), [1.0])


def test_differences_name_what_changed() -> None:
    lines = list(differences(digits().signature, tumours().signature))
    assert "features was 64 and is 30" in lines
    assert 'name was "digits" and is "tumours"' in lines
    assert not list(differences(digits().signature, digits().signature))


@given(st.text())
def test_what_a_server_says_cannot_move_the_cursor(text: str) -> None:
    shown = readable(text)
    assert shown.isprintable()
    assert len(shown) <= 301
