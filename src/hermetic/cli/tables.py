"""How commands print facts and times."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from .console import printable
from .units import duration

_STEPS = {
    "keys": ("make keys (once)", "client"),
    "weights": ("encode the weights (once)", "server"),
    "encrypt": ("encrypt", "client"),
    "request": ("pack the request", "client"),
    "server": ("answer", "server"),
    "response": ("read the response", "client"),
    "decrypt": ("decrypt", "client"),
}
"""What comes before a round trip, and the steps of :data:`hermetic.roundtrip.STEPS`: words, and who does it."""


def section(console: Console, title: str, body: RenderableType | None = None) -> None:
    """A title over a line, and what belongs under it."""
    console.print()
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
    if body is not None:
        console.print(body)


def facts(rows: dict[str, str]) -> Table:
    """Names and what they are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True, min_width=22)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(printable(value)))
    return table


def times(seconds: Mapping[str, float], travels: Mapping[str, str]) -> Table:
    """How long each step took and what travelled in it, by the names of :data:`_STEPS`; others are left out."""
    table = Table(box=None, pad_edge=False)
    table.add_column("step", style="cyan", header_style="dim", min_width=26)
    table.add_column("who", header_style="dim", min_width=8)
    table.add_column("time", header_style="dim", justify="right", min_width=9)
    table.add_column("bytes", header_style="dim", justify="right", min_width=14)
    for step, (words, who) in _STEPS.items():
        if step in seconds:
            table.add_row(words, who, duration(seconds[step]), travels.get(step, ""))
    return table
