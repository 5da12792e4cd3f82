"""The data owner's first half: a table becomes a job of encrypted queries, and a row file that stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..circuits.query import Query
from ..client import Client
from ..errors import InputError, SettingsError
from ..signature import Signature
from .job import Job
from .manifest import Manifest, Shard
from .row_file import Journal, RowFileWriter, Written
from .tables import Source

QUERY_BYTES = 8 << 20
"""About how large a query is, unless the caller says how many rows it holds."""

_MOST_ROWS = 1 << 16
_ROW = "row"

Progress = Callable[[int, int | None], None]
"""Told (rows done, rows in all, where that is known)."""


def rows_of_a_query(signature: Signature) -> int:
    """The most rows, a power of two, whose query takes at most :data:`QUERY_BYTES`."""
    fitting = [rows for power in range(17) if signature.circuit.query_bytes(rows := 1 << power) <= QUERY_BYTES]
    return max(fitting, default=1)


def encrypt(
    table: str | Path,
    client: Client,
    job: str,
    row_file: str | Path,
    *,
    row_key: str | None = None,
    rows_per_query: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Encrypt a table into a job that a model owner can score. Exported as ``hermetic.batch.encrypt``.

    A run that was ended goes on where it was, if it is asked for the same. Memory does not grow with the table.

    Parameters
    ----------
    table
        A ``.parquet``, ``.arrow``, ``.csv``, ``.tsv`` or ``.npy`` file. Columns are found by the model's names; the
        others are not read.
    client
        For the model, with the key that will decrypt the answers.
    job
        Where the queries go: a directory, or an ``s3://``, ``az://`` or ``gs://`` URL. It must hold no job yet.
    row_file
        Where it is written which row each answer belongs to: a ``.rows`` file that stays with the data owner.
    row_key
        The column that tells rows apart; by default they are numbered from 0. It is never encrypted nor uploaded.
    rows_per_query
        How many rows a query holds; by default as many as make about 8 MiB. Public.
    progress
        Called with (rows done, rows in all or None).

    Returns
    -------
    Manifest
        What the job says about itself.

    Raises
    ------
    InputError
        If the table cannot be read, or holds what the model does not take: the row and the column are named.
    SettingsError
        If there is a job or a row file already, or a run that did not end was about something else.
    StoreError
        If the store does not answer.

    Notes
    -----
    The job tells whoever reads it the number of rows and of queries, the model and the key. Row keys, names of columns
    and values are not in it.
    """
    opened, signature, target = Job.open(job, create=True), client.signature, Path(row_file)
    if opened.has_manifest():
        raise SettingsError(
            f"the job {opened.name} must be new. It has a manifest: choose another place, or delete it."
        )
    rows = rows_per_query or rows_of_a_query(signature)
    if not 1 <= rows <= _MOST_ROWS:
        raise SettingsError(f"rows_per_query must be 1 to {_MOST_ROWS}. Got {rows} instead.")
    source = _source(Path(table), signature, row_key)
    journal = Journal(target, _header(table, client, job, rows, row_key))
    run = _Encryption(opened, client, source, row_key, journal, RowFileWriter(target, row_key or _ROW))
    try:
        opened.write_public_key(client.public_key.to_bytes())
        written = run.shards(rows, progress)
        run.keys.finish(signature.digest.hex(), client.public_key.id, written)
    except BaseException:
        run.keys.abandon()
        raise
    shards = tuple(one.shard for one in written)
    manifest = Manifest(signature.name, signature.digest.hex(), client.public_key.id, shards)
    opened.write_manifest(manifest)
    journal.remove()
    return manifest


def _source(table: Path, signature: Signature, row_key: str | None) -> Source:
    names = signature.feature_names
    if names is None:
        if row_key is not None:
            raise SettingsError(
                f"row_key must be left out: model {signature.name!r} has no column names, so all columns are inputs."
            )
        return Source(table)
    return Source(
        table, [*names, *([] if row_key is None else [row_key])], as_written=() if row_key is None else [row_key]
    )


def _header(table: str | Path, client: Client, job: str, rows: int, row_key: str | None) -> dict[str, Any]:
    return {
        "table": str(Path(table).resolve()),
        "job": job,
        "signature": client.signature.digest.hex(),
        "key": client.public_key.id,
        "rows": rows,
        "row_key": row_key,
    }


@dataclass(frozen=True, eq=False)
class _Encryption:
    """One run: where its queries go, and what it notes."""

    job: Job
    client: Client
    source: Source
    row_key: str | None
    journal: Journal
    keys: RowFileWriter

    def shards(self, rows: int, progress: Progress | None) -> list[Written]:
        """Encrypt what is not in the store, so many rows a query; one is uploaded while the next is made."""
        done, found = 0, []
        with ThreadPoolExecutor(1) as uploads:
            waiting: Future[Written] | None = None
            for number, chunk in enumerate(self.source.chunks(rows)):
                content = _content(chunk)
                before = self._before(number, content)
                query = None if before else self._encrypted(chunk, done)
                if waiting is not None:
                    found.append(waiting.result())
                waiting = uploads.submit(self._uploaded, number, query, content, before)
                self.keys.add(_keys(chunk, self.row_key, done))
                done += len(chunk)
                if progress is not None:
                    progress(done, self.source.rows)
            if waiting is None:
                raise InputError(f"{self.source.path} must hold at least one row. It holds none.")
            return [*found, waiting.result()]

    def _before(self, number: int, content: str) -> Written | None:
        """What an earlier run wrote of the same rows, if it is still there."""
        found = self.journal.written.get(number)
        return found if found and found.content == content and self.job.has_query(found.shard) else None

    def _encrypted(self, chunk: Any, first: int) -> Query:
        try:
            return self.client.encrypt(inputs_of(chunk, self.client.signature))
        except InputError as error:
            raise InputError(f"{self.source.path}, samples from row {first} on: {error}") from None

    def _uploaded(self, number: int, query: Query | None, content: str, before: Written | None) -> Written:
        if query is None:
            assert before is not None
            return before
        data = query.to_bytes()
        shard = Shard(number, query.samples, len(data), hashlib.sha256(data).hexdigest())
        self.job.write_query(shard.name, data)
        written = Written(shard, query.batch.query.hex(), content)
        self.journal.add(written)
        return written


def inputs_of(chunk: Any, signature: Signature) -> Any:
    """What the client takes of a chunk of a table."""
    if isinstance(chunk, np.ndarray):
        return chunk
    names = signature.feature_names
    return chunk if names is None else chunk.select(list(names))


def _keys(chunk: Any, row_key: str | None, first: int) -> pa.ChunkedArray:
    if row_key is not None:
        return chunk.column(row_key)
    return pa.chunked_array([pa.array(np.arange(first, first + len(chunk)))])


def _content(chunk: Any) -> str:
    """A hash of the rows, so that a table that changed since is seen. It stays with the data owner."""
    digest = hashlib.sha256()
    for part in _buffers(chunk):
        digest.update(part)
    return digest.hexdigest()


def _buffers(chunk: Any) -> Iterator[Any]:
    if isinstance(chunk, np.ndarray):
        yield np.ascontiguousarray(chunk)
        return
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, chunk.schema) as writer:
        writer.write_table(chunk.combine_chunks())
    yield sink.getvalue()
