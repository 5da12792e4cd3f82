"""Samples from a file: ``.npy``, ``.csv``, or CSV on standard input."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..features import FeatureMap
from ..named_inputs import in_order, places
from .fields import Fields, is_number

STDIN = "-"

Samples = npt.NDArray[Any]


def read_samples(source: str, names: Sequence[str] | None, features: FeatureMap | None = None) -> Samples:
    """Read samples, in their own dtype from ``.npy``, as float64 from CSV, or as objects where some are categories.

    Parameters
    ----------
    source
        The path of a ``.npy`` or ``.csv`` file, or ``-`` for CSV on standard input.
    names
        The model's columns, in whose order a CSV header, or the fields of an array, are put; those that it does not
        use are left out. ``None`` takes columns as they come.
    features
        The public features of the model: which columns are categories or not used, and may be texts, and which may be
        empty.

    Returns
    -------
    Samples
        The array of a ``.npy`` file, but for the order of its fields; (n, columns) from CSV.

    Raises
    ------
    InputError
        If it cannot be read, is of another kind, or holds something that is not a number where one must be.
    """
    suffix = Path(source).suffix.lower()
    if source == STDIN or suffix == ".csv":
        with _open_text(source) as file:
            return _read_csv("standard input" if source == STDIN else source, file, names, Fields(features))
    if suffix == ".npy":
        array: Samples = in_order(_read_npy(source), names)
        return array
    raise InputError(
        f"samples must be a .npy or .csv file, or - for CSV on standard input. Got {source} instead: "
        "other formats must be turned into one row of numbers a sample first."
    )


@contextmanager
def _open_text(source: str) -> Iterator[TextIO]:
    if source == STDIN:
        text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        try:
            yield text
        finally:
            text.detach()
        return
    try:
        with Path(source).open(encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}.") from error


def _read_npy(source: str) -> Samples:
    try:
        array = np.load(source, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{source} must be a .npy file of numbers: {error}") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{source} must hold one array. Got an archive of arrays instead.")
    return array


def _read_csv(name: str, file: TextIO, names: Sequence[str] | None, form: Fields) -> Samples:
    rows: list[Samples] = []
    width: int | None = None
    taken: list[int] | None = None
    try:
        for line, fields in _records(file):
            if width is None:
                width = len(fields)
                if not form.are_known(fields) and _is_header(fields, names):
                    taken = _taken(name, fields, names)
                    continue
            if len(fields) != width:
                raise InputError(f"{name}, line {line}: must have {width} columns. Got {len(fields)} instead.")
            wrong = partial(_no_number, name, line, taken, names)
            rows.append(form.read(fields if taken is None else [fields[i] for i in taken], wrong))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} must be CSV text in UTF-8: {error}.") from error
    if not rows:
        raise InputError(f"{name} must hold at least one sample. It holds none.")
    return np.stack(rows)


def _no_number(
    name: str, line: int, taken: list[int] | None, names: Sequence[str] | None, column: int, field: str
) -> InputError:
    """Says where in the file the field is, from 1 on, and what its column is called there."""
    place, what = (column, "") if taken is None or names is None else (taken[column], f" for {names[column]!r}")
    return InputError(f"{name}, line {line}, column {place + 1}: must be a number. Got {field!r}{what} instead.")


def _records(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every line that is not empty."""
    reader = csv.reader(file, skipinitialspace=True)
    return ((reader.line_num, fields) for fields in reader if any(map(str.strip, fields)))


def _is_header(fields: list[str], names: Sequence[str] | None) -> bool:
    """Whether the first line names the columns: it holds all names of the model, or one that is no number, or no number
    at all.
    """
    found, known = {field.strip() for field in fields}, set(names or ())
    if known and known <= found:
        return True
    return any(not is_number(one) for one in known & found) or not any(map(is_number, found))


def _taken(name: str, fields: list[str], names: Sequence[str] | None) -> list[int] | None:
    """The numbers of the columns that the model takes, in its order."""
    try:
        return None if names is None else places([field.strip() for field in fields], names)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
