"""Inputs as arrays, whatever they came as: DataFrames, sparse matrices, lists and tables of other libraries.

Which value belongs to which input is decided before, by :mod:`hermetic.named_inputs`. Clients, feature maps and the
compiler read here what a value is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .named_inputs import as_float64, called

REAL_KINDS = "biuf"
"""The kinds of NumPy's dtypes that hold real numbers."""


def with_shape(X: Any) -> Any:
    """X itself if it has a shape, and otherwise an array, in which numbers and texts side by side stay what they are.

    Raises
    ------
    InputError
        For rows of different lengths.
    """
    if hasattr(X, "shape"):
        return X
    try:
        found = np.asarray(X)
        return np.array(X, dtype=object) if found.dtype.kind in "US" else found
    except ValueError as error:
        raise InputError(f"inputs must be rows of the same length: {error}.") from None


def as_reals(X: Any, names: Sequence[str] | None = None, what: str = "inputs") -> npt.NDArray[Any]:
    """X as an array of real numbers, of its own shape and dtype; objects become float64.

    Parameters
    ----------
    X
        An array, a DataFrame, a sparse matrix, a list, or what else NumPy makes an array of.
    names
        Those of the columns, and ``what`` is that of the whole: both for messages.

    Raises
    ------
    InputError
        If something in it is no real number; the message says where.
    """
    raw = None
    try:
        raw = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
        values = as_float64(raw) if raw.dtype.kind == "O" else raw
        check_reals(values.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        place = "" if raw is None or raw.dtype.kind != "O" else _first_unreal(np.atleast_2d(raw), names)
        raise InputError(f"{what} must be real numbers. Got {type(X).__name__} that is not: {error}{place}.") from error
    return values


def check_reals(dtype: np.dtype[Any]) -> None:
    """Raise TypeError for a dtype of anything but real numbers."""
    if dtype.kind not in REAL_KINDS:
        raise TypeError(f"its dtype is {dtype}")


def _first_unreal(rows: npt.NDArray[Any], names: Sequence[str] | None) -> str:
    """Where the first object is that is no real number."""
    name = called(names if rows.shape[1:] == (len(names or ()),) else None)
    for sample, feature in np.ndindex(*rows.shape[:2]):
        try:
            float(rows[sample, feature])
        except (TypeError, ValueError, OverflowError):
            return f" (sample {sample}, {name(feature)})"
    return ""
