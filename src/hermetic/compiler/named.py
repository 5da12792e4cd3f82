"""Numbers of inputs by the names of their columns: where both sides have names, names decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError
from .inputs import Limits

NamedLimits = Limits | Mapping[str, tuple[float, float]]
"""(smallest, largest), or these by the name of a column."""


def column_names(names: Sequence[str] | None, X_sample: Any) -> tuple[str, ...] | None:
    """The names that a model has, or its sample's where it has none."""
    if names is not None:
        return tuple(names)
    columns = [] if X_sample is None else list(getattr(X_sample, "columns", []))
    return tuple(columns) if columns and all(isinstance(one, str) for one in columns) else None


def limits_by_name(limits: NamedLimits | None, names: Sequence[str] | None) -> Limits | None:
    """Limits in the order of the columns.

    Raises
    ------
    CompileError
        For names that are not those of the columns, or pairs that are none.
    """
    if limits is None:
        return None
    if not _has_names(limits):
        pair = _pair(limits)
        return in_order(pair[0], names, "input_range"), in_order(pair[1], names, "input_range")
    pairs = [_pair(one) for one in in_order(limits, names, "input_range")]
    return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])


def in_order(value: Any, names: Sequence[str] | None, option: str) -> Any:
    """What a dict or a Series says of every column, in their order; anything else as it is.

    Raises
    ------
    CompileError
        For names that are not those of the columns.
    """
    if not _has_names(value):
        return value
    if names is None:
        raise CompileError(
            f"{option} must be made of numbers or arrays, where columns have no names. Got {type(value).__name__} with "
            "names: fit the model on a DataFrame, or pass one as X_sample."
        )
    given = dict(value.items())
    missing, unknown = [one for one in names if one not in given], [one for one in given if one not in set(names)]
    if missing or unknown:
        words = [f"it lacks {missing[:8]}"] if missing else []
        words += [f"the model has no {unknown[:8]}"] if unknown else []
        raise CompileError(f"{option} must name every column, and no other: {', and '.join(words)}.")
    return [given[one] for one in names]


def _has_names(value: Any) -> bool:
    """A dict, or a Series that is not numbered 0, 1, …"""
    if isinstance(value, Mapping):
        return True
    index: Any = getattr(value, "index", None) if hasattr(value, "items") and hasattr(value, "to_numpy") else None
    return index is not None and not np.array_equal(np.asarray(index), np.arange(len(index)))


def _pair(value: Any) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    try:
        smallest, largest = value
    except (TypeError, ValueError) as error:
        raise CompileError(
            f"input_range must be a pair (smallest, largest), or one for each name of a column. Got {value!r} instead."
        ) from error
    return smallest, largest
