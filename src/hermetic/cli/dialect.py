"""How a text is cut into records: by commas, semicolons, tabs, bars or spaces, whichever every line has as often."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_SEPARATORS = "\t;|, "
_DECLARED = re.compile(r"sep=(.)[\r\n]+", re.IGNORECASE)
_LOOKED_AT = 64
_COMMENT = "#"

Record = tuple[int, list[str]]
"""The number of the line, and its fields."""


@dataclass(frozen=True)
class Table:
    """The records of a text, and what separates their fields."""

    separator: str
    records: list[Record]


def read_table(text: str, columns: int | None = None, *, comments: bool = True) -> Table:
    """Cut a text into records.

    Parameters
    ----------
    text
        CSV of any usual kind, quoted or not, with any line ends. Empty lines are left out, and Excel's ``sep=;``.
    columns
        How many fields a record should have, where that is known: it decides between separators that both fit. One
        column has none, and so no decimal commas either: they may as well be two columns.
    comments
        Leave out lines that start with ``#``.

    Raises
    ------
    csv.Error
        If quotes do not close, or a field is too long.
    """
    declared = _DECLARED.match(text)
    if declared:
        text = "\n" + text[declared.end() :]
    separator = declared[1] if declared else _separator(text, columns, comments)
    return Table(separator, list(_records(text, separator, comments, strict=True)))


def _separator(text: str, columns: int | None, comments: bool) -> str:
    widths = {one: _widths(text, one, comments) for one in _SEPARATORS}
    regular = {one: found[0] for one, found in widths.items() if found and len(set(found)) == 1}
    cutting = [one for one, width in regular.items() if width > 1]
    fitting = [one for one in cutting if regular[one] == columns] or ([","] if columns == 1 else [])
    ragged = sorted(",;\t", key=lambda one: -max(widths[one], default=0))
    return (fitting or cutting or ragged)[0]


def _widths(text: str, separator: str, comments: bool) -> list[int]:
    """How many fields the first records would have."""
    return [len(fields) for _, fields in islice(_records(text, separator, comments), _LOOKED_AT)]


def _records(text: str, separator: str, comments: bool, *, strict: bool = False) -> Iterator[Record]:
    reader = csv.reader(_lines(text, comments), delimiter=separator, skipinitialspace=True, strict=strict)
    return ((reader.line_num, fields) for fields in reader if len(fields) > 1 or "".join(fields).strip())


def _lines(text: str, comments: bool) -> Iterator[str]:
    """Every line; an empty one in place of a comment, so that the lines keep their numbers."""
    for line in io.StringIO(text, newline=""):
        yield "\n" if comments and line.lstrip().startswith(_COMMENT) else line
