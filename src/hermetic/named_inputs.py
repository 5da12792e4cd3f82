"""Inputs whose values have names: DataFrames, Series, tables of other libraries, mappings, records, and lists of these.

Where the model has names too, names decide: values are put in the model's order, and those that it does not use are
left out. A model without names takes values in their own order, and so does any model the values of an array. Labels
that only count 0, 1, … are no names, unless the model's are these: libraries make them where there are none.

Everybody who takes inputs reads them here: clients, the compiler, feature maps and the command line.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

_LOG = logging.getLogger("hermetic")
_SHOWN = 5
_NUMBERS = "biuf"

Table = npt.NDArray[Any]

TIMES = np.datetime64, np.timedelta64
"""What is no number, though NumPy converts it to the count of some unit."""


def in_order(X: Any, names: Sequence[str] | None) -> Any:
    """Inputs with their values in the model's order.

    Parameters
    ----------
    X
        One sample or several. A pandas DataFrame or Series; a table of polars or pyarrow; a mapping from names to
        numbers or to columns; an array with fields; a named tuple; or a list of samples that have names. Anything else
        has no names.
    names
        The model's, or None.

    Returns
    -------
    Any
        (d,) or (n, d). A DataFrame or Series is one still, and X itself if nothing had to be done; other tables,
        mappings and records become arrays.

    Raises
    ------
    InputError
        If a name of the model is missing or there twice, columns have different lengths, names are not where those of
        columns are, values are masked, or a mapping meets a model without names.
    """
    _check_unmasked(X)
    if hasattr(X, "iloc"):
        return _of_pandas(X, names)
    if _has_keys(X):
        return _of_mapping(X, names)
    labels = _labels(X)
    if labels is not None:
        return _stacked([_column(X, i, labels) for i in _chosen(labels, names)])
    if isinstance(X, list | tuple) and X and _is_named(X[0]):
        return _of_rows(X, names)
    return X


def places(labels: Sequence[Any], names: Sequence[str]) -> list[int]:
    """Where in ``labels`` each of the model's names is.

    Labels that are no texts count by how they are written: 7 is the name "7". Blanks may be underscores in the names,
    as LightGBM stores them.

    Raises
    ------
    InputError
        If a name is missing, or there twice.
    """
    texts, wanted = [str(one) for one in labels], set(names)
    if texts == list(names):
        return list(range(len(names)))
    if not wanted <= set(texts):
        texts = [one if one in wanted else one.replace(" ", "_") for one in texts]
    _check(labels, texts, names)
    unused = tuple(one for one in texts if one not in wanted)
    if unused:
        _say_unused(unused, tuple(names))
    place = {text: i for i, text in enumerate(texts)}
    return [place[name] for name in names]


def as_float64(objects: Table) -> npt.NDArray[np.float64]:
    """Objects as float64. Raises TypeError or ValueError if one is no real number."""
    if any(isinstance(one, TIMES) for one in objects.flat):
        raise TypeError("it holds dates or times")
    return objects.astype(np.float64)


def keeping_times(column: Table) -> Table:
    """A column (n,) whose dates and times stay that when it is put among objects."""
    return np.array(list(column), dtype=object) if column.dtype.kind in "mM" else column


def called(names: Sequence[str] | None) -> Callable[[int], str]:
    """What errors call the column of a number."""
    return lambda column: f"feature {column}" if names is None else f"column {names[column]!r}"


def listed(names: Sequence[Any]) -> str:
    """A few names, and how many there are."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown}, … ({len(names)} in all)" if len(names) > _SHOWN else shown


def _of_pandas(X: Any, names: Sequence[str] | None) -> Any:
    labels = list(X.columns if X.ndim == 2 else X.index)
    chosen = _chosen(labels, names)
    if names is not None and _only_count(labels, names):
        _check_turned(X, set(names))
    if chosen == list(range(len(labels))):
        return X
    return X.iloc[:, chosen] if X.ndim == 2 else X.iloc[chosen]


def _check_turned(X: Any, names: set[str]) -> None:
    """Values whose labels only count are in the model's order, unless its names are where those of rows are."""
    if X.ndim == 2 and names <= set(map(str, X.index)):
        raise InputError("inputs must have the model's names over columns. They are those of rows: pass X.T.")
    if X.ndim == 1 and len(names) > 1 and str(X.name) in names:
        raise InputError(f"inputs must be samples. Got one column of them, {X.name!r}: pass all, in a DataFrame.")


def _of_mapping(X: Any, names: Sequence[str] | None) -> Table:
    if names is None:
        raise InputError(
            f"inputs must be real numbers. Got {type(X).__name__} of names, and the model has none: pass rows of "
            "numbers."
        )
    labels = list(X.keys())
    columns = [X[labels[i]] for i in places(labels, names)]
    rows = [one.index for one in columns if hasattr(one, "iloc")]
    if not all(one.equals(rows[0]) for one in rows):
        raise InputError("columns must have the same rows in the same order. Their indices differ: make a DataFrame.")
    return _stacked(columns)


def _of_rows(rows: Sequence[Any], names: Sequence[str] | None) -> Table:
    if not all(map(_is_named, rows)):
        raise InputError("samples must all have names, or none of them. Got some with names and some without.")
    found = [np.asarray(in_order(row, names), dtype=object) for row in rows]
    if any(row.ndim != 1 or len(row) != len(found[0]) for row in found):
        raise InputError("every sample of a list must be one row of values, all of the same length.")
    return np.stack(found)


def _has_keys(X: Any) -> bool:
    return hasattr(X, "keys") and hasattr(X, "__getitem__")


def _labels(X: Any) -> list[Any] | None:
    """The names of a table of another library, of an array with fields or of a named tuple."""
    if isinstance(X, np.ndarray | np.void):
        found = X.dtype.names
    elif isinstance(X, tuple):
        found = getattr(X, "_fields", None)
    else:
        found = getattr(X, "column_names", getattr(X, "columns", None))
    return None if found is None else list(found)


def _is_named(row: Any) -> bool:
    return hasattr(row, "iloc") or _has_keys(row) or _labels(row) is not None


def _column(X: Any, number: int, labels: Sequence[Any]) -> Any:
    try:
        return X[number] if isinstance(X, tuple) else X[labels[number]]
    except (TypeError, LookupError):
        raise InputError(
            f"inputs must be a table whose columns are there, each by its name. Got {type(X).__name__}, which has no "
            f"single column {labels[number]!r}: collect it, or name columns once."
        ) from None


def _chosen(labels: Sequence[Any], names: Sequence[str] | None) -> list[int]:
    """The numbers of the columns to take, in their order."""
    return list(range(len(labels))) if names is None or _only_count(labels, names) else places(labels, names)


def _only_count(labels: Sequence[Any], names: Sequence[str]) -> bool:
    """Whether labels are 0, 1, … and the model has other names than these."""
    numbers = all(isinstance(one, int | np.integer) for one in labels) and list(labels) == list(range(len(labels)))
    return numbers and not set(names) <= set(map(str, labels))


def _stacked(columns: list[Any]) -> Table:
    """Columns (n,) or (n, 1) side by side (n, d), or values as one sample (d,); objects where some are no numbers."""
    for one in columns:
        _check_unmasked(one)
    arrays = [np.asarray(one) for one in columns]
    if all(array.ndim == 0 for array in arrays):
        return np.array([array.item() for array in arrays], dtype=_dtype(arrays))
    flat = [
        array.reshape(len(array)) if array.ndim == 2 and array.shape[1] == 1 else array
        for array in arrays
        if array.ndim
    ]
    if len(flat) < len(arrays) or any(one.ndim != 1 or len(one) != len(flat[0]) for one in flat):
        raise InputError("inputs must have columns of the same length under all names, or one value under each.")
    found = np.empty((len(flat[0]), len(flat)), dtype=_dtype(flat))
    for i, one in enumerate(flat):
        found[:, i] = keeping_times(one)
    return found


def _dtype(arrays: list[Table]) -> np.dtype[Any]:
    if arrays and all(array.dtype.kind in _NUMBERS for array in arrays):
        return np.result_type(*arrays)
    return np.dtype(object)


def _check_unmasked(X: Any) -> None:
    """NumPy drops masks where it makes plain arrays, and the values under them would count. Fields come one by one."""
    parts = X if isinstance(X, list | tuple) else (X,)
    if any(isinstance(part, np.ma.MaskedArray) and not part.dtype.names and np.ma.is_masked(part) for part in parts):
        raise InputError("inputs must not be masked. Some are: fill them, with NaN where the model takes that.")


def _check(labels: Sequence[Any], texts: Sequence[str], names: Sequence[str]) -> None:
    known, wanted = set(texts), set(names)
    missing = [name for name in names if name not in known]
    if missing:
        unknown = [label for label, text in zip(labels, texts, strict=True) if text not in wanted]
        other = f" Not known: {listed(unknown)}." if unknown else ""
        raise InputError(
            f"every column of the model must be there, by its name. Missing: {listed(missing)}.{other} Rename columns, "
            "or pass values without names, such as X.to_numpy(), if they are in the model's order."
        )
    twice = [one for one, count in Counter(texts).items() if count > 1 and one in wanted]
    if twice:
        raise InputError(f"every column of the model must be there once. Got {listed(twice)} more than once.")


@lru_cache(maxsize=256)
def _say_unused(unused: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Once for a model's names and the names it has no use for."""
    _LOG.warning("columns that the model does not use are left out: %s", listed(unused))
