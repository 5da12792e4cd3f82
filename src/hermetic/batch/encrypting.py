"""The data owner's first half: a table becomes a job of encrypted queries, and a row file that stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
        If there is a job already, or a run that did not end was about something else.
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
    source, header = _source(Path(table), signature, row_key), _header(table, client, job, rows, row_key)
    journal = Journal(target, header)
    keys = RowFileWriter(target, row_key or _ROW)
    try:
        opened.write_public_key(client.public_key.to_bytes())
        _write_shards(opened, client, source, rows, row_key, journal, keys, progress)
        written = [journal.written[number] for number in sorted(journal.written)]
        keys.finish(signature.digest.hex(), client.public_key.id, written)
    except BaseException:
        keys.abandon()
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


def _write_shards(
    job: Job,
    client: Client,
    source: Source,
    rows: int,
    row_key: str | None,
    journal: Journal,
    keys: RowFileWriter,
    progress: Progress | None,
) -> None:
    """Encrypt what is not in the store; one query is uploaded while the next is made."""
    done = 0
    waiting: Future[None] | None = None
    with ThreadPoolExecutor(1) as uploads:
        for number, chunk in enumerate(source.chunks(rows)):
            content = _content(chunk)
            before = journal.written.get(number)
            if before is not None and (before.content != content or not job.has_query(before.shard)):
                before = None
            if before is None:
                query = _encrypted(client, chunk, source, done)
                if waiting is not None:
                    waiting.result()
                waiting = uploads.submit(_upload, job, journal, number, query, content)
            keys.add(_keys(chunk, row_key, done))
            done += len(chunk)
            if progress is not None:
                progress(done, source.rows)
        if waiting is not None:
            waiting.result()
    if not done:
        raise InputError(f"{source.path} must hold at least one row. It holds none.")
    for number in [one for one in journal.written if one > (done - 1) // rows]:
        del journal.written[number]


def _upload(job: Job, journal: Journal, number: int, query: Query, content: str) -> None:
    data = query.to_bytes()
    shard = Shard(number, query.samples, len(data), hashlib.sha256(data).hexdigest())
    job.write_query(shard.name, data)
    journal.add(Written(shard, query.batch.query.hex(), content))


def _encrypted(client: Client, chunk: Any, source: Source, first: int) -> Query:
    try:
        return client.encrypt(inputs_of(chunk, client.signature))
    except InputError as error:
        raise InputError(f"{source.path}, samples from row {first} on: {error}") from None


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
