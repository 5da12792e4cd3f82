"""What a terminal shows while something takes long. Nothing is shown where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
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

    def advance(self, done: int, total: int) -> None:
        """Tell how far this piece of work is."""
        self._progress.update(self._task, completed=done, total=total)


class _Count(MofNCompleteColumn):
    """How many of how many, once that is known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


@contextmanager
def bar(description: str) -> Iterator[Bar]:
    """A bar that disappears when its block ends."""
    console = stderr()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), _Count(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, description)
