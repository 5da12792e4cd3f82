"""How far a call is: a callback, or a bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import SettingsError
from .batches import Batches
from .settings import Progress


@contextmanager
def reporting(progress: Progress | bool, batches: Batches) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of batches that are answered.

    Parameters
    ----------
    progress
        A callback (done, total), in samples; ``True`` for a bar where stderr is a terminal; ``False`` for nothing.
    batches
        What is to be answered. A single batch gets no bar.

    Raises
    ------
    SettingsError
        If a bar is asked for and rich is not installed.
    """
    if callable(progress):
        yield lambda answered: progress(batches.done(answered), batches.samples)
    elif progress and len(batches) > 1:
        with _bar(batches.samples) as show:
            yield lambda answered: show(batches.done(answered))
    else:
        yield lambda answered: None


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    try:
        from rich.console import Console
        from rich.progress import Progress as Bar
    except ImportError:
        raise SettingsError("progress=True needs rich. Install it with: pip install rich") from None
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("encrypted predictions", total=total)
        yield lambda done: bar.update(task, completed=done)
