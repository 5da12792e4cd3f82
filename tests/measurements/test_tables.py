"""Tables of the benchmarks, for terminals and as Markdown."""

from __future__ import annotations

import io

from benchmarks.tables import Table, duration, markdown, show, size
from rich.console import Console

TABLE = Table(
    "Title",
    [["", "one", "two"], ["request", size(47_284), size(3_070_000)], ["server", duration(1.234), duration(None)]],
)


def test_markdown_has_one_line_a_row() -> None:
    assert markdown(TABLE).splitlines() == [
        "**Title**",
        "",
        "|  | one | two |",
        "| --- | --- | --- |",
        "| request | 47.3 kB | 3.07 MB |",
        "| server | 1.23 ms | – |",
    ]


def test_terminals_get_the_same_cells() -> None:
    out = io.StringIO()
    show(Console(file=out, width=80), TABLE)
    for cell in ("Title", "one", "47.3 kB", "3.07 MB", "1.23 ms", "–"):
        assert cell in out.getvalue()


def test_long_times_are_in_seconds() -> None:
    assert duration(18_600.0) == "18.60 s"
