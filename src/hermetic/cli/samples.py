"""Samples from a file: ``.npy``, ``.csv`` or ``.tsv``, or CSV on standard input."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import numpy.typing as npt
import typer

from ..errors import InputError
from ..features import FeatureMap
from ..named_inputs import in_order
from .columns import Columns, columns_of
from .dialect import Record, read_table
from .fields import Fields
from .header import is_header

STDIN = "-"
_TEXTS = (".csv", ".tsv")

Samples = npt.NDArray[Any]

HeaderOption = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Whether the first line of CSV names columns; by default as it looks."),
]
ClipOption = Annotated[bool, typer.Option("--clip", help="Use the nearest value in range for inputs out of it.")]
RoundOption = Annotated[bool, typer.Option("--round", help="Round inputs to the grid of exact inputs.")]


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
        The model's columns, in whose order a CSV header, or the fields of an array, are put; those that it does not
        use are left out. ``None`` takes columns as they come.
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
        The array of a ``.npy`` file, but for the order of its fields; (n, columns) from CSV.

    Raises
    ------
    InputError
        If it cannot be read, has another format, or holds something that is not a number where one must be.
    """
    suffix = Path(source).suffix.lower()
    if source == STDIN or suffix in _TEXTS:
        name = "standard input" if source == STDIN else source
        return _read_csv(name, _read_text(name, source), names, features, columns, header)
    if suffix == ".npy":
        array: Samples = in_order(_read_npy(source), names)
        return array
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
        table = read_table(text, names, columns, comments=features is None or not _may_hold_texts(features))
    except csv.Error as error:
        raise InputError(f"{name} must be CSV text in UTF-8: {error}.") from error
    _check_widths(name, table.records)
    form, records, read = Fields(features, table.separator), table.records, Columns(name)
    if _has_header(name, records, names, form, header):
        read, records = columns_of(name, records[0][1], names), records[1:]
    if not records:
        raise InputError(f"{name} must hold at least one sample. It holds none.")
    samples = np.stack([form.read(read.of(fields), partial(read.where, line)) for line, fields in records])
    form.check(name)
    return samples


def _check_widths(name: str, records: list[Record]) -> None:
    width = len(records[0][1]) if records else 0
    for line, fields in records:
        if len(fields) != width:
            raise InputError(f"{name}, line {line}: must have {width} columns. Got {len(fields)} instead.")


def _may_hold_texts(features: FeatureMap) -> bool:
    return bool(features.categories) or not features.used.all()


def _has_header(
    name: str, records: list[Record], names: Sequence[str] | None, form: Fields, header: bool | None
) -> bool:
    if header is not None or not records:
        return bool(header and records)
    (_, first), *others = records
    return is_header(name, first, [other for _, other in others], names, is_sample=form.hold_a_category(first))
