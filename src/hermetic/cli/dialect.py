"""How a text is cut into records: by commas, semicolons, tabs, bars or spaces, whichever every line has as often."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from .header import has_index, holds_all

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


def read_table(
    text: str, names: Sequence[str] | None = None, columns: int | None = None, *, comments: bool = True
) -> Table:
    """Cut a text into records.

    Parameters
    ----------
    text
        CSV of any usual kind, quoted or not, with any line ends. Empty lines are left out, and Excel's ``sep=;``.
    names
        What a header may name, if anything: the separator that finds all of them is the right one.
    columns
        How many fields a record should have, where that is known: it decides between separators that both fit. One
        column has none, and so no decimal commas either: they may as well be two columns.
    comments
        Leave out lines that start with ``#``; below a header only if its first column is one of those that are named,
        for others may hold any text.

    Raises
    ------
    csv.Error
        If quotes do not close, or a field is too long.
    """
    declared = _DECLARED.match(text)
    if declared:
        text = "\n" + text[declared.end() :]
    separator = declared[1] if declared else _separator(text, names, columns, comments)
    first = next((fields for _, fields in _records(text, separator, comments)), [])
    below = comments and not has_index(first) and (not holds_all(first, names) or first[0].strip() in (names or ()))
    return Table(separator, list(_records(text, separator, comments, below=below, strict=True)))


def _separator(text: str, names: Sequence[str] | None, columns: int | None, comments: bool) -> str:
    begun = {
        separator: [fields for _, fields in islice(_records(text, separator, comments), _LOOKED_AT)]
        for separator in _SEPARATORS
    }
    widths = {separator: {len(fields) for fields in found} for separator, found in begun.items()}
    cutting = [separator for separator, found in widths.items() if len(found) == 1 and found != {1}]
    named = [separator for separator in cutting if holds_all(begun[separator][0], names)]
    fitting = [separator for separator in cutting if widths[separator] == {columns}]
    if columns == 1:
        fitting = [*(separator for separator in cutting if separator != " "), ","]
    ragged = sorted(",;\t", key=lambda separator: -max(widths[separator], default=0))
    return (named or fitting or cutting or ragged)[0]


def _records(
    text: str, separator: str, comments: bool, *, below: bool = True, strict: bool = False
) -> Iterator[Record]:
    reader = csv.reader(_lines(text, comments, below), delimiter=separator, skipinitialspace=True, strict=strict)
    return ((reader.line_num, fields) for fields in reader if len(fields) > 1 or "".join(fields).strip())


def _lines(text: str, comments: bool, below: bool) -> Iterator[str]:
    """Every line; an empty one in place of a comment, so that the lines keep their numbers."""
    for line in io.StringIO(text, newline=""):
        is_comment = comments and line.lstrip().startswith(_COMMENT)
        comments = comments and (below or is_comment or not line.strip())
        yield "\n" if is_comment else line
