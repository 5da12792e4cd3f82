"""Workers on a cluster: the evaluator as an actor of Ray Data, which starts actors that die again, elsewhere."""

from __future__ import annotations

import functools
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import HermeticError, SettingsError
from ..object_stores import StoreError
from .evaluator import TRIES, Evaluator, Outcome
from .manifest import Shard

_RETRIES = 3

Run = Callable[[str, str, Sequence[Shard], int], Iterator[Outcome]]


def at(address: str) -> Run:
    """The engine at a cluster: ``ray``, the one that this machine belongs to or one made for the run, or ``ray://…``.

    Raises
    ------
    SettingsError
        If Ray is not installed.
    """
    try:
        import ray.data  # noqa: F401
    except ImportError:
        raise SettingsError("engine ray needs Ray. Install it with: pip install 'hermetic[ray]'") from None
    return functools.partial(_run, address)


def _run(address: str, job: str, model: str, shards: Sequence[Shard], workers: int) -> Iterator[Outcome]:
    """Answer shards; outcomes as they come. Actors get the model through Ray's own store, so its file is read here.

    A long job may lose any number of nodes: it is given up only after three passes in which nothing was answered.
    """
    import ray

    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about a job is told to Ray's makers
        try:
            ray.init(address if address != "ray" else None, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise SettingsError(f"the cluster {address} must answer. It does not ({type(error).__name__}).") from None
    data = ray.put(Path(model).read_bytes())
    waiting = {one.number: one for one in shards}
    tries, lost = 0, ""
    again: dict[int, Outcome] = {}
    while waiting and tries < TRIES:
        before = len(waiting)
        again.clear()
        try:
            for outcome in _pass(job, data, list(waiting.values()), workers):
                if outcome.again:
                    again[outcome.shard] = outcome
                else:
                    del waiting[outcome.shard]
                    yield outcome
        except ray.exceptions.RayError as error:  # a node went, with what it was about to say
            lost = type(error).__name__
        tries = tries + 1 if len(waiting) == before else 0
    for number in waiting:
        yield again.get(number) or Outcome(number, error=f"the cluster lost it {TRIES} times ({lost})", again=True)


def _pass(job: str, model: Any, shards: Sequence[Shard], workers: int) -> Iterator[Outcome]:
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what fails is tried again, and told in the end
    asked = ray.data.from_items([one.__dict__ for one in shards], override_num_blocks=len(shards))
    actor: Any = _Actor
    with warnings.catch_warnings():
        # The last two have no names of their own yet: Ray calls them deprecated, and takes no others.
        warnings.simplefilter("ignore", DeprecationWarning)
        answered = asked.map(
            actor,
            fn_constructor_args=(job, model),
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(shards))),
            num_cpus=1,
            max_restarts=-1,  # nodes may go and come as often as they like
            max_task_retries=_RETRIES,
        )
    for row in answered.iter_rows():
        if row["refused"]:
            raise SettingsError(row["refused"])
        yield Outcome(**{name: value for name, value in row.items() if name != "refused"})


class _Actor:
    """An evaluator of a model that came as bytes. What is wrong with the job as a whole is said with every shard."""

    def __init__(self, job: str, model: Any) -> None:
        import ray

        self._refused, self._evaluator = "", None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.hermetic"
            file.write_bytes(ray.get(model) if isinstance(model, ray.ObjectRef) else model)
            try:
                self._evaluator = Evaluator(job, file)
            except (HermeticError, StoreError) as error:
                self._refused = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        shard = Shard(row["number"], row["rows"], row["bytes"], row["sha256"])
        outcome = Outcome(shard.number) if self._evaluator is None else self._evaluator.answer(shard)
        return {**outcome.document(), "refused": self._refused}
