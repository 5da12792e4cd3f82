"""Inputs that are one of a list of values: strings, numbers, booleans or None are read as a number of the list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError, ParameterError
from ..named_inputs import TIMES, listed
from .block import LARGEST, real_number, whole_number

MAX_VALUES = 1 << 16
_MAX_TEXT = 1000
_MAX_INTEGER = 1 << 63

Value = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Categories:
    """Which number each value of an input is read as.

    Parameters
    ----------
    values
        The values that are known, each once; equal ones (1, 1.0 and True) are the same. Public.
    numbers
        What each is read as; by default 0, 1, 2, …
    unknown
        What any other value is read as; ``None`` refuses it.
    nan
        What NaN is read as: a number; NaN itself, where the features give it a meaning; or ``None`` if it is one of
        the other values.
    dtype
        "float16" or "float32", to which real values are rounded before they are looked up; None rounds nothing.

    Raises
    ------
    ParameterError
        For values of other types or too many, values twice, or numbers that are not finite.
    """

    values: tuple[Value, ...]
    numbers: tuple[float, ...]
    unknown: float | None = None
    nan: float | None = None
    dtype: str | None = None

    def __init__(
        self,
        values: Sequence[Value],
        numbers: Sequence[float] | None = None,
        *,
        unknown: float | None = None,
        nan: float | None = None,
        dtype: str | None = None,
    ) -> None:
        known, found = tuple(map(_value, values)), tuple(range(len(values)) if numbers is None else numbers)
        whole_number(len(known), 0, MAX_VALUES, "the number of categories")
        if len(found) != len(known) or len(set(known)) != len(known):
            raise ParameterError("categories must be different, and have a number each.")
        if dtype not in (None, "float16", "float32"):
            raise ParameterError(f"categories must be rounded to float16 or float32, if at all. Got {dtype!r} instead.")
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "values", known)
        object.__setattr__(self, "numbers", tuple(_finite(one) for one in found))
        object.__setattr__(self, "unknown", None if unknown is None else _finite(unknown))
        object.__setattr__(self, "nan", nan if nan is None or math.isnan(nan) else _finite(nan))
        if not self.all_numbers:
            raise ParameterError("categories must be one at least. Got none.")

    @property
    def all_numbers(self) -> list[float]:
        """Every number that a value is read as, but NaN."""
        rest = [one for one in (self.unknown, self.nan) if one is not None and not math.isnan(one)]
        return [*self.numbers, *rest]

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest number that a value is read as."""
        return min(self.all_numbers), max(self.all_numbers)

    @property
    def whole(self) -> bool:
        """Whether every number is whole."""
        return all(float(one).is_integer() for one in self.all_numbers)

    @property
    def example(self) -> Value:
        """A value that is not known, of the values' type."""
        if self.values and all(isinstance(one, int | float) for one in self.values):
            return next(number for number in count() if number not in self.values)
        return max((one for one in self.values if isinstance(one, str)), key=len, default="") + "?"

    @cached_property
    def _number_of(self) -> dict[Value, float]:
        return dict(zip(self.values, self.numbers, strict=True))

    def read(self, column: npt.NDArray[Any], name: str) -> Reals:
        """Values (n,) as numbers (n,).

        Raises
        ------
        InputError
            For a value that is not known, unless all others have a number; ``name`` is the column's.
        """
        return np.array([self._read(one, name, row) for row, one in enumerate(column.tolist())], dtype=np.float64)

    def _read(self, value: Any, name: str, row: int) -> float:
        if is_nan(value) and self.nan is not None:
            return self.nan
        try:
            found = self._number_of.get(self._rounded(value), self.unknown)
        except TypeError:
            found = self.unknown
        if found is None:
            raise InputError(f"{name} must be {self}. Got {value!r} (sample {row}) instead.")
        return found

    def _rounded(self, value: Any) -> Any:
        real = self.dtype is not None and isinstance(value, float)
        return np.dtype(self.dtype).type(value).item() if real else value

    def values_of(self, numbers: Reals) -> list[Any]:
        """A value that is read as each number (n,)."""
        known: dict[float, Any] = dict(zip(self.numbers, self.values, strict=True))
        for number, value in ((self.nan, math.nan), (self.unknown, self.example)):
            if number is not None:
                known.setdefault(number, value)
        return [math.nan if math.isnan(one) else known[one] for one in numbers.tolist()]

    def filled(self, missing: Any, value: Any) -> Categories:
        """The same where ``missing`` is read as ``value`` is."""
        values, numbers = list(self.values), list(self.numbers)
        code = self._number_of.get(value, self.unknown)
        if is_nan(missing):
            return Categories(values, numbers, unknown=self.unknown, nan=code, dtype=self.dtype)
        if missing in values:
            del numbers[values.index(missing)], values[values.index(missing)]
        if code is not None:
            values, numbers = [*values, missing], [*numbers, code]
        return Categories(values, numbers, unknown=self.unknown, nan=self.nan, dtype=self.dtype)

    def __str__(self) -> str:
        return f"one of {listed(self.values)}"

    def document(self) -> dict[str, Any]:
        """The values and numbers, as JSON; NaN is ``"missing"``."""
        nan = "missing" if self.nan is not None and math.isnan(self.nan) else self.nan
        dtype = {} if self.dtype is None else {"dtype": self.dtype}
        numbers = list(self.numbers)
        return {"values": list(self.values), "numbers": numbers, "unknown": self.unknown, "nan": nan, **dtype}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Categories:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        values, numbers = document["values"], document["numbers"]
        if not all(isinstance(one, list) and len(one) <= MAX_VALUES for one in (values, numbers)):
            raise ParameterError(f"categories must be a list of at most {MAX_VALUES} values, and one of their numbers.")
        nan = math.nan if document["nan"] == "missing" else document["nan"]
        return cls(values, numbers, unknown=document["unknown"], nan=nan, dtype=document.get("dtype"))


def is_nan(value: Any) -> bool:
    """Whether a value is NaN of any float type, or pandas' missing value."""
    return (isinstance(value, float | np.floating) and math.isnan(value)) or type(value).__name__ == "NAType"


def _value(value: Any) -> Value:
    plain = value.item() if isinstance(value, np.generic) and not isinstance(value, TIMES) else value
    if isinstance(plain, str):
        fits = len(plain) <= _MAX_TEXT
    elif isinstance(plain, float):
        fits = math.isfinite(plain)
    else:
        fits = plain is None or (isinstance(plain, int) and abs(plain) <= _MAX_INTEGER)
    if not fits:
        raise ParameterError(
            f"a category must be a text of at most {_MAX_TEXT} characters, a finite number, a boolean or None. Got "
            f"{str(plain)[:50]!r} instead."
        )
    found: Value = plain
    return found


def _finite(value: Any) -> float:
    return real_number(value.item() if isinstance(value, np.generic) else value, -LARGEST, LARGEST, "a number")
