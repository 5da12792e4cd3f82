"""Inputs of every form that clients have, as numbers: arrays, DataFrames, lists, sparse matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import InputError
from ..named_inputs import TIMES, called, keeping_times
from ..real_values import REAL_KINDS, as_reals, with_shape
from .block import Flags
from .categories import Categories, is_nan


def read_reals(X: Any, inputs: int) -> npt.NDArray[Any]:
    """Real inputs (n, inputs), in their own dtype. Raises :class:`InputError`."""
    values = as_reals(X)
    _check_shape(values.shape, inputs)
    return values


def read_columns(
    X: Any, inputs: int, categories: Mapping[int, Categories], used: Flags, names: Sequence[str] | None
) -> Reals:
    """Inputs (n, inputs) column by column: values of categories by their numbers, others as reals, NaN where they are
    missing; 0 where nothing depends on them, whatever they are. Raises :class:`InputError`.
    """
    columns = list(map(keeping_times, _columns(X, inputs)))
    found = np.zeros((len(columns[0]), inputs))
    for i, column in enumerate(columns):
        name = f"column {i}" if names is None else called(names)(i)
        if i in categories:
            found[:, i] = categories[i].read(column, name)
        elif used[i]:
            found[:, i] = _reals(column, name)
    return found


def _columns(X: Any, inputs: int) -> Iterator[npt.NDArray[Any]]:
    if hasattr(X, "iloc"):
        _check_shape(X.shape, inputs)
        return (np.asarray(X.iloc[:, i]) for i in range(inputs))
    dense = np.asarray(with_shape(X.toarray() if hasattr(X, "toarray") else X))
    _check_shape(dense.shape, inputs)
    return iter(dense.T)


def _check_shape(shape: tuple[int, ...], inputs: int) -> None:
    if len(shape) != 2 or shape[1] != inputs:
        raise InputError(f"inputs must have shape (n, {inputs}). Got {shape} instead.")


def _reals(column: npt.NDArray[Any], name: str) -> Reals:
    if column.dtype.kind in REAL_KINDS:
        return np.asarray(column, dtype=np.float64)
    return np.array([_real(one, name, row) for row, one in enumerate(column.tolist())], dtype=np.float64)


def _real(value: Any, name: str, row: int) -> float:
    if value is None or is_nan(value):
        return float("nan")
    try:
        if not isinstance(value, (str, bytes, *TIMES)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{name} must hold numbers. Got {value!r} (sample {row}) instead.")
