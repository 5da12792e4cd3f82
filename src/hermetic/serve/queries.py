"""The way of a query, whichever endpoint it came through: model, key, queue, rate, evaluation."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..circuits.query import Batch, Query
from ..envelope import PEEK_BYTES, QUERY, peek
from ..errors import MismatchError, WireError
from .access import Caller
from .allowance import Allowance
from .keycache import KeyCache
from .keystore import DIGEST_BYTES
from .logs import log
from .messages import EvaluateLegacy
from .metrics import Metrics
from .pool import Pool, QueueFullError
from .refusals import RefusalError, busy, malformed, not_found, signature_changed, too_large, unknown_key
from .repository import Repository, ServedModel
from .worker import Answer, Data, EvaluationError, FaultError, Worker, WorkerLostError


@dataclass
class Trace:
    """What the log says about a request, gathered on its way."""

    tenant: str | None = None
    model: str | None = None
    version: int | None = None
    samples: int | None = None
    bytes_in: int | None = None
    queue_ms: float | None = None
    evaluation_ms: float | None = None

    def note(self, model: ServedModel) -> None:
        self.model, self.version = model.name, model.version


def check_digest(model: ServedModel, head: bytes) -> None:
    """Raise :class:`RefusalError` 409 if the start of a query names another signature than the model's, and 422 if it
    is that of no query, or of one of a later version.
    """
    named = digest_of(head)
    if named and named != model.digest:
        raise signature_changed(
            f"the query must be made for the current signature of model {model.name!r}. It was made for another: fetch "
            "the signature again.",
            model.digest,
        )


def digest_of(query: Data) -> str:
    """The signature digest that a query names, hexadecimal; empty for bytes that are too few. Raises
    :class:`RefusalError` 422 for bytes that are no query, or one of a later version.
    """
    if len(query) < PEEK_BYTES:
        return ""
    try:
        return peek(query, QUERY)[0].hex()
    except WireError as error:
        raise malformed(str(error)) from None


class QueryHandler:
    """Answers queries.

    Parameters
    ----------
    repository, keys, pool, allowance, metrics
        The parts it connects.
    """

    def __init__(
        self,
        repository: Repository,
        keys: KeyCache,
        pool: Pool,
        allowance: Allowance,
        metrics: Metrics,
    ) -> None:
        self._repository = repository
        self._keys = keys
        self._pool = pool
        self._allowance = allowance
        self._metrics = metrics

    def model(self, name: str, version: str | None) -> ServedModel:
        """The model of a path. Raises :class:`RefusalError` 404."""
        found = self._repository.find(name, version)
        if found is None:
            raise not_found("the model" if version is None else "the model version")
        return found

    def model_of_query(self, query: Data) -> ServedModel:
        """The model that a query was made for, by the signature it names. Raises :class:`RefusalError` 404 or 422."""
        found = self._repository.find_by_digest(digest_of(query))
        if found:
            return found
        models = self._repository.models
        if len({model.name for model in models}) == 1:
            return models[-1]  # evaluating it says which signature is the current one
        raise not_found("a model with the signature that the query names")

    async def evaluate(
        self, caller: Caller, model: ServedModel, query: Data, trace: Trace, expected_key: str | None = None
    ) -> Answer:
        """Answer a query, which must name the expected key if there is one.

        Raises
        ------
        RefusalError
            409 for another signature, 422 for bytes that are no query, 424 for a key that is not stored, 429 over a
            limit, 503 when there is no room or the evaluation was lost.
        """
        trace.note(model)
        with self._allowance.counting_refusals(caller):
            batch = self._read_batch(model, query)
            key_id = batch.key.hex()
            if key_id != (expected_key or key_id):
                raise malformed("key_id must be the key that the queries name. It is another.")
        trace.samples = (trace.samples or 0) + batch.samples
        key = await self._keys.get(caller.tenant, key_id)
        if key is None:
            raise unknown_key(key_id)
        if len(key) != model.signature.public_key_bytes:
            raise malformed(
                f"the public key must be one for model {model.name!r}. It is for another: make the client with this "
                "model's signature, and store its public key."
            )

        async def ask(worker: Worker) -> Answer:
            return await worker.evaluate(model.content, key_id, key, query)

        answer = await self._in_process(caller, model, key_id, batch.places, trace, ask)
        self._metrics.evaluated(model.name, batch.samples, answer.ms)
        return answer

    async def evaluate_legacy(
        self, caller: Caller, model: ServedModel, key_id: str, ciphertexts: list[bytes], trace: Trace
    ) -> Answer:
        """Answer the ciphertexts of one sample of a legacy client, see :mod:`hermetic.legacy`.

        Raises
        ------
        RefusalError
            422 for bytes that are no ciphertexts of that client, and otherwise as :meth:`evaluate`.
        """
        trace.note(model)
        trace.samples = 1
        stored = await self._keys.get(caller.tenant, key_id)
        if stored is None:
            raise unknown_key(key_id)
        content, key = stored[:DIGEST_BYTES].hex(), memoryview(stored)[DIGEST_BYTES:]

        async def ask(worker: Worker) -> Answer:
            return await worker.evaluate(model.content, content, key, *ciphertexts, kind=EvaluateLegacy)

        answer = await self._in_process(caller, model, content, 1, trace, ask)
        self._metrics.evaluated(model.name, 1, answer.ms)
        return answer

    async def _in_process(
        self,
        caller: Caller,
        model: ServedModel,
        key_id: str,
        cost: int,
        trace: Trace,
        ask: Callable[[Worker], Awaitable[Answer]],
    ) -> Answer:
        """What an evaluation process answers, once there is one and the caller's limits allow the cost."""
        started = time.perf_counter()
        try:
            async with self._pool.worker_for(caller.tenant, key_id) as worker:
                trace.queue_ms = (trace.queue_ms or 0) + (time.perf_counter() - started) * 1e3
                self._check_still_served(model)
                self._allowance.charge(caller, cost)
                answer = await ask(worker)
        except (QueueFullError, WorkerLostError) as error:
            raise busy(f"{error}.") from None
        except EvaluationError as error:
            raise malformed(str(error)) from None
        except FaultError as error:
            log.error("evaluation failed", extra={"event": "fault", "reason": str(error)})
            raise RefusalError(500, "internal", "the evaluation failed. The operator's log says where.") from None
        trace.evaluation_ms = (trace.evaluation_ms or 0) + answer.ms
        return answer

    def _read_batch(self, model: ServedModel, query: Data) -> Batch:
        try:
            batch = Query.peek(query, model.signature)
        except MismatchError as error:
            raise signature_changed(str(error), model.digest) from None
        except WireError as error:
            raise malformed(str(error)) from None
        if not model.sizes.allow(len(query)):
            raise wrong_size(model, len(query))
        return batch

    def _check_still_served(self, model: ServedModel) -> None:
        """Raise :class:`RefusalError` if the model was replaced or removed since the request came in."""
        current = self._repository.find(model.name, str(model.version))
        if current is None:
            raise not_found("the model version")
        if current.content != model.content:
            message = f"model {model.name!r} was replaced meanwhile: fetch the signature again."
            raise signature_changed(message, current.digest)


def wrong_size(model: ServedModel, size: int) -> RefusalError:
    """413 or 422: no query for the model has this many bytes."""
    if model.sizes.too_many(size):
        largest = model.sizes.largest
        return too_large(
            f"a query for model {model.name!r} may have {largest} bytes, and fewer where they hold few samples. Got "
            f"{size}: send fewer samples."
        )
    return malformed(f"a query for model {model.name!r} must have a size that its signature allows. Got {size} bytes.")
