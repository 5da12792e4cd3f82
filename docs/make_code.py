"""Write ``docs/code.md`` from the source: ``python docs/make_code.py``.

The rooms and their order are those of ``tests/test_import_order.py``; what each does is the first sentence of its
docstring. A test compares the file with what this writes.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))  # what the test itself imports
ORDER = runpy.run_path(str(TESTS / "test_import_order.py"))
MAY_IMPORT: dict[str, set[str] | None] = ORDER["MAY_IMPORT"]
TARGET = Path(__file__).with_name("code.md")
INTRODUCTION = """# The code

Written by `docs/make_code.py` from the docstrings: change those, then run `python docs/make_code.py`.

Walk it in the order in which a number travels: **compile → encrypt → evaluate → decrypt**. Each module or folder
imports only from above it in these tables. The data owner's and the model owner's never import each other. A server
never loads the client, a client never loads weights, and neither needs scikit-learn to run.
`tests/test_import_order.py` holds the whole table, and checks all of this.
"""


def render() -> str:
    """The text of ``code.md``."""
    parts = [INTRODUCTION]
    for title, rooms in _owners().items():
        rows = [f"| `{room}` | {_purpose(room)} |" for room in rooms]
        parts.append("\n".join([f"## {title}\n", "| module | what it does |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def _owners() -> dict[str, list[str]]:
    """Every room, in order, by whose side it is on. A folder whose modules have rows of their own has no row here."""
    found: dict[str, list[str]] = {"Both sides": [], "The data owner": [], "The model owner": [], "Doors": []}
    for room in MAY_IMPORT:
        if not room.startswith("__") and not any(other.startswith(f"{room}.") for other in MAY_IMPORT):
            found[_owner(room)].append(room)
    return found


def _owner(room: str) -> str:
    if room in ORDER["DATA_OWNER"]:
        return "The data owner"
    if room in ORDER["MODEL_OWNER"]:
        return "The model owner"
    allowed = MAY_IMPORT[room]
    return "Doors" if allowed is None or allowed >= {"client", "model"} else "Both sides"


def _purpose(room: str) -> str:
    """The first sentence of a module's docstring, as Markdown."""
    tree = ast.parse(ORDER["MODULES"][f"hermetic.{room}"].read_text(encoding="utf-8"))
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z])|\n\n", ast.get_docstring(tree) or "")[0]
    text = " ".join(sentence.split()).replace("``", "`").replace("|", "\\|")
    return re.sub(r":\w+:`(?:~[\w.]*\.)?([^`]+)`", r"`\1`", text)


def main() -> None:
    """Write the file."""
    TARGET.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
