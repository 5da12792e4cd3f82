"""``pytest --quick``: the files whose tests compute, and do nothing else.

Nobody keeps a list. A file is left out if it imports what makes tests slow or what a fresh machine may lack, itself or
through a helper or conftest.py that it uses: other processes, the service, MNIST.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from source_imports import imports

SLOW = (
    "subprocess",
    "multiprocessing",
    "nbclient",
    "hermetic.serve",
    "hermetic.workflow",
    "hermetic.demo",
    "benchmarks",
)

HERE = Path(__file__).parent


def is_quick(path: Path) -> bool:
    """Whether a file of tests only computes."""
    return not any(name == slow or name.startswith(f"{slow}.") for name in reached(path) for slow in SLOW)


def reached(path: Path) -> set[str]:
    """What a file of tests imports, with its helpers and the conftest.py of every folder that it is in."""
    folders = [folder for folder in path.parents if folder.is_relative_to(HERE)]
    seen: set[Path] = set()
    waiting = [path, *(folder / "conftest.py" for folder in folders)]
    while waiting:
        one = waiting.pop()
        if one not in seen and one.is_file():
            seen.add(one)
            names = [name.replace(".", "/") + ".py" for name in imported(one)]
            waiting += [folder / name for folder in (HERE, one.parent) for name in names]
    return {name for one in seen for name in imported(one)}


@cache
def imported(path: Path) -> frozenset[str]:
    return frozenset(imports(path.read_text(encoding="utf-8"), path.stem, is_package=False, modules=set(SLOW)))
