"""The data owner's second half: answers of a job become a table, each row beside its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..arrays import Reals
from ..circuits.result import Result
from ..client import Client
from ..errors import HermeticError, InputError, MismatchError, WireError
from .job import Job
from .manifest import Manifest, Shard
from .row_file import RowFile
from .tables import Target

PREDICTION, SCORE, PROBABILITY = "prediction", "score", "probability"

Progress = Callable[[int, int], None]
"""Told (rows done, rows in all)."""


@dataclass(frozen=True)
class Decrypted:
    """What was written.

    Attributes
    ----------
    rows
        How many rows the table has.
    missing
        The shards that are not in it: their names, how many rows each, and why.
    """

    rows: int
    missing: tuple[tuple[str, int, str], ...]


def decrypt(
    job: str,
    client: Client,
    row_file: str | Path,
    output: str | Path,
    *,
    columns: Sequence[str] = (PREDICTION,),
    partial: bool = False,
    progress: Progress | None = None,
) -> Decrypted:
    """Decrypt the answers of a job into a table. Exported as ``hermetic.batch.decrypt``.

    Parameters
    ----------
    job
        A directory, or an ``s3://``, ``az://`` or ``gs://`` URL.
    client
        For the model, with the key that the table was encrypted with.
    row_file
        What :func:`encrypt` wrote beside the job.
    output
        A ``.parquet``, ``.arrow``, ``.csv`` or ``.tsv`` file. It has the row keys and the columns asked for, in the
        order of the table that was encrypted.
    columns
        From ``"prediction"`` (labels or values), ``"score"`` and ``"probability"``; the last two have one column for
        each output or class, by its name.
    partial
        Write the rows whose answers are there and good, and leave out the others.
    progress
        Called with (rows done, rows in all).

    Returns
    -------
    Decrypted
        How many rows were written, and which shards are missing.

    Raises
    ------
    MismatchError
        If job, row file, model and key do not belong together.
    InputError
        If the row file is none, or probabilities are asked for where there are none.
    WireError, DecryptionError
        If an answer is missing, damaged, or belongs to another query, unless ``partial``. No table is written then.
    StoreError
        If the store does not answer.
    """
    opened = Job.open(job)
    manifest, rows = opened.manifest(), RowFile.read(Path(row_file))
    _check(manifest, rows, client, opened.name)
    table = _Columns(client, columns)
    done, missing = 0, []
    failed: HermeticError | None = None
    with Target(Path(output)) as target:
        for shard, seed, keys in zip(manifest.shards, rows.seeds, rows.keys(), strict=True):
            # Every answer is read, whatever decrypts: who sees what is read must learn nothing from it.
            try:
                data = opened.answer(shard, client.signature.circuit.result_bytes(shard.rows))
                scores = client.decrypt(_result(data, shard, seed, client))
            except HermeticError as error:
                failed = failed or type(error)(f"answers/{shard.name} of the job {opened.name}: {error}")
                missing.append((f"answers/{shard.name}", shard.rows, str(error)))
                continue
            if not failed or partial:
                target.write(pa.table({rows.column: keys, **dict(table.of(scores, shard.rows))}))
                done += shard.rows
            if progress is not None:
                progress(done, manifest.rows)
        if failed and (not partial or not done):
            raise failed
    return Decrypted(done, tuple(missing))


def _check(manifest: Manifest, rows: RowFile, client: Client, job: str) -> None:
    """That all of them are about one job."""
    for what, found, wanted, advice in (
        (
            "the model",
            manifest.signature,
            client.signature.digest.hex(),
            "pass the signature that the table was encrypted with",
        ),
        ("the key", manifest.key_id, client.public_key.id, "pass the key that the table was encrypted with"),
        ("the row file's model", rows.signature, manifest.signature, "pass the row file of this job"),
        ("the row file's key", rows.key_id, manifest.key_id, "pass the row file of this job"),
    ):
        if found != wanted:
            raise MismatchError(f"{what} of the job {job} must be {wanted[:16]}…. Got {found[:16]}… instead: {advice}.")
    if rows.rows != tuple(one.rows for one in manifest.shards):
        raise MismatchError(
            f"the row file {rows.path} must have the rows of the job {job}. It has others: pass the one of this job."
        )


def _result(data: bytes | None, shard: Shard, seed: str, client: Client) -> Result:
    """The answer to this client's own query of the shard."""
    if data is None:
        raise WireError("it was not found: score the job.")
    result = Result.from_bytes(data, client.signature)
    if result.samples != shard.rows or result.batch.query.hex() != seed:
        raise MismatchError("it must answer the query of this shard. It answers another: answers were mixed up.")
    return result


class _Columns:
    """Columns made of scores."""

    def __init__(self, client: Client, wanted: Sequence[str]) -> None:
        known = (PREDICTION, SCORE, PROBABILITY)
        if not wanted or (unknown := [one for one in wanted if one not in known]):
            raise InputError(f"columns must be from {', '.join(known)}. Got {', '.join(unknown or ['none'])} instead.")
        if PROBABILITY in wanted and not client.signature.head.has_probabilities:
            client.scores_to_probabilities(np.zeros(client.signature.outputs))
        self._client, self._wanted = client, wanted

    def of(self, scores: Reals, rows: int) -> Iterator[tuple[str, pa.Array]]:
        """The columns of so many rows."""
        client = self._client
        for one in self._wanted:
            if one == PREDICTION:
                yield from _columns(one, client.scores_to_labels(scores).reshape(rows, -1), None)
            elif one == SCORE:
                yield from _columns(one, scores.reshape(rows, -1), client.signature.labels)
            else:
                yield from _columns(
                    one, client.scores_to_probabilities(scores).reshape(rows, -1), client.signature.labels
                )


def _columns(name: str, values: npt.NDArray[Any], labels: npt.NDArray[Any] | None) -> Iterator[tuple[str, pa.Array]]:
    width = values.shape[1]
    names = labels.tolist() if labels is not None and len(labels) == width else range(width)
    for place, label in enumerate(names):
        column = values[:, place]
        yield name if width == 1 else f"{name}_{label}", pa.array(column.tolist() if column.dtype == object else column)
