"""What a terminal shows while something takes long. Nothing is shown where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .console import stderr


class Bar:
    """One line: what is being done, how far it is, how long it has taken."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None)

    def begin(self, description: str) -> None:
        """Start the next piece of work, of unknown length."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(description, total=None)

    def advance(self, done: int, total: int | None) -> None:
        """Tell how far this piece of work is, of how much where that is known."""
        self._progress.update(self._task, completed=done, total=total)


class _Count(MofNCompleteColumn):
    """How many of how many, once that is known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


class _Rate(ProgressColumn):
    """How many rows a second."""

    def render(self, task: Task) -> Text:
        return Text() if not task.speed else Text(f"{task.speed:,.0f} rows/s")


def bar(description: str) -> AbstractContextManager[Bar]:
    """A bar that disappears when its block ends."""
    return _shown(description, _Count(), TimeElapsedColumn())


def rows_bar(description: str) -> AbstractContextManager[Bar]:
    """The same for rows of a table: with how many a second, and the time that is left."""
    return _shown(description, _Count(), _Rate(), TimeRemainingColumn())


@contextmanager
def _shown(description: str, *figures: ProgressColumn) -> Iterator[Bar]:
    console = stderr()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), *figures)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, description)
