"""Tables of the benchmarks, for terminals and as Markdown."""

from __future__ import annotations

import io

from benchmarks.tables import duration, show, size
from rich.console import Console

LINES = [["", "one", "two"], ["request", size(47_284), size(3_070_000)], ["server", duration(1.234), duration(None)]]


def printed(*, markdown: bool) -> str:
    out = io.StringIO()
    show(Console(file=out, width=80), "Title", LINES, markdown=markdown)
    return out.getvalue()


def test_markdown_has_one_line_a_row() -> None:
    assert printed(markdown=True).splitlines() == [
        "**Title**",
        "",
        "|  | one | two |",
        "| --- | --- | --- |",
        "| request | 47.3 kB | 3.07 MB |",
        "| server | 1.23 ms | – |",
        "",
    ]


def test_terminals_get_the_same_cells() -> None:
    text = printed(markdown=False)
    for cell in ("Title", "one", "47.3 kB", "3.07 MB", "1.23 ms", "–"):
        assert cell in text


def test_long_times_are_in_seconds() -> None:
    assert duration(18_600.0) == "18.60 s"
