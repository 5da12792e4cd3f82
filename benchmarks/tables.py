"""How tables and figures are printed."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def show(console: Console, title: str, lines: list[list[str]], *, markdown: bool) -> None:
    """A table whose first line is its head."""
    heads, *lines = lines
    if markdown:
        console.print(f"**{title}**\n")
        for line in (heads, ["---"] * len(heads), *lines):
            console.print("| " + " | ".join(line) + " |", soft_wrap=True)
        console.print()
        return
    table = Table(title=title, title_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table, "")


def size(count: int) -> str:
    """Bytes, in kB or MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def duration(ms: float | None) -> str:
    """Milliseconds, in ms or s; a dash for None."""
    if ms is None:
        return "–"
    return f"{ms / 1e3:.2f} s" if ms >= 1e3 else f"{ms:.2f} ms"
