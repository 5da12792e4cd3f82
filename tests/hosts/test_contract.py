"""One script, two hosts, the same answers: what docs/how-to/scoring-script.md says of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from script_hosts import HOSTS, Host, hermetic_serve

TEXT = """
import json

def init():
    global calls
    calls = 0

def run(raw_data):
    asked = json.loads(raw_data)
    if "raise" in asked:
        raise ValueError("a value of the script's own")
    return asked["return"] if "return" in asked else asked
"""

RAW = """
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request: AMLRequest):
    if request.args.get("as") == "json":
        return {"method": request.method, "mine": request.headers.get("X-Mine"), "type": request.content_type,
                "secrets": [request.headers.get("Authorization"), request.headers.get("Cookie")]}
    if request.args.get("as") == "refusal":
        return AMLResponse({"why": "no"}, 418, {"X-Why": "because, so"}, json_str=True)
    return AMLResponse(request.get_data()[::-1], 200, {"Content-Type": "application/octet-stream"})
"""


def started(host: Host, text: str, folder: Path) -> Iterator[str]:
    (folder / "score.py").write_text(text)
    with host(folder / "score.py", folder, {}) as url:
        yield url


@pytest.fixture(scope="module", params=HOSTS.values(), ids=HOSTS)
def text_script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from started(request.param, TEXT, tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module", params=HOSTS.values(), ids=HOSTS)
def raw_script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from started(request.param, RAW, tmp_path_factory.mktemp("raw"))


@pytest.mark.parametrize("value", [None, "Grüße", 1.5, [1, [2]], {"a": {"b": None}}])
def test_what_run_returns_becomes_json(text_script: str, value: object) -> None:
    answer = httpx.post(f"{text_script}/score", content=json.dumps({"return": value}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == ({} if value is None else value)
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0


def test_get_passes_the_parameters(text_script: str) -> None:
    answer = httpx.get(f"{text_script}/score?a=1&b=[2]&c=word&d=3&d=null")
    assert answer.json() == {"a": 1, "b": [2], "c": "word", "d": [3, None]}


def test_a_script_that_raises(text_script: str) -> None:
    answer = httpx.post(f"{text_script}/score", content='{"raise": 1}')
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert "script's own" not in answer.text and "Traceback" not in answer.text


def test_a_body_that_is_not_text(text_script: str) -> None:
    assert httpx.post(f"{text_script}/score", content=b"\xff").status_code == 400


def test_health(text_script: str) -> None:
    answer = httpx.get(text_script)
    assert (answer.status_code, answer.text) == (200, "Healthy")


def test_a_raw_script_takes_and_gives_bytes(raw_script: str) -> None:
    data = bytes(range(256)) * 100
    answer = httpx.post(f"{raw_script}/score", content=data)
    assert (answer.content, answer.headers["content-type"]) == (data[::-1], "application/octet-stream")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_raw_script_sees_the_request(raw_script: str, method: str) -> None:
    headers = {"X-Mine": "me", "Content-Type": "image/png"}
    answer = httpx.request(method, f"{raw_script}/score?as=json", headers=headers, content=b"body")
    assert answer.json() == {"method": method, "mine": "me", "type": "image/png", "secrets": [None, None]}


def test_a_raw_script_may_answer_with_any_status_and_headers(raw_script: str) -> None:
    answer = httpx.post(f"{raw_script}/score?as=refusal", content=b"body")
    assert (answer.status_code, answer.json()) == (418, {"why": "no"})
    assert answer.headers.get_list("x-why", split_commas=True) == ["because", "so"]


def test_hermetic_serve_keeps_credentials_from_the_script(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer secret", "Cookie": "session=secret"}
    for url in started(hermetic_serve, RAW, tmp_path):
        answer = httpx.post(f"{url}/score?as=json", headers=headers, content=b"body")
        assert answer.json()["secrets"] == [None, None]
