"""The tables in ``docs/benchmarks.md``, and the part of them that the README shows.

A section's tables stand between two comments, ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark:NAME -->``. What is
around them is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
SUMMARY = "summary"
SUMMARISED = "single"
SUMMARY_ROWS = ("keys", "encrypt", "request", "server", "response", "decrypt", "max error", "integers exact")


def section(page: str, name: str) -> str:
    """What stands between a section's comments; ValueError where they are missing."""
    match = re.search(_pattern(name), page, re.DOTALL)
    if not match:
        raise ValueError(
            f"The page must have the comments of {name!r}, <!-- benchmark:{name} --> and its end. Add them."
        )
    return match[2]


def with_section(page: str, name: str, text: str) -> str:
    """The page with other text between a section's comments."""
    section(page, name)
    return re.sub(_pattern(name), lambda match: f"{match[1]}\n\n{text.strip()}\n\n{match[3]}", page, flags=re.DOTALL)


def _pattern(name: str) -> str:
    return rf"(<!-- benchmark:{name} -->)(.*?)(<!-- /benchmark:{name} -->)"


def summary(page: str) -> str:
    """The README's table: what the first comparison of ``docs/benchmarks.md`` was measured on, and its main rows."""
    machine, *lines = section(page, SUMMARISED).strip().splitlines()
    head, rule, *rows = (line for line in lines if line.startswith("|"))
    return "\n".join([machine, "", head, rule, *(row for row in rows if _name(row) in SUMMARY_ROWS)])


def _name(row: str) -> str:
    return row.split("|")[1].strip()


def write(path: Path, sections: dict[str, str]) -> None:
    """Put measured sections into a page, and the summary of ``docs/benchmarks.md`` into the README."""
    page = path.read_text(encoding="utf-8")
    for name, text in sections.items():
        page = with_section(page, name, text)
    path.write_text(page, encoding="utf-8")
    if path.resolve() == PAGE:
        readme = README.read_text(encoding="utf-8")
        README.write_text(with_section(readme, SUMMARY, summary(page)), encoding="utf-8")
