"""What browsers get from the service besides its protocol: the page, its files, and leave for other origins to call."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from fitted import digits
from hermetic.errors import SettingsError
from hermetic.serve.settings import load_settings
from live import serving

APP, SECOND, STRANGER = "https://app.example.com", "http://127.0.0.1:9000", "https://elsewhere.example.com"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service as it comes: no other origin may call."""
    with serving(tmp_path_factory.mktemp("closed"), {"digits": digits().model}) as live:
        yield httpx.Client(base_url=live.url)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that two other origins may call."""
    origins = ("--cors-origin", f"{APP}, {SECOND}")
    with serving(tmp_path_factory.mktemp("shared"), {"digits": digits().model}, *origins) as live:
        yield httpx.Client(base_url=live.url)


def test_the_page_loads_nothing_but_files_of_this_service(closed: httpx.Client) -> None:
    page = closed.get("/")
    assert page.headers["content-type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="\./(page/[^"]+)"', page.text)
    assert len(files) == 3
    assert not re.search(r'(?:src|href)="(?!\./|#)', page.text)
    for file in files:
        answer = closed.get(f"/{file}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_every_answer_has_the_policy(closed: httpx.Client) -> None:
    script = re.search(r'src="\./(page/[^"]+\.js)"', closed.get("/").text)
    assert script
    for path in ("/", f"/{script[1]}"):
        headers = closed.get(path).headers
        assert "script-src 'self' 'wasm-unsafe-eval';" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_files_come_compressed_to_those_who_can_read_that(closed: httpx.Client) -> None:
    plain = closed.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    compressed = closed.get("/", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.content == plain.content
    assert int(compressed.headers["content-length"]) < int(plain.headers["content-length"]) / 2


@pytest.mark.parametrize("name", ["nothing.js", "..%2findex.html", "%2e%2e%2fbrowser.py", "../app.py"])
def test_nothing_else_is_served(closed: httpx.Client, name: str) -> None:
    assert closed.get(f"/page/{name}").status_code == 404


def test_no_other_origin_may_call_by_default(closed: httpx.Client) -> None:
    asked = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    assert closed.options(f"/keys/{'0' * 64}", headers=asked).status_code == 405
    assert "access-control-allow-origin" not in closed.get("/models", headers={"Origin": APP}).headers


@pytest.mark.parametrize("origin", [APP, SECOND])
def test_pages_of_allowed_origins_may_call(shared: httpx.Client, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,inference-header-content-length",
    }
    leave = shared.options("/v2/models/digits/infer", headers=asked)
    assert leave.status_code == 200
    assert leave.headers["access-control-allow-origin"] == origin
    answer = shared.get("/models", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Inference-Header-Content-Length" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    refused = shared.get("/v2/models/nothing", headers={"Origin": origin})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, origin)


def test_pages_of_other_origins_may_not(shared: httpx.Client) -> None:
    asked = {"Origin": STRANGER, "Access-Control-Request-Method": "PUT"}
    assert shared.options(f"/keys/{'0' * 64}", headers=asked).status_code == 400
    assert "access-control-allow-origin" not in shared.get("/models", headers={"Origin": STRANGER}).headers


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/", f"{APP},null", f"{APP},"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="every origin must be like"):
        load_settings({"cors_origin": origin})
