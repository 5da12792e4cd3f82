"""A service that forges answers and watches what the client does next. Whether a forgery decrypts within the noise
bound depends on one coefficient of the secret key: who sees that, has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import hermetic
from fitted import petals
from hermetic import Client, DecryptionError, Result, SecretKey
from hermetic.circuits.packing import released
from hermetic.remote.answers import Answer, Answers
from hermetic.remote.session import _decrypt
from hermetic.rlwe.parameters import FAST
from hermetic.rlwe.ring import Ring
from in_process import URL, InProcess, rewrite

X = petals().X[:3]
COEFFICIENTS = range(100, 112)

Ask = Callable[[InProcess, SecretKey], Any]


@dataclass(frozen=True)
class Forgery:
    """An answer that decrypts unless coefficient ``place`` of the secret key is ``sign``."""

    place: int
    sign: int

    def __call__(self, body: bytes) -> bytes:
        start = body.index(b"HRMT")
        honest = Result.from_bytes(body[start:], petals().signature)
        primes = np.array(FAST.kept_primes)
        target = int(released(honest.batch.layout, 1, petals().signature.circuit.integer_outputs)[0][0].reshape(-1)[0])
        shift, wraps = (target - self.place) % FAST.ring_degree, self.place > target
        c1, words = np.zeros_like(honest.c1), np.zeros_like(honest.words)
        c1[0, :, shift] = (-1 if wraps else 1) % primes
        words[:, 0] = self.sign * petals().signature.circuit.result_noise % primes
        return body[:start] + replace(honest, c1=c1, words=words).to_bytes()


def blocking(service: InProcess, key: SecretKey) -> None:
    options: dict[str, Any] = {"batch_size": 1, "in_flight": 1, "secret_key": key}
    hermetic.connect(URL, model="petals", transport=service.transport, **options).predict(X)


def asynchronous(service: InProcess, key: SecretKey) -> None:
    async def ask() -> None:
        options: dict[str, Any] = {"batch_size": 1, "in_flight": 1, "secret_key": key}
        async with hermetic.aconnect(URL, model="petals", transport=service.async_transport, **options) as remote:
            await remote.predict(X)

    service.run(ask)


def seen_by_the_service(ask: Ask, service: InProcess, key: SecretKey, place: int) -> tuple[list[str], bool]:
    """What it sees of a call whose first two answers it forges, and whether the caller got an error."""
    service.balancer.seen.clear()
    service.balancer.planned.clear()
    service.balancer.fail("/infer", rewrite(Forgery(place, 1)))
    service.balancer.fail("/infer", rewrite(Forgery(place, -1)))
    try:
        ask(service, key)
    except DecryptionError:
        return [f"{one.method} {one.path}" for one in service.balancer.seen], True
    return [f"{one.method} {one.path}" for one in service.balancer.seen], False


def coefficients(key: SecretKey) -> list[int]:
    rows = Ring.of(FAST).intt(key.ring_key.rows()[None, :1])[0, 0]
    return [int(one) if one < 2 else -1 for one in rows[list(COEFFICIENTS)]]


def guessed(seen: list[str]) -> int:
    """The first forgery ends the call if the coefficient is 1, the second if it is -1."""
    return {1: 1, 2: -1, 3: 0}[sum(one.endswith("/infer") for one in seen)]


@pytest.mark.parametrize("ask", [blocking, asynchronous])
def test_a_client_that_decrypts_as_answers_come_tells_its_key(
    ask: Ask, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SecretKey(FAST)
    client, add = Client(petals().signature, key), Answers.add

    def at_once(answers: Answers, answer: Answer) -> None:
        _decrypt(client, answer)
        add(answers, answer)

    monkeypatch.setattr(Answers, "add", at_once)
    found = [guessed(seen_by_the_service(ask, service, key, place)[0]) for place in COEFFICIENTS]
    assert found == coefficients(key)


@pytest.mark.parametrize("ask", [blocking, asynchronous])
def test_a_call_looks_the_same_whatever_decrypts(ask: Ask, service: InProcess) -> None:
    key = SecretKey(FAST)
    ask(service, key)  # from now on the service has the public key
    calls = [seen_by_the_service(ask, service, key, place) for place in COEFFICIENTS]
    assert [failed for _, failed in calls] == [one != 0 for one in coefficients(key)]
    assert [seen for seen, _ in calls] == [calls[0][0]] * len(calls)


@pytest.mark.parametrize("ask", [blocking, asynchronous])
def test_nothing_is_decrypted_before_the_last_answer(
    ask: Ask, service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an order nor a delay between requests can then depend on it; and all is decrypted before an error."""
    events: list[str] = []
    decrypt, add = Client.decrypt, Answers.add
    monkeypatch.setattr(Client, "decrypt", lambda *given: (events.append("decrypt"), decrypt(*given))[1])
    monkeypatch.setattr(Answers, "add", lambda *given: (events.append("answer"), add(*given))[1])
    key = SecretKey(FAST)
    for place in COEFFICIENTS:
        seen_by_the_service(ask, service, key, place)
    assert events == ["answer", "answer", "answer", "decrypt", "decrypt", "decrypt"] * len(COEFFICIENTS)


def test_answers_come_back_as_they_were_also_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermetic.remote.answers._IN_MEMORY", 10)
    batch = Client(petals().signature).encrypt(X).batch
    given = [Answer(batch, bytes([i]) * i) for i in range(20)]
    with Answers() as answers:
        for one in given:
            answers.add(one)
        assert len(answers) == 20
        assert list(answers) == given


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("hermetic.remote.answers._IN_MEMORY", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with Answers() as answers, pytest.raises(hermetic.RemoteError, match="TMPDIR"):
        answers.add(Answer(Client(petals().signature).encrypt(X).batch, bytes(11)))
