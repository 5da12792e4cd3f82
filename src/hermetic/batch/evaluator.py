"""The model owner's worker: loads a model once, and answers one shard of a job after another."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..circuits.masking import MaskingKey
from ..circuits.query import Query
from ..errors import HermeticError, MismatchError
from ..keys.public import PublicKey
from ..model import CompiledModel
from ..object_stores import StoreError
from .job import Job
from .manifest import Manifest, Shard

TRIES = 3
"""How often a shard is tried whose worker died, or whose store did not answer."""


@dataclass(frozen=True)
class Outcome:
    """What became of a shard.

    Attributes
    ----------
    shard
        Its number.
    rows
        How many rows have an answer now; 0 on an error.
    seconds
        The worker's time for it.
    bytes
        The size of the answer.
    error
        Why there is no answer; empty where there is one.
    again
        Whether it may work when it is tried again: the store did not answer.
    """

    shard: int
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    error: str = ""
    again: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


class Evaluator:
    """One worker.

    Parameters
    ----------
    job
        Where the job is.
    model
        The model file.
    threads
        How many threads may work on one shard.

    Raises
    ------
    MismatchError
        If the job is for another model, or its key is not the one that it names.
    ModelFileError, SettingsError, WireError
        If model, manifest or key cannot be read.
    """

    def __init__(self, job: str, model: str | Path, threads: int = 1) -> None:
        self._job = Job.open(job)
        self._model = CompiledModel.load(Path(model))
        self._threads = threads
        manifest = self._job.manifest()
        check_model(manifest, self._model, self._job.name)
        self._key = self._masking_key(manifest)

    def _masking_key(self, manifest: Manifest) -> MaskingKey:
        key = PublicKey.from_bytes(self._job.public_key(self._model.signature.public_key_bytes))
        if key.id != manifest.key_id:
            raise MismatchError(
                f"the key of the job {self._job.name} must be {manifest.key_id[:16]}…, which its manifest names. Got "
                f"{key.id[:16]}… instead: encrypt the table again."
            )
        return self._model.masking_key(key)

    def answer(self, shard: Shard) -> Outcome:
        """Answer a shard; what is wrong with it, or with the store, is in the outcome."""
        start = time.perf_counter()
        try:
            query = Query.from_bytes(self._job.query(shard), self._model.signature)
            if query.samples != shard.rows:
                return Outcome(shard.number, error=f"it must hold {shard.rows} rows. It holds {query.samples}.")
            data = self._model.evaluate(query, self._key, threads=self._threads).to_bytes()
            self._job.write_answer(shard, data)
        except HermeticError as error:
            return Outcome(shard.number, error=str(error))
        except StoreError as error:
            return Outcome(shard.number, error=str(error), again=True)
        return Outcome(shard.number, shard.rows, time.perf_counter() - start, len(data))


def check_model(manifest: Manifest, model: CompiledModel, job: str) -> None:
    """Raise :class:`MismatchError` for a job of another model."""
    found = model.signature.digest.hex()
    if manifest.signature != found:
        raise MismatchError(
            f"the job {job} must be for model {model.signature.name!r} (signature {found[:16]}…). It is for "
            f"{manifest.model!r} (signature {manifest.signature[:16]}…): score it with that model, or encrypt the "
            "table with this one's signature."
        )
