"""The site of the documentation: it builds strictly, holds every page, and its own links lead somewhere."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-docs" / "bin" / "python"
ORIGIN = "http://site/"


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        self.loaded |= {given["src"]} if "src" in given else set()
        self.loaded |= {given["href"]} if tag == "link" and given.get("rel") != "canonical" else set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, elsewhere, so that a reader of build/docs is not disturbed."""
    built = tmp_path_factory.mktemp("docs")
    assert build(built).returncode == 0
    return built / "site"


def build(folder: Path, script: Path = ROOT / "docs" / "make_site.py") -> subprocess.CompletedProcess[str]:
    assert PYTHON.exists(), "run make docs, or make test, which builds the environment of the site"
    command = [str(PYTHON), str(script), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Every page of the site by its address, parsed."""
    return {
        ORIGIN + path.relative_to(site).as_posix().removesuffix("index.html"): Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("index.html")
    }


def test_every_page_is_in_the_site(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        page = path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/index")
        assert (site / page / "index.html").is_file(), f"{page}: no page leads to it from README.md"


def test_every_page_has_its_place_in_the_navigation(site: Path) -> None:
    staged = {path.relative_to(site.parent / "pages").as_posix() for path in (site.parent / "pages").rglob("*.md")}
    listed = re.findall(r'"([^"]+\.md)"', (ROOT / "docs" / "site" / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(staged)


def test_links_of_the_site_lead_somewhere(site: Path, pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        for link in page.links | page.loaded:
            url = urlsplit(urljoin(address, link))
            if url.netloc != "site":
                continue
            target = ORIGIN + unquote(url.path).lstrip("/")
            assert target in pages or (site / target.removeprefix(ORIGIN)).is_file(), f"{address}: {link}"
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].anchors, f"{address}: {link}"


def test_a_reader_of_the_site_asks_nobody_else(pages: dict[str, Page]) -> None:
    for address, page in pages.items():
        outside = {one for one in page.loaded if urlsplit(urljoin(address, one)).netloc not in ("site", "")}
        assert not outside, address


def test_the_search_knows_the_reference_and_the_guides(site: Path) -> None:
    found = json.loads((site / "search.json").read_text(encoding="utf-8"))
    places = {item["location"].split("#")[0] for item in found["items"]}
    assert {"docs/api/encrypt-and-decrypt/", "docs/how-to/serve/", "docs/security/"} <= places


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    """The builder and the pages, copied; then one page links to a heading that is not there."""
    script = runpy.run_path(str(ROOT / "docs" / "make_site.py"))
    for source in [
        *script["reachable"](ROOT / "README.md"),
        *map(Path, ("docs/make_site.py", "docs/site/zensical.toml")),
    ]:
        script["copy"](ROOT / source, tmp_path / (ROOT / source).relative_to(ROOT))
    with (tmp_path / "docs" / "limits.md").open("a", encoding="utf-8") as page:
        page.write("\n[Nothing](security.md#no-such-heading)\n")
    done = build(tmp_path / "built", tmp_path / "docs" / "make_site.py")
    assert done.returncode != 0
    assert "anchor does not exist" in done.stdout + done.stderr
