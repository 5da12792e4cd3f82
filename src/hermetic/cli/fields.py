"""The fields of a line of text as values: numbers, categories, missing ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..features import Categories, FeatureMap

_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)

_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")

Where = Callable[[int], tuple[str, str]]
"""Of a field's number among those read: its place in the table, and `` for '…'`` if its column has a name there."""


class Fields:
    """How the fields of a table are read, for a model with these public features or none.

    Parameters
    ----------
    features
        The public features of the model.
    separator
        What separates the fields. Where it is no comma, numbers may be written with a decimal comma, all of them.
    """

    def __init__(self, features: FeatureMap | None, separator: str = ",") -> None:
        self._features = features
        self._categories = {} if features is None else dict(features.categories)
        self._texts = {column: _by_text(known) for column, known in self._categories.items()}
        self._comma = separator != ","
        self._written: dict[str, str] = {}
        self._is_doubtful = separator not in ",;"
        self._doubtful = ""

    def hold_a_category(self, fields: list[str]) -> bool:
        """Whether a line holds a known category in its column: it is no header."""
        return any(column < len(fields) and fields[column] in known for column, known in self._texts.items())

    def read(self, fields: list[str], where: Where) -> npt.NDArray[Any]:
        """The values of a sample: float64, or objects where some are categories or of columns that are not used.

        ``where`` says for errors where the field of a number stands.

        Raises
        ------
        InputError
            For a field that must be a number, and is not, or is written with another decimal mark than others.
        """
        if not self._categories and (values := self._all_numbers(fields)) is not None:
            return values
        if self._features is None:
            return np.array([self._number(i, field, where) for i, field in enumerate(fields)], dtype=np.float64)
        used, missing = self._features.used, self._features.missing
        values = np.zeros(len(fields), dtype=object if self._categories or not used.all() else np.float64)
        for i, field in enumerate(fields):
            if i in self._categories:
                values[i] = _value(field, self._texts[i])
            elif i >= len(used) or used[i]:
                empty = i < len(missing) and missing[i] and not field.strip()
                values[i] = math.nan if empty else self._number(i, field, where)
        return values

    def _all_numbers(self, fields: list[str]) -> npt.NDArray[np.float64] | None:
        """The usual line, quickly: numbers without a decimal comma; None for any other."""
        if self._comma or "_" in "".join(fields):
            return None
        try:
            return np.array(fields, dtype=np.float64)
        except ValueError:
            return None

    def _number(self, column: int, field: str, where: Where) -> float:
        if not is_number(field) or ("," in field and not self._comma):
            place, called = where(column)
            raise InputError(f"{place}: must be a number{_advice(field)}. Got {field!r}{called} instead.")
        self._written.setdefault("," if "," in field else "." if "." in field else "", field.strip())
        if {",", "."} <= self._written.keys():
            raise InputError(
                f"{where(column)[0]}: all numbers must have one decimal mark, a point or a comma. Got "
                f"{self._written['.']} and {self._written[',']}: write them alike, without marks between thousands."
            )
        self._doubt(field.strip())
        return number(field)

    def _doubt(self, field: str) -> None:
        """Semicolons are there for decimal commas; beside other separators 1,000 may be a thousand."""
        if "," in field and self._is_doubtful:
            self._is_doubtful = _THOUSANDS.fullmatch(field) is not None
            self._doubtful = (self._doubtful or field) if self._is_doubtful else ""

    def check(self, table: str) -> None:
        """Raise :class:`InputError` if commas between digits may be decimal ones, or between thousands."""
        if self._doubtful:
            raise InputError(
                f"{table}: {self._doubtful} may be a number with three decimals, or one of thousands. Write points for "
                "decimals and no mark between thousands, or separate columns with semicolons if commas are decimal."
            )


def is_number(field: str) -> bool:
    """Whether a field is a number, with a point or a comma."""
    return _NUMBER.fullmatch(field.strip()) is not None


def number(field: str) -> float:
    """The number in a field that :func:`is_number`."""
    return float(field.replace(",", "."))


def _advice(field: str) -> str:
    return ", with a decimal point and no mark between thousands" if "," in field else ""


def _by_text(categories: Categories) -> dict[str, Any]:
    return {str(category): category for category in categories.values if category is not None}


def _value(field: str, known: dict[str, Any]) -> Any:
    """The value that a text names; a number in another spelling; NaN if it is empty; else the text."""
    if field in known:
        return known[field]
    if not field.strip():
        return math.nan
    numbers = any(isinstance(category, int | float) for category in known.values())
    return number(field) if numbers and is_number(field) else field
