"""A service without tokens answers to this machine's names alone: no visited page reaches it under its own."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from fitted import petals
from hermetic.serve.access import new_token, token_line
from live import Live, serving


def status(live: Live, host: str) -> int:
    return httpx.get(f"{live.url}/models", headers={"Host": host}).status_code


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]", "[::1]:8000"])
def test_this_machine_s_names(service: Live, host: str) -> None:
    assert status(service, host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]", "[", "@"]
)
def test_other_names(service: Live, host: str) -> None:
    answer = httpx.get(f"{service.url}/models", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")


def test_the_name_that_callers_see(tmp_path: Path) -> None:
    options = ("--public-url", "https://predict.example.org/hermetic")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        assert status(live, "predict.example.org") == 200
        assert status(live, "evil.example") == 421


def test_with_tokens_any_name_will_do(tmp_path: Path) -> None:
    """A page has no token."""
    (tmp_path / "tokens").write_text(token_line("acme", token := new_token()))
    with serving(tmp_path, {"petals": petals().model}, "--tokens", str(tmp_path / "tokens")) as live:
        headers = {"Host": "predict.example.org", "Authorization": f"Bearer {token}"}
        assert httpx.get(f"{live.url}/models", headers=headers).status_code == 200
