"""The model owner's half: every shard of a job gets its answer, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..circuits.masking import available_cores
from ..errors import SettingsError
from ..model import CompiledModel
from . import local_engine
from .evaluator import Outcome, check_model
from .job import Job
from .manifest import Manifest, Shard
from .metrics import MetricsFile
from .summary import Failure, Summary

LOCAL = "local"
_RAY = "ray"

Progress = Callable[[int, int], None]
"""Told (rows done, rows in all)."""


def score(
    job: str,
    model: str | Path,
    *,
    engine: str = LOCAL,
    workers: int | None = None,
    progress: Progress | None = None,
    metrics: str | Path | None = None,
) -> Summary:
    """Answer the shards of a job that have no answer yet. Exported as ``hermetic.batch.score``.

    An answer is written whole, and once: a run that was ended, with its workers or without, is finished by the next,
    and several may work on one job.

    Parameters
    ----------
    job
        A directory, or an ``s3://``, ``az://`` or ``gs://`` URL.
    model
        The model file.
    engine
        ``"local"``: processes on this machine. ``"ray"``, or ``"ray://…"``, the address of a cluster: actors of Ray
        Data, where the extra ``hermetic[ray]`` is installed.
    workers
        How many, each with one thread; by default one a core.
    progress
        Called with (rows done, rows in all).
    metrics
        A file, ``….prom``, that Prometheus' node exporter reads: rows done, failures, seconds. By default none.

    Returns
    -------
    Summary
        What was done; shards that are damaged, foreign or could not be read are in ``failures``, the others are done.

    Raises
    ------
    MismatchError
        If the job is for another model or key. Nothing was answered then.
    SettingsError
        If there is no such job, engine or model.
    StoreError
        If the store does not answer.
    """
    start = time.perf_counter()
    workers = workers or available_cores()
    if workers < 1:
        raise SettingsError(f"workers must be 1 or more. Got {workers} instead.")
    run = _engine(engine)
    opened = Job.open(job)
    manifest = opened.manifest()
    check_model(manifest, CompiledModel.load(Path(model)), opened.name)
    told = [] if progress is None else [progress]
    kept = None if metrics is None else MetricsFile(Path(metrics), manifest.model)
    if kept is not None:
        told.append(kept.advance)
    answered = opened.answered()
    todo = [one for one in manifest.shards if one.name not in answered]
    before = manifest.rows - sum(one.rows for one in todo)
    done, outcomes = before, []
    for outcome in run(job, str(model), todo, workers) if todo else ():
        outcomes.append(outcome)
        done += 0 if outcome.error else manifest.shards[outcome.shard].rows
        for tell in told:
            tell(done, manifest.rows)
    summary = Summary(
        rows=manifest.rows,
        shards=len(manifest.shards),
        answered_before=before,
        answered=sum(one.rows for one in outcomes),
        failures=_failures(manifest, outcomes),
        seconds=time.perf_counter() - start,
        busy_seconds=sum(one.seconds for one in outcomes),
        answer_bytes=sum(one.bytes for one in outcomes),
        workers=min(workers, len(todo)),
    )
    if kept is not None:
        kept.finish(summary)
    return summary


def _engine(name: str) -> Callable[[str, str, Sequence[Shard], int], Iterator[Outcome]]:
    if name == LOCAL:
        return local_engine.run
    if name == _RAY or name.startswith(f"{_RAY}://"):
        from . import ray_engine

        return ray_engine.at(name)
    raise SettingsError(f"the engine must be {LOCAL}, {_RAY} or {_RAY}://HOST:PORT. Got {name} instead.")


def _failures(manifest: Manifest, outcomes: Sequence[Outcome]) -> tuple[Failure, ...]:
    failed = sorted((one for one in outcomes if one.error), key=lambda one: one.shard)
    return tuple(
        Failure(f"queries/{(shard := manifest.shards[one.shard]).name}", shard.rows, one.error) for one in failed
    )
