"""Samples from a file: ``.npy``, ``.csv``, or CSV on standard input."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..features import FeatureMap
from .fields import Fields, is_number

STDIN = "-"
_SHOWN = 5

Samples = npt.NDArray[Any]


def read_samples(source: str, names: Sequence[str] | None, features: FeatureMap | None = None) -> Samples:
    """Read samples, in their own dtype from ``.npy``, as float64 from CSV, or as objects where some are categories.

    Parameters
    ----------
    source
        The path of a ``.npy`` or ``.csv`` file, or ``-`` for CSV on standard input.
    names
        The columns that a CSV header must have, in this order; ``None`` allows any.
    features
        The public features of the model: which columns are categories or not used, and may be texts, and which may be
        empty.

    Returns
    -------
    Samples
        The array of a ``.npy`` file as it is; (n, columns) from CSV.

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
        return _read_npy(source)
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
    try:
        for line, fields in _records(file):
            if width is None:
                width = len(fields)
                if not form.are_known(fields) and _is_header(name, fields, names):
                    continue
            if len(fields) != width:
                raise InputError(f"{name}, line {line}: must have {width} columns. Got {len(fields)} instead.")
            rows.append(form.read(name, line, fields))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} must be CSV text in UTF-8: {error}.") from error
    if not rows:
        raise InputError(f"{name} must hold at least one sample. It holds none.")
    return np.stack(rows)


def _records(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every line that is not empty."""
    reader = csv.reader(file, skipinitialspace=True)
    return ((reader.line_num, fields) for fields in reader if any(map(str.strip, fields)))


def _is_header(name: str, fields: list[str], names: Sequence[str] | None) -> bool:
    """Whether the first line names the columns; it does when it holds the model's names, or no number at all."""
    found = [field.strip() for field in fields]
    if names is not None and found == list(names):
        return True
    if any(map(is_number, found)):
        return False
    if names is not None:
        raise InputError(f"{name}: {_wrong_columns(found, names)}")
    return True


def _wrong_columns(found: list[str], names: Sequence[str]) -> str:
    missing = [one for one in names if one not in found]
    unknown = [one for one in found if one not in names]
    expected = f"the columns must be {_listed(names)}."
    if missing or unknown:
        parts = [f"{_listed(group)} {verb}" for group, verb in ((missing, "missing"), (unknown, "not known")) if group]
        return f"{expected} Got {' and '.join(parts)}."
    return f"{expected} Got the same in another order or twice: {_listed(found)}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown}, … ({len(names)} in all)" if len(names) > _SHOWN else shown
