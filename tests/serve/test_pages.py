"""The page for developers: readable, safe, and asking nobody else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from sklearn.linear_model import LinearRegression

import hermetic
from fitted import digits, petals, tumours
from hermetic.serve import pages
from hermetic.serve.repository import ServedModel
from live import Live, serving


class Links(HTMLParser):
    """Everything a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.scripts = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.targets += [given[name] or "" for name in ("href", "src", "action") if name in given]
        self.scripts += tag == "script" and "src" not in given
        assert not any(name.startswith("on") or name == "style" for name in given), "inline code or style"
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Links:
    links = Links()
    links.feed(page)
    assert not links.open
    return links


@pytest.fixture(scope="module")
def page(service: Live) -> str:
    return httpx.get(f"{service.url}/developers").text


def test_it_shows_every_model_with_its_signature(page: str) -> None:
    for fitted in (digits(), petals(), tumours()):
        signature = fitted.signature
        assert signature.name in page
        assert f"{signature.features} features" in page
        assert f"within {signature.error:.2g}" in page
        assert f"{signature.lambda_bits:.0f} bits" in page
        assert signature.digest.hex() in page
    assert "0 to 16 in steps of 1" in page
    assert "setosa, versicolor, virginica" in page


def test_the_snippet_runs_as_it_is(page: str, service: Live) -> None:
    blocks = re.findall(r"<pre><code>(import hermetic.*?)</code></pre>", page, re.DOTALL)
    assert len(blocks) == 3
    for fitted in (digits(), petals(), tumours()):
        (code,) = [one for one in blocks if f"model=&quot;{fitted.signature.name}&quot;" in one]
        code = code.replace("&quot;", '"').replace("remote.predict(X)", "labels = remote.predict(X)")
        names = {"X": fitted.X[:3]}
        exec(code, names)
        assert names["labels"].tolist() == fitted.estimator.predict(fitted.X[:3]).tolist()


def test_it_asks_nobody_else_and_has_no_inline_code(page: str, service: Live) -> None:
    links = read(page)
    assert links.scripts == 0
    for target in links.targets:
        assert not re.match(r"[a-z]+:|//", target), target
        assert httpx.get(f"{service.url}/{target.removeprefix('./')}").status_code == 200


def test_its_policy_lets_it_do_nothing_else(service: Live) -> None:
    for address in ("/developers", "/static/page.css", "/healthz", "/models", "/nowhere"):
        headers = httpx.get(service.url + address).headers
        policy = dict(one.strip().split(" ", 1) for one in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_files_are_sent_once(service: Live) -> None:
    for name, kind in (("page.css", "text/css"), ("copy.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = httpx.get(f"{service.url}/static/{name}")
        assert answer.headers["content-type"].startswith(kind)
        again = httpx.get(f"{service.url}/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_names_from_a_model_are_text_and_never_markup() -> None:
    """A model's own words may be hostile: its labels and feature names are shown as they are."""
    import pandas as pd

    evil = "<script>alert(1)</script>"
    X = pd.DataFrame([[0.0, 1.0], [1.0, 3.0], [2.0, 5.5]], columns=[evil, "\"'&"])
    estimator = LinearRegression().fit(X, [1.0, 2.0, 2.5])
    model = hermetic.compile(estimator, X, name=evil)
    served = ServedModel("regression", 1, "", model.signature.to_bytes(), 4096)
    page = pages.render([served], 'http://host"onload=x', needs_token=True)
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert read(page).scripts == 0
    assert "regression, 1 value" in page
    assert "token=&quot;TOKEN&quot;" in page
    assert "Authorization: Bearer TOKEN" in page
    assert "predict_proba" not in page
    assert "decision_function(X)" not in page


def test_the_url_behind_a_proxy(tmp_path: Path) -> None:
    options = ("--public-url", "https://predict.example.org/hermetic")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        page = httpx.get(f"{live.url}/developers").text
        assert "https://predict.example.org/hermetic" in page
        assert live.url not in page
