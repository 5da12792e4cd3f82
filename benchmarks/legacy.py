"""Requests of unmodified clients of ``encrypted-inference`` 0.9, answered by its own server and by Hermetic.

All servers get the same ciphertexts and keys, which a process in 0.9's own environment makes; it decrypts the answers
too. Hermetic answers as ``EIServer(legacy_clients=True)`` in this process, and as ``hermetic serve --legacy-clients``
over HTTP on loopback.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

import hermetic
from encrypted.inference.eiserver import EIServer

from .peers.environments import PEERS, SCRIPTS, peer_python
from .service import NAME, encrypted
from .tables import duration, size

Reals = npt.NDArray[np.float64]

AIM_MS = 300
"""An answer should take no longer: ten classes of 784 features, keys known."""

NEW_CLIENTS = 3
REPEAT_OLD_SERVER = 3
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """What a client sends: which one it is, of which image, and its base64 strings."""

    client: int
    image: int
    strings: list[str]


@dataclass(frozen=True)
class Answer:
    """What it gets: its base64 strings, the milliseconds it took, the bytes of both ways."""

    strings: list[str]
    ms: float
    request_bytes: int
    response_bytes: int


@dataclass(frozen=True)
class Answered:
    """One server. Medians in ms, of requests whose keys the server knows, and of the first of a client; bytes of one
    request; the largest |score - plain score|, divided by the range of the plain scores.
    """

    name: str
    known_ms: float
    first_ms: float
    decrypt_ms: float
    key_bytes: int
    request_bytes: int
    response_bytes: int
    relative_error: float
    repeat: int


class OldSide:
    """Clients and the server of 0.9 in a process of their own; see ``peers/encrypted_inference_09_live.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.keys: list[tuple[str, bytes]] = []

    def new_client(self) -> None:
        """Add its key id and public keys to ``keys``."""
        (key_id, keys), _ = self.ask("keys")
        self.keys.append((key_id, base64.b64decode(keys)))

    def ask(self, *question: Any) -> tuple[Any, float]:
        """The result of a method, and the milliseconds it took there."""
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("the process of encrypted-inference 0.9 must answer. It ended.")
        result, ms = json.loads(line)
        return result, ms


def measure_legacy(estimator: Any, X: Reals, repeat: int, new_clients: int = NEW_CLIENTS) -> Iterator[Answered]:
    """0.9's own server (which answers the first three requests only), then both of Hermetic's."""
    model = hermetic.compile(estimator, X[:1000], name=NAME)
    plain = np.atleast_2d(estimator.decision_function(X).T).T
    with tempfile.TemporaryDirectory() as folder, _old_side(estimator, Path(folder)) as old:
        for _ in range(1 + new_clients):
            old.new_client()
        known = [_request(old, 0, i, X) for i in range(repeat)]
        first = [_request(old, i + 1, i, X) for i in range(new_clients)]

        def measured(name: str, ask: Callable[[Request], Answer], count: int = repeat) -> Answered:
            return _measured(name, old, ask, known[:count], first, plain)

        yield measured("encrypted-inference 0.9's own EIServer", _own_server(old), REPEAT_OLD_SERVER)
        yield measured("hermetic, EIServer(legacy_clients=True)", _drop_in(old, estimator))
        with encrypted(model, Path(folder), "--legacy-clients", workers=1) as (_, url), _score(old, url) as ask:
            yield measured("hermetic serve --legacy-clients, POST /score", ask)


def answered_lines(answered: list[Answered]) -> list[list[str]]:
    """A table of the servers."""
    return [
        ["", *(one.name for one in answered)],
        ["public keys", *(size(one.key_bytes) for one in answered)],
        ["request", *(size(one.request_bytes) for one in answered)],
        ["answer, keys known", *(duration(one.known_ms) for one in answered)],
        [f"within {AIM_MS} ms", *("yes" if one.known_ms <= AIM_MS else "no" for one in answered)],
        ["answer, first request", *(duration(one.first_ms) for one in answered)],
        ["response", *(size(one.response_bytes) for one in answered)],
        ["decrypt, by the legacy client", *(duration(one.decrypt_ms) for one in answered)],
        ["max error / range of scores", *(f"{one.relative_error:.1e}" for one in answered)],
        ["requests answered", *(str(one.repeat) for one in answered)],
    ]


@contextlib.contextmanager
def _old_side(estimator: Any, folder: Path) -> Iterator[OldSide]:
    data, peer = folder / "old.npz", PEERS["encrypted-inference"]
    np.savez(data, coef=estimator.coef_, intercept=estimator.intercept_)
    python = peer_python(peer)
    script = SCRIPTS / "encrypted_inference_09_live.py"
    command = [str(python), "-E", "-s", "-W", "ignore", str(script), "--input", str(data)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield OldSide(process)
    finally:
        process.kill()
        process.communicate()


def _request(old: OldSide, client: int, image: int, X: Reals) -> Request:
    return Request(client, image, old.ask("encrypt", client, X[image].tolist())[0])


def _own_server(old: OldSide) -> Callable[[Request], Answer]:
    def ask(request: Request) -> Answer:
        strings, ms = old.ask("predict", request.client, request.strings)
        return Answer(strings, ms, sum(map(len, request.strings)), sum(map(len, strings)))

    return ask


def _drop_in(old: OldSide, estimator: Any) -> Callable[[Request], Answer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that coefficients are not protected: it is 0.9's own format
        server = EIServer(estimator.coef_, estimator.intercept_, legacy_clients=True)

    def ask(request: Request) -> Answer:
        start = time.perf_counter()
        strings = server.predict(request.strings, old.keys[request.client][1])
        ms = (time.perf_counter() - start) * 1e3
        return Answer(strings, ms, sum(map(len, request.strings)), sum(map(len, strings)))

    return ask


@contextlib.contextmanager
def _score(old: OldSide, url: str) -> Iterator[Callable[[Request], Answer]]:
    """Uploads every client's keys, then asks over a connection that stays open."""
    with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS) as http:
        for key_id, keys in old.keys:
            http.put(f"/keys/{key_id}", content=keys).raise_for_status()

        def ask(request: Request) -> Answer:
            body = json.dumps({"data": request.strings, "key_id": old.keys[request.client][0]}).encode()
            start = time.perf_counter()
            answer = http.post("/score", content=body).raise_for_status()
            ms = (time.perf_counter() - start) * 1e3
            return Answer(answer.json(), ms, len(body), len(answer.content))

        yield ask


def _measured(
    name: str, old: OldSide, ask: Callable[[Request], Answer], known: list[Request], first: list[Request], plain: Reals
) -> Answered:
    """The first of the known requests is asked once more before: after it, its keys are known."""
    ask(known[0])
    requests = [*known, *first]
    answers = [ask(one) for one in requests]
    pairs = list(zip(requests, answers, strict=True))
    scores, decrypt_ms = zip(*(old.ask("decrypt", one.client, answer.strings) for one, answer in pairs), strict=True)
    error = np.abs(np.array(scores) - plain[[one.image for one in requests]]).max() / np.ptp(plain)
    ms = [answer.ms for answer in answers]
    return Answered(
        name,
        float(np.median(ms[: len(known)])),
        float(np.median(ms[len(known) :])),
        float(np.median(decrypt_ms)),
        len(old.keys[0][1]),
        answers[0].request_bytes,
        answers[0].response_bytes,
        float(error),
        len(known),
    )
