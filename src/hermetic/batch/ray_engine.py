"""Workers on a cluster: the evaluator as an actor of Ray Data, which starts actors that die again, elsewhere."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import HermeticError, SettingsError
from ..object_stores import StoreError
from .evaluator import Evaluator, Outcome
from .manifest import Shard

_RESTARTS = 3
_TRIES = 3

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
    """Answer shards; outcomes as they come. Actors get the model through Ray's own store, so its file is read here."""
    import ray

    if not ray.is_initialized():
        try:
            ray.init(address if address != "ray" else None, log_to_driver=False, logging_level="error")
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise SettingsError(f"the cluster {address} must answer. It does not ({type(error).__name__}).") from None
    data = ray.put(Path(model).read_bytes())
    waiting = list(shards)
    for tries in range(1, _TRIES + 1):
        again = []
        for outcome in _pass(job, data, waiting, workers):
            if outcome.again and tries < _TRIES:
                again.append(outcome.shard)
            else:
                yield outcome
        waiting = [one for one in waiting if one.number in again]
        if not waiting:
            return


def _pass(job: str, model: Any, shards: Sequence[Shard], workers: int) -> Iterator[Outcome]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    asked = ray.data.from_items([one.__dict__ for one in shards], override_num_blocks=len(shards))
    answered = asked.map(
        _Actor,
        fn_constructor_args=(job, model),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(shards))),
        num_cpus=1,
        max_restarts=_RESTARTS,
        max_task_retries=_RESTARTS,
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
