"""Where measured tables go: a section between its comments and nothing else, and the README's from the same page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks import pages
from benchmarks.sections import SECTIONS
from benchmarks.tables import Table, markdown

TABLE = Table("One image", [["", "hermetic", "other"], ["keys", "1 kB", "2 MB"], ["load keys", "1 ms", "–"]])
PAGE = """# Figures

Words before.

<!-- benchmark:single -->
old
<!-- /benchmark:single -->

Words between.

<!-- benchmark:shapes -->
kept
<!-- /benchmark:shapes -->
"""


def test_a_section_is_replaced_and_everything_else_stays() -> None:
    page = pages.with_section(PAGE, "single", r"| a \1 |")
    assert pages.section(page, "single").strip() == r"| a \1 |"
    assert pages.section(page, "shapes") == pages.section(PAGE, "shapes")
    assert re.sub(r"(?s)(:single -->).*(<!-- /)", r"\1\2", page) == re.sub(
        r"(?s)(:single -->).*(<!-- /)", r"\1\2", PAGE
    )
    assert pages.with_section(page, "single", r"| a \1 |") == page


def test_a_page_without_the_comments_is_refused() -> None:
    with pytest.raises(ValueError, match="benchmark:search"):
        pages.with_section(PAGE, "search", "new")


def test_the_summary_has_the_machine_and_the_main_rows() -> None:
    page = pages.with_section(PAGE, "single", f"Two cores.\n\n{markdown(TABLE)}")
    assert pages.summary(page).splitlines() == [
        "Two cores.",
        "",
        "|  | hermetic | other |",
        "| --- | --- | --- |",
        "| keys | 1 kB | 2 MB |",
    ]


def test_writing_another_page_leaves_the_readme_alone(tmp_path: Path) -> None:
    before = pages.README.read_text(encoding="utf-8")
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    pages.write(tmp_path / "page.md", {"single": markdown(TABLE)})
    assert "| keys | 1 kB | 2 MB |" in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert pages.README.read_text(encoding="utf-8") == before


def test_writing_the_page_writes_the_readme_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, readme = tmp_path / "page.md", tmp_path / "README.md"
    page.write_text(PAGE, encoding="utf-8")
    readme.write_text("Words.\n<!-- benchmark:summary -->\nold\n<!-- /benchmark:summary -->\n", encoding="utf-8")
    monkeypatch.setattr(pages, "PAGE", page)
    monkeypatch.setattr(pages, "README", readme)
    pages.write(page, {"single": f"Two cores.\n\n{markdown(TABLE)}"})
    written = pages.section(readme.read_text(encoding="utf-8"), pages.SUMMARY)
    assert written.strip() == pages.summary(page.read_text(encoding="utf-8"))


def test_the_page_has_a_place_for_every_section() -> None:
    written = re.findall(r"<!-- benchmark:(\w+) -->", pages.PAGE.read_text(encoding="utf-8"))
    assert sorted(written) == sorted(SECTIONS)


def test_the_readme_shows_what_the_page_shows() -> None:
    shown = pages.section(pages.README.read_text(encoding="utf-8"), pages.SUMMARY).strip()
    assert shown == pages.summary(pages.PAGE.read_text(encoding="utf-8"))
