"""Which columns of a table are read, and in which order: those that the model names, and never an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..named_inputs import places
from .console import warn
from .header import has_index


@dataclass(frozen=True)
class Columns:
    """The columns that are read, in the model's order; all of them, as they come, if no header says otherwise.

    Attributes
    ----------
    table
        What errors call the table.
    taken
        The numbers of the columns in the table.
    names
        What a header calls those that are taken.
    """

    table: str
    taken: Sequence[int] | None = None
    names: Sequence[str] | None = None

    def of(self, fields: list[str]) -> list[str]:
        """The fields of a line that are read."""
        return fields if self.taken is None else [fields[i] for i in self.taken]

    def where(self, line: int, column: int) -> tuple[str, str]:
        """Where in the table a field stands that is read, from 1 on, and for what, if its column has a name there."""
        place = column if self.taken is None else self.taken[column]
        called = "" if self.names is None else f" for {self.names[column]!r}"
        return f"{self.table}, line {line}, column {place + 1}", called


def columns_of(table: str, header: Sequence[str], names: Sequence[str] | None) -> Columns:
    """The columns that a model with these names, or none, reads under a header.

    Raises
    ------
    InputError
        If a name of the model is missing, or there twice.
    """
    own = {one.strip(): one for one in names or ()}  # CSV does not keep blanks around a name, so they do not count
    found = [own.get(field.strip(), field.strip()) for field in header]
    start = 1 if has_index(found) else 0
    if start:
        warn(f"{table}: the first column has no name. It is taken for an index, and not used.")
    if names is None:
        return Columns(table, range(start, len(found)))
    try:
        return Columns(table, [start + i for i in places(found[start:], names)], names)
    except InputError as error:
        raise InputError(f"{table}: {error}") from None
