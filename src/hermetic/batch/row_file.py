"""What stays with the data owner: which row of the table each answer belongs to. Never in the job.

A row file is a Parquet file of one column, the row keys in the order of the table. Its metadata say which shard holds
how many of them, and the seed of the shard's query: an answer names the seed that it belongs to, so answers that were
mixed up are told apart. A *journal* beside it has a line for every query that is in the store, so that encrypting goes
on where it was ended.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from ..errors import InputError, SettingsError
from ..files import writing
from .manifest import Shard

_METADATA = b"hermetic"
_PARQUET_ROWS = 1 << 16


@dataclass(frozen=True)
class Written:
    """A query that is in the store: its shard, the seed of its ciphertexts, and the hash of the rows in it."""

    shard: Shard
    seed: str
    content: str


class Journal:
    """The queries that are in the store already.

    Parameters
    ----------
    path
        Of the row file; the journal is beside it.
    header
        What the run is about. A journal of another run is refused.

    Raises
    ------
    SettingsError
        If there is a journal of something else, or a row file without one: it is another job's.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path.with_name(f"{path.name}.journal")
        self.written: dict[int, Written] = {}
        if self._path.exists():
            self._continue(header)
        elif path.exists():
            raise SettingsError(
                f"the row file must be new. {path} belongs to another job, whose answers need it: choose another name."
            )
        else:
            self._path.touch(mode=0o600)
            self._append(header)

    def _continue(self, header: dict[str, Any]) -> None:
        lines = self._path.read_text(encoding="utf-8").split("\n")
        whole, last = lines[:-1], lines[-1]
        try:
            begun, *entries = (json.loads(line) for line in whole)
            found = [Written(Shard(**entry.pop("shard")), **entry) for entry in entries]
        except (ValueError, TypeError, KeyError):
            begun, found = None, []
        if begun != header:
            raise SettingsError(
                f"{self._path} must be of this table, model, key and job. It belongs to a run that did not end: "
                "run that again, or remove the file to begin anew."
            )
        if last:  # cut off by a crash
            self._path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
        self.written = {one.shard.number: one for one in found}

    def add(self, written: Written) -> None:
        """Note a query that is in the store; on the disk when this returns."""
        self.written[written.shard.number] = written
        self._append(asdict(written))

    def _append(self, line: dict[str, Any]) -> None:
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """The run is over."""
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class RowFile:
    """Whose rows are in which shard.

    Attributes
    ----------
    signature, key_id
        Which model and key the job is for.
    column
        What row keys are called.
    seeds
        The seed of every shard's query, in order.
    rows
        How many rows each shard holds.
    """

    path: Path
    signature: str
    key_id: str
    column: str
    seeds: tuple[str, ...]
    rows: tuple[int, ...]

    @staticmethod
    def read(path: Path) -> RowFile:
        """Open what :func:`write` wrote. Raises :class:`InputError`."""
        try:
            schema = pyarrow.parquet.read_schema(path)
            document = json.loads((schema.metadata or {})[_METADATA])
            return RowFile(path, **{**document, "seeds": tuple(document["seeds"]), "rows": tuple(document["rows"])})
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} must be the row file that hermetic batch encrypt wrote. It is not ({type(error).__name__})."
            ) from None

    def keys(self) -> Iterator[pa.Array]:
        """The row keys of every shard."""
        file = pyarrow.parquet.ParquetFile(self.path)
        waiting = pa.chunked_array([], file.schema_arrow.field(0).type)
        batches = file.iter_batches(_PARQUET_ROWS)
        for rows in self.rows:
            while len(waiting) < rows:
                waiting = pa.chunked_array([*waiting.chunks, next(batches).column(0)])
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)


class RowFileWriter:
    """Writes a row file: whole, or not at all. Row keys wait on the disk, because metadata are written last."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._waiting = path.with_name(f".{path.name}.keys")
        self._partial = path.with_name(f".{path.name}.partial")
        self._writer: Any = None

    def add(self, keys: pa.ChunkedArray) -> None:
        """The row keys of the next shard."""
        table = pa.table({self._column: keys})
        with writing(self._path):
            if self._writer is None:
                self._writer = pa.ipc.new_file(str(self._waiting), table.schema)
            self._writer.write_table(table)

    def finish(self, signature: str, key_id: str, written: list[Written]) -> None:
        """Say which shard holds how many of them. Raises :class:`SettingsError` where there is no room."""
        with writing(self._path):
            self._finish(signature, key_id, written)

    def _finish(self, signature: str, key_id: str, written: list[Written]) -> None:
        self._writer.close()
        document = {
            "signature": signature,
            "key_id": key_id,
            "column": self._column,
            "seeds": [one.seed for one in written],
            "rows": [one.shard.rows for one in written],
        }
        with pa.memory_map(str(self._waiting)) as file:
            opened = pa.ipc.open_file(file)
            schema = opened.schema.with_metadata({_METADATA: json.dumps(document).encode()})
            with pyarrow.parquet.ParquetWriter(self._partial, schema) as writer:
                for i in range(opened.num_record_batches):
                    writer.write_batch(opened.get_batch(i).cast(schema))
        self._partial.chmod(0o600)
        self._partial.replace(self._path)
        self._waiting.unlink()

    def abandon(self) -> None:
        """Leave no partial file."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # it may be why the run is abandoned
                self._writer.close()
        for path in (self._waiting, self._partial):
            path.unlink(missing_ok=True)
