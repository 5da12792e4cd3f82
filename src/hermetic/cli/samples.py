"""Samples from a file: ``.npy``, ``.csv`` or ``.tsv``, or CSV on standard input."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import numpy.typing as npt
import typer

from ..errors import InputError
from ..features import FeatureMap
from .console import warn
from .dialect import Record, read_table
from .fields import Fields
from .header import has_index, is_header

STDIN = "-"
_TEXTS = (".csv", ".tsv")
_SHOWN = 5

Samples = npt.NDArray[Any]

HeaderOption = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Whether the first line of CSV names columns; by default as it looks."),
]


def read_samples(
    source: str,
    names: Sequence[str] | None,
    features: FeatureMap | None = None,
    *,
    columns: int | None = None,
    header: bool | None = None,
) -> Samples:
    """Read samples, in their own dtype from ``.npy``, as float64 from CSV, or as objects where some are categories.

    Parameters
    ----------
    source
        The path of a ``.npy``, ``.csv`` or ``.tsv`` file, or ``-`` for CSV on standard input.
    names
        The columns that a CSV header must have, in this order; ``None`` allows any.
    features
        The public features of the model: which columns are categories or not used, and may be texts, and which may be
        empty.
    columns
        How many columns the model takes, where that is known.
    header
        Whether the first line of CSV names the columns; by default it is looked at.

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
    if source == STDIN or suffix in _TEXTS:
        name = "standard input" if source == STDIN else source
        return _read_csv(name, _read_text(name, source), names, features, columns, header)
    if suffix == ".npy":
        return _read_npy(source)
    raise InputError(
        f"samples must be a .npy, .csv or .tsv file, or - for CSV on standard input. Got {source} instead: "
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


def _read_text(name: str, source: str) -> str:
    try:
        with _open_text(source) as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{name} must be CSV text in UTF-8: {error}.") from error


def _read_csv(
    name: str,
    text: str,
    names: Sequence[str] | None,
    features: FeatureMap | None,
    columns: int | None,
    header: bool | None,
) -> Samples:
    try:
        table = read_table(text, columns, comments=features is None or not _may_hold_texts(features))
    except csv.Error as error:
        raise InputError(f"{name} must be CSV text in UTF-8: {error}.") from error
    _check_widths(name, table.records)
    form = Fields(features, table.separator)
    records = _without_header(name, table.records, names, form, header)
    if not records:
        raise InputError(f"{name} must hold at least one sample. It holds none.")
    return np.stack([form.read(name, line, fields) for line, fields in records])


def _check_widths(name: str, records: list[Record]) -> None:
    width = len(records[0][1]) if records else 0
    for line, fields in records:
        if len(fields) != width:
            raise InputError(f"{name}, line {line}: must have {width} columns. Got {len(fields)} instead.")


def _may_hold_texts(features: FeatureMap) -> bool:
    return bool(features.categories) or not features.used.all()


def _without_header(
    name: str, records: list[Record], names: Sequence[str] | None, form: Fields, header: bool | None
) -> list[Record]:
    """The records that are samples, without the column of an index."""
    if not records or header is False:
        return records
    (_, first), *others = records
    if header is None:
        header = not form.hold_a_category(first) and is_header(name, first, [one for _, one in others], names)
    if not header:
        return records
    found = [field.strip() for field in first]
    if has_index(found):
        warn(f"{name}: the first column has no name. It is taken for an index, and not used.")
        found, others = found[1:], [(line, fields[1:]) for line, fields in others]
    if names is not None and found != list(names):
        raise InputError(f"{name}: {_wrong_columns(found, names)}")
    return others


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
