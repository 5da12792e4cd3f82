"""The fields of a line of text as values: numbers, categories, missing ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..features import Categories, FeatureMap


class Fields:
    """How the fields of a line are read, for a model with these public features or none."""

    def __init__(self, features: FeatureMap | None) -> None:
        self._features = features
        self._categories = {} if features is None else dict(features.categories)
        self._texts = {column: _by_text(one) for column, one in self._categories.items()}

    def are_known(self, fields: list[str]) -> bool:
        """Whether all categories in a line are known: it is no header."""
        fits = all(column < len(fields) for column in self._texts)
        return bool(self._texts) and fits and all(fields[i] in known for i, known in self._texts.items())

    def read(self, fields: list[str], wrong: Callable[[int, str], InputError]) -> npt.NDArray[Any]:
        """The values of a line: float64, or objects where some are categories or of columns that are not used.

        Raises
        ------
        InputError
            What ``wrong`` makes of the number of a field and its text, if it must be a number and is not.
        """
        try:
            if not self._categories:
                return np.array(fields, dtype=np.float64)
        except ValueError:
            pass
        if self._features is None:
            return np.array([_number(i, field, wrong) for i, field in enumerate(fields)], dtype=np.float64)
        used, missing = self._features.used, self._features.missing
        values = np.zeros(len(fields), dtype=object if self._categories or not used.all() else np.float64)
        for i, field in enumerate(fields):
            if i in self._categories:
                values[i] = _value(field, self._texts[i])
            elif i >= len(used) or used[i]:
                empty = i < len(missing) and missing[i] and not field.strip()
                values[i] = math.nan if empty else _number(i, field, wrong)
        return values


def is_number(field: str) -> bool:
    """Whether a field is a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _number(column: int, field: str, wrong: Callable[[int, str], InputError]) -> float:
    if not is_number(field):
        raise wrong(column, field)
    return float(field)


def _by_text(categories: Categories) -> dict[str, Any]:
    return {str(one): one for one in categories.values if one is not None}


def _value(field: str, known: dict[str, Any]) -> Any:
    """The value that a text names; a number in another spelling; NaN if it is empty; else the text."""
    if field in known:
        return known[field]
    if not field.strip():
        return math.nan
    numbers = any(isinstance(one, int | float) for one in known.values())
    return float(field) if numbers and is_number(field) else field
