"""``python -m benchmarks``: every table, measured now, on this machine."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

import hermetic
from hermetic.rlwe import native

from .pages import write
from .sections import SECTIONS, Subject
from .tables import Table, markdown, show


def main() -> None:
    """Measure the sections asked for; print them, and write them into a page if one is named."""
    options = _options()
    console = Console()
    subject = Subject(options.repeat, not options.no_peers, options.load_seconds)
    _print(console, [_machine(options.repeat)], as_markdown=options.markdown)
    for name in options.sections:
        items = _print(console, SECTIONS[name](subject), as_markdown=options.markdown)
        if options.write and items:
            written = [_machine(options.repeat), *items]
            write(options.write, {name: "\n".join(markdown(item) for item in written)})


def _print(console: Console, items: Iterable[Table | str], *, as_markdown: bool) -> list[Table | str]:
    """Each table as soon as it is measured; gives them all."""
    found = []
    for item in items:
        if as_markdown:
            print(markdown(item))
        else:
            show(console, item)
        found.append(item)
    return found


def _machine(repeat: int) -> str:
    cores, python = len(os.sched_getaffinity(0)), platform.python_version()
    return f"Hermetic {hermetic.__version__}, Python {python}, {native.target}, {cores} cores; `--repeat {repeat}`."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", default=[*SECTIONS], help=f"from {', '.join(SECTIONS)}; default all")
    parser.add_argument("--repeat", type=int, default=20, help="how often each step is timed (default 20)")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out the peers (encrypted-inference takes minutes)"
    )
    parser.add_argument(
        "--load-seconds", type=float, default=60, help="how long the service is kept under load (default 60)"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument(
        "--write", type=Path, metavar="PAGE",
        help="put each section into this page when it is measured: docs/benchmarks.md, and with it README.md's table",
    )  # fmt: skip
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"sections must be from {', '.join(SECTIONS)}. Got {', '.join(sorted(unknown))} instead.")
    return options


if __name__ == "__main__":
    main()
