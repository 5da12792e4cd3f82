"""Where things are written: results on stdout, everything else on stderr."""

from __future__ import annotations

import typer
from rich.console import Console


def stdout() -> Console:
    """A console for results."""
    return Console(highlight=False)


def stderr() -> Console:
    """A console for progress and remarks."""
    return Console(stderr=True, highlight=False)


def printable(text: str) -> str:
    """The text with every control character replaced: a name in a file must not steer the terminal that shows it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def fail(error: Exception) -> None:
    """Write an error as one line on stderr."""
    _line("error: ", typer.colors.RED, str(error))


def warn(message: str) -> None:
    """Write a warning as one line on stderr."""
    _line("warning: ", typer.colors.YELLOW, message)


def _line(head: str, colour: str, message: str) -> None:
    typer.secho(head, fg=colour, bold=True, nl=False, err=True)
    typer.echo(printable(" ".join(message.split())), err=True)
