"""Tables in files, some rows at a time: Parquet, Arrow, CSV and NumPy arrays are read, the first three written."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ..errors import InputError, SettingsError
from ..files import writing

PARQUET, ARROW, CSV, NUMPY = (".parquet", ".pq"), (".arrow", ".feather", ".ipc"), (".csv", ".tsv"), (".npy",)

_READ_BYTES = 1 << 22
_PARQUET_ROWS = 1 << 16


class Source:
    """A table in a file.

    Parameters
    ----------
    path
        A ``.parquet``, ``.arrow``, ``.csv``, ``.tsv`` or ``.npy`` file.
    columns
        The columns to read, by name; None for all. An array of ``.npy`` has none.
    as_written
        Which of them are read from CSV as texts, so that nothing of them is lost: 007 is not 7.

    Raises
    ------
    InputError
        If it cannot be read, has another format, or a column is missing, there twice or nested.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None, *, as_written: Collection[str] = ()) -> None:
        self.path = path
        self._as_written = as_written
        self._columns = None if columns is None else list(dict.fromkeys(columns))
        suffix = path.suffix.lower()
        if suffix not in (*PARQUET, *ARROW, *CSV, *NUMPY):
            raise InputError(f"a table must be a .parquet, .arrow, .csv, .tsv or .npy file. Got {path} instead.")
        with self._reading():
            if suffix in NUMPY:
                self._array = np.load(path, mmap_mode="r", allow_pickle=False)
            elif suffix in PARQUET:
                self._parquet = pyarrow.parquet.ParquetFile(path)
        self._suffix = suffix

    @property
    def rows(self) -> int | None:
        """How many rows it has, where that is known before they are read."""
        if self._suffix in NUMPY:
            return len(self._array)
        return int(self._parquet.metadata.num_rows) if self._suffix in PARQUET else None

    def chunks(self, rows: int) -> Iterator[Any]:
        """The table, ``rows`` rows at a time and then the rest: pyarrow tables, or arrays of a ``.npy`` file."""
        with self._reading():
            if self._suffix in NUMPY:
                yield from self._of_array(rows)
            else:
                yield from _cut(self._batches(), rows)

    def _of_array(self, rows: int) -> Iterator[Any]:
        if self._array.ndim != 2 or self._array.dtype.kind not in "biuf":
            raise InputError(
                f"{self.path} must hold numbers in rows and columns. Got {self._array.dtype} of shape "
                f"{self._array.shape} instead."
            )
        for start in range(0, len(self._array), rows):
            yield np.array(self._array[start : start + rows])

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._suffix in PARQUET:
            columns = self._chosen(self._parquet.schema_arrow)
            yield from self._parquet.iter_batches(_PARQUET_ROWS, columns=columns)
        elif self._suffix in ARROW:
            yield from self._of_arrow()
        else:
            yield from self._of_csv()

    def _of_arrow(self) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(self.path)) as file:
            try:
                opened = pa.ipc.open_file(file)
                batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
            except pa.ArrowInvalid:
                file.seek(0)
                opened = pa.ipc.open_stream(file)
                batches = iter(opened)
            columns = self._chosen(opened.schema)
            for batch in batches:
                yield batch.select(columns)

    def _of_csv(self) -> Iterator[pa.RecordBatch]:
        separator = "\t" if self._suffix == ".tsv" else ","
        read = pyarrow.csv.ReadOptions(block_size=_READ_BYTES)
        parse = pyarrow.csv.ParseOptions(delimiter=separator)
        with pyarrow.csv.open_csv(self.path, read_options=read, parse_options=parse) as opened:
            schema = opened.schema
        columns = self._chosen(schema)
        # What looks whole in the first rows may have decimals below.
        wide = {name: pa.float64() for name in columns if pa.types.is_integer(schema.field(name).type)}
        wide |= {
            name: pa.string()
            for name in columns
            if name in self._as_written or pa.types.is_null(schema.field(name).type)
        }
        convert = pyarrow.csv.ConvertOptions(include_columns=columns, column_types=wide)
        with pyarrow.csv.open_csv(self.path, read_options=read, parse_options=parse, convert_options=convert) as opened:
            yield from opened

    def _chosen(self, schema: pa.Schema) -> list[str]:
        """The columns that are read, each there once and not nested."""
        wanted = schema.names if self._columns is None else self._columns
        for name in wanted:
            count = schema.names.count(name)
            if count != 1:
                found = "there is none" if not count else f"there are {count}"
                raise InputError(f"{self.path} must have one column {name!r}: {found}.")
            if pa.types.is_nested(schema.field(name).type):
                raise InputError(
                    f"column {name!r} of {self.path} must hold one value a row. Got {schema.field(name).type} instead."
                )
        return list(wanted)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}.") from None
        except (pa.ArrowException, ValueError, EOFError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self.path} must be a table that can be read. It is not: {error}") from None


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches of any sizes as tables of ``rows`` rows."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < len(batch):
            taken = batch.slice(start, rows - count)
            waiting.append(taken)
            count += len(taken)
            start += len(taken)
            if count == rows:
                yield pa.Table.from_batches(waiting)
                waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


class Target:
    """A table that is written some rows at a time: whole, or not at all.

    Parameters
    ----------
    path
        A ``.parquet``, ``.arrow`` or ``.csv`` file; what it held is replaced when the table is whole.

    Raises
    ------
    SettingsError
        If it has another format.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in (*PARQUET, *ARROW, *CSV):
            raise SettingsError(
                f"a table must be written to a .parquet, .arrow, .csv or .tsv file. Got {path} instead."
            )
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Add rows. All tables have the schema of the first. Raises :class:`SettingsError` where there is no room."""
        with writing(self.path):
            if self._writer is None:
                self._writer = self._opened(table.schema)
            self._writer.write_table(table)

    def _opened(self, schema: pa.Schema) -> Any:
        suffix = self.path.suffix.lower()
        if suffix in PARQUET:
            return pyarrow.parquet.ParquetWriter(self._partial, schema)
        if suffix in ARROW:
            return pa.ipc.new_file(str(self._partial), schema)
        options = pyarrow.csv.WriteOptions(delimiter="\t" if suffix == ".tsv" else ",")
        return pyarrow.csv.CSVWriter(self._partial, schema, write_options=options)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._writer is not None:
                with writing(self.path):
                    self._writer.close()
                    self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)
