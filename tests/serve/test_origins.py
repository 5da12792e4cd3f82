"""Pages of other origins have a service without tokens compute and store nothing; its own page and programs do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asking import Caller
from raw import Raw

from fitted import petals
from hermetic.serve import base_service
from hermetic.serve.access import new_token, token_line
from in_process import URL, running
from live import Live, serving, serving_script

OTHER = "https://app.example.com"
CALLS = [
    ("POST", "/score"),
    ("POST", "/v2/models/petals/infer"),
    ("POST", "/v2/models/petals/versions/1/infer"),
    ("PUT", f"/keys/{'0' * 64}"),
    ("DELETE", f"/keys/{'0' * 64}"),
    ("GET", f"/keys/{'0' * 64}"),
]
FOREIGN = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": ""},
    {"Origin": "http://"},
    {"Origin": "http://["},
    {"Origin": "file://"},
    {"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "chrome-extension://localhost"},
    {"Origin": "https://app.example.com.evil.example"},
    {"Origin": "https://app.example.com:8443"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "what comes next"},
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    options = ("--cors-origin", OTHER, "--public-url", "https://predict.example.org/hermetic")
    with serving(tmp_path_factory.mktemp("origins"), {"petals": petals().model}, *options) as one:
        yield one


def call(live: Live, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and code of a request with a body of plain text, as a page may send it anywhere without asking."""
    body = {"Content-Type": "text/plain", "Content-Length": "0"}
    with Raw(live.port) as raw:
        raw.send_head(method, path, {"Host": f"localhost:{live.port}", **body, **headers})
        answer = raw.read_answer()
    return answer.status, answer.json()["code"]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_another_origin_s_page_is_refused(live: Live, method: str, path: str, headers: dict[str, str]) -> None:
    assert call(live, method, path, headers) == (403, "cross_site")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_own_pages_named_ones_and_programs_are_heard(live: Live, method: str, path: str) -> None:
    """They are told what is wrong with the request itself."""
    port = live.port
    for headers in [
        {},
        {"Origin": f"http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Origin": f"http://localhost:{port}"},
        {"Origin": f"http://127.0.0.1:{port}", "Host": f"127.0.0.1:{port}"},
        {"Origin": f"http://[::1]:{port}", "Host": f"[::1]:{port}"},
        {"Origin": "http://localhost", "Host": "localhost:80"},
        {"Origin": "https://predict.example.org", "Host": "127.0.0.1:8000"},
        {"Origin": "https://anything.example.org", "Sec-Fetch-Site": "same-origin"},  # a proxy wrote another Host
        {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ]:
        status, code = call(live, method, path, headers)
        assert status in (404, 413, 422) and code != "cross_site", headers


def test_a_query_from_its_own_page_and_from_a_named_one_is_answered(live: Live) -> None:
    for origin in (live.url, OTHER):
        caller = Caller(live.url, petals())
        caller.http.headers["Origin"] = origin
        assert caller.put_key().status_code == 201
        assert caller.works()


def test_what_computes_and_stores_nothing_can_be_read_by_address(live: Live) -> None:
    for path in ("/", "/healthz", "/models", "/v2", "/openapi.json"):
        assert httpx.get(live.url + path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_scoring_script_runs_for_no_other_page(tmp_path: Path) -> None:
    script, ran = tmp_path / "score.py", tmp_path / "ran"
    script.write_text(f"def init(): pass\ndef run(raw_data):\n    open({str(ran)!r}, 'a').write('x')\n    return 1\n")
    with serving_script(script) as live:
        for method in ("GET", "POST"):
            for headers in FOREIGN:
                assert call(live, method, "/score", headers) == (403, "cross_site")
        assert not ran.exists()
        assert httpx.post(f"{live.url}/score", content="{}").json() == 1
        assert ran.read_text() == "x"


def test_with_tokens_the_token_decides(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(token_line("acme", token := new_token()))
    with serving(tmp_path, {"petals": petals().model}, "--tokens", str(tmp_path / "tokens")) as live:
        caller = Caller(live.url, petals(), token=token)
        caller.http.headers["Origin"] = "https://evil.example"
        assert caller.put_key().status_code == 201
        assert caller.works()
        assert call(live, "POST", "/score", FOREIGN[0]) == (401, "missing_token")


def test_without_the_guard_the_attack_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of another origin has a key stored: nothing else stands in its way."""
    statuses = []
    for switched_off in (False, True):
        if switched_off:
            monkeypatch.setattr(base_service, "origin_check", lambda _: lambda _: None)
        with running(tmp_path, {"petals": petals().model}) as service:
            caller = Caller(URL, petals(), transport=service.transport)
            caller.http.headers.update(FOREIGN[0])
            statuses.append(caller.put_key().status_code)
    assert statuses == [403, 201]
