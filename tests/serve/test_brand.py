"""The operator's title, logo and words about models, on the pages and in the list of models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from fitted import petals
from hermetic.errors import SettingsError
from hermetic.serve import pages
from hermetic.serve.brand import read_brand
from hermetic.serve.repository import ServedModel
from hermetic.serve.settings import load_settings
from live import Live, serving

SCRIPT = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EVIL = '"><script>alert(1)</script>'
DESCRIPTIONS = {"petals": f"Which iris {EVIL}", "nothing": "is not served"}


def test_without_settings_the_pages_are_hermetics(service: Live) -> None:
    page, developers = (httpx.get(service.url + path).text for path in ("/", "/developers"))
    assert "<title>Hermetic: ask without showing</title>" in page
    assert "<title>Hermetic: for developers</title>" in developers
    assert "{{" not in page
    logo = httpx.get(f"{service.url}/logo")
    assert logo.headers["content-type"].startswith("image/svg+xml")
    assert logo.content == httpx.get(f"{service.url}/static/icon.svg").content
    assert all("description" not in one for one in httpx.get(f"{service.url}/models").json())


def test_both_pages_have_one_style_sheet_and_one_logo(service: Live) -> None:
    page, developers = (httpx.get(service.url + path).text for path in ("/", "/developers"))
    (sheet,) = re.findall(r'href="\./(page/[^"]+\.css)"', page)
    assert f'href="{sheet}"' in developers
    assert 'src="./logo"' in page and 'src="logo"' in developers


def test_what_the_operator_says_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "logo.SVG").write_text(SCRIPT)
    options = ("--title", f"Clinic {EVIL}", "--logo", str(tmp_path / "logo.SVG"))
    with serving(tmp_path, {"petals": petals().model}, *options, "--descriptions", json.dumps(DESCRIPTIONS)) as live:
        for path in ("/", "/developers"):
            page = httpx.get(live.url + path).text
            assert EVIL not in page
            assert "Clinic &quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "Which iris &quot;&gt;" in page
        (model,) = httpx.get(f"{live.url}/models").json()
        assert model["description"] == DESCRIPTIONS["petals"]
        logo = httpx.get(f"{live.url}/logo")
        assert (logo.text, logo.headers["x-content-type-options"]) == (SCRIPT, "nosniff")
        policy = logo.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy


def test_a_description_is_hidden_with_its_model(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"ours sha256:{'0' * 64}\n")
    options = ("--tokens", str(tmp_path / "tokens"), "--descriptions", '{"petals": "a secret trial"}')
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        for path in ("/", "/developers", "/models", "/openapi.json"):
            assert "a secret trial" not in httpx.get(live.url + path).text


def test_descriptions_come_from_a_table_the_environment_or_a_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hermetic.toml"
    file.write_text("title = 'Clinic'\n[descriptions]\npetals = 'from the file'\n")
    assert load_settings({}, file).descriptions == {"petals": "from the file"}
    monkeypatch.setenv("HERMETIC_DESCRIPTIONS", '{"petals": "from the environment"}')
    assert load_settings({}, file).descriptions == {"petals": "from the environment"}
    given = {"descriptions": '{"petals": "from a flag"}'}
    assert load_settings(given, file).descriptions == {"petals": "from a flag"}


@pytest.mark.parametrize(
    "given",
    [
        {"descriptions": "Which iris"},
        {"descriptions": "[1]"},
        {"descriptions": '{"petals": 1}'},
        {"title": "x" * 81},
    ],
)
def test_settings_that_make_no_sense(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        load_settings(given)


def test_a_logo_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes((1 << 20) + 1))
    (tmp_path / "page.html").write_text("<script>")
    (tmp_path / "folder.png").mkdir()
    for name, message in {
        "large.png": "at most",
        "page.html": "must be a file .svg",
        "missing.png": "No such file",
        "folder.png": "Is a directory",
    }.items():
        with pytest.raises(SettingsError, match=message) as caught:
            read_brand("Clinic", tmp_path / name, {})
        assert name in str(caught.value)


def test_a_page_without_a_brand_is_hermetics() -> None:
    served = ServedModel("petals", 1, "", petals().signature.to_bytes(), 4096)
    assert "<title>Hermetic: for developers</title>" in pages.render([served], "http://host", needs_token=False)
