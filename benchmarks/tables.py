"""How tables and figures are printed."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """A title, and lines of cells, the first of which is the head."""

    title: str
    lines: list[list[str]]


def show(console: Console, item: Table | str) -> None:
    """A table, or a sentence, for a person at a terminal."""
    if isinstance(item, str):
        console.print(item, "", soft_wrap=True, markup=False)
        return
    heads, *lines = item.lines
    table = RichTable(title=item.title, title_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table, "")


def markdown(item: Table | str) -> str:
    """A table, or a sentence, as Markdown."""
    if isinstance(item, str):
        return f"{item}\n"
    heads, *lines = item.lines
    rows = [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *lines)]
    return "\n".join([f"**{item.title}**\n", *rows, ""])


def size(count: int) -> str:
    """Bytes, in kB or MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def duration(ms: float | None) -> str:
    """Milliseconds, in ms or s; a dash for None."""
    if ms is None:
        return "–"
    return f"{ms / 1e3:.2f} s" if ms >= 1e3 else f"{ms:.2f} ms"
