"""One model at one service, as its client sees it: what was fetched, what was uploaded, and how a batch is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Reals
from ..circuits.query import Batch
from ..circuits.result import Result
from ..client import Client, check_backbone
from ..errors import (
    CalibrationError,
    DecryptionError,
    HermeticError,
    InputError,
    MismatchError,
    ModelNotFoundError,
    RefusedError,
    SignatureChangedError,
    TooLargeError,
)
from ..features import computed
from ..keys.secret import SecretKey
from ..named_inputs import in_order
from ..signature import Signature
from .answers import Answer, Answers
from .batches import Batches, best_batch_size
from .changes import differences
from .exchange import exchange
from .flow import Compute, Flow, Reply, Send
from .model_requests import (
    CHANGED,
    CREATED,
    NOT_FOUND,
    OK,
    UNKNOWN_KEY,
    Description,
    ModelRequests,
    read_answer,
    read_description,
    read_models,
)
from .settings import Settings

_MAX_CHANGES = 3


@dataclass(frozen=True)
class _Question:
    """An encrypted batch, ready to be sent, possibly more than once."""

    batch: Batch
    answer_bytes: int
    send: Send = field(repr=False)


class Session:
    """The state of a connection, and the flows that use it. Shared by clones; one driver at a time runs ``prepare``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests = ModelRequests(settings)
        self.client: Client | None = None
        self._secret_key: SecretKey | None = settings.secret_key
        self._key_at_server: str | None = None
        self._uploads = 0
        self._best_batch = 1
        self._batch_limit: int | None = None

    def connect(self) -> Flow[Client]:
        """A client for the model's signature, which is fetched once."""
        if self.client is None:
            model = yield from self._fetch_description()
            self._best_batch = best_batch_size(model.signature, model.max_samples, model.max_query_bytes)
            self.client = yield Compute(partial(self._make_client, model.signature))
        return self.client

    def prepare(self) -> Flow[Client]:
        """:meth:`connect`, and see to it that the service has the public key: uploaded once."""
        client = yield from self.connect()
        if self._key_at_server != client.public_key.id:
            known = client.secret_key is self.settings.secret_key and (yield from self._is_known(client))
            if not known:
                yield from self._upload_key(client)
            self._key_at_server = client.public_key.id
        return client

    def cut(self, X: Any) -> Batches:
        """X in batches."""
        size = self.settings.batch_size or self._best_batch
        return Batches(X, min(size, self._batch_limit or size))

    def inputs(self, client: Client, X: Any) -> Any:
        """X in the order of the model's names, or what the public function of ``features`` computes from it, one batch
        at a time: what the session's client takes.
        """
        features = self.settings.features
        if features is None:
            return in_order(X, client.signature.feature_names)
        return computed(features, X, client.signature.inputs, self.settings.batch_size or self._best_batch)

    def plan(self, client: Client, X: Any) -> Flow[Batches]:
        """X in batches; if there is more than one, every sample is checked before the first is encrypted."""
        batches = self.cut((yield Compute(partial(self.inputs, client, X))))
        if len(batches) > 1:
            yield Compute(partial(check, client, batches))
        return batches

    def answer(self, client: Client, X: Any) -> Flow[Answer]:
        """The answer to one batch, as it came: nothing here depends on the secret key."""
        question: _Question = yield Compute(partial(self._encrypt, client, X))
        reply = yield from self._ask(client, question)
        if reply.status == CHANGED:
            yield from self._check_signature(client.signature, reply)
        if reply.status != OK:
            raise self.requests.refusal(reply)
        return Answer(question.batch, read_answer(question.send, reply, question.answer_bytes))

    def read(self, client: Client, answers: Answers) -> Flow[Reals]:
        """The scores of a whole call, as :meth:`Client.decrypt` gives them, once all its answers are there."""
        try:
            scores: Reals = yield Compute(partial(_decrypt_all, client, answers))
        except DecryptionError:
            yield from self._abandon_key(client)
            raise
        return scores

    def recover(self, error: SignatureChangedError | TooLargeError, batches: Batches, attempt: int) -> None:
        """Get ready to start a call again that failed with this error, or raise the error if that cannot help."""
        if isinstance(error, TooLargeError) and batches.largest > 1:
            self._batch_limit = batches.largest // 2
        elif isinstance(error, SignatureChangedError) and self.settings.accept_changes and attempt < _MAX_CHANGES:
            self.client = None
        else:
            raise error

    def _make_client(self, signature: Signature) -> Client:
        settings = self.settings
        key = self._secret_key
        if key is not settings.secret_key and key is not None and key.parameters != signature.parameters:
            key = None
        check_backbone(signature, settings.features)
        client = Client(signature, key, clip=settings.clip, round_inputs=settings.round_inputs)
        self._secret_key = client.secret_key
        return client

    def _abandon_key(self, client: Client) -> Flow[None]:
        """Use a fresh key from now on, unless the caller chose this one.

        Only a forged answer passes every check and then fails to decrypt. Whether it fails depends on the secret key,
        so a service that sees how its forgeries are received would learn the key bit by bit.
        """
        if self._secret_key is client.secret_key is not self.settings.secret_key:
            self._secret_key = None
            self.client = yield Compute(partial(self._make_client, client.signature))

    def _fetch_description(self) -> Flow[Description]:
        reply = yield from self._exchange(self.requests.description())
        if reply.status == OK:
            return read_description(reply)
        error = self.requests.refusal(reply)
        if isinstance(error, ModelNotFoundError):
            listing = yield from self._exchange(self.requests.models())
            names = read_models(listing) if listing.status == OK else []
            message = f"{error} It has: {', '.join(names)}." if names else str(error)
            error = ModelNotFoundError(message, status=error.status, request_id=error.request_id)
        raise error

    def _is_known(self, client: Client) -> Flow[bool]:
        reply = yield from self._exchange(self.requests.has_key(client.public_key.id))
        if reply.status not in (OK, NOT_FOUND):
            raise self.requests.refusal(reply)
        return reply.status == OK

    def _upload_key(self, client: Client) -> Flow[None]:
        reply = yield from self._exchange(self.requests.put_key(client.public_key))
        if reply.status not in (OK, CREATED):
            raise self.requests.refusal(reply)
        self._uploads += 1

    def _encrypt(self, client: Client, X: Any) -> _Question:
        query = client.encrypt(X)
        answer_bytes = Result.size(client.signature, query.batch.layout, query.samples)
        return _Question(query.batch, answer_bytes, self.requests.infer(query.to_bytes(), answer_bytes))

    def _ask(self, client: Client, question: _Question) -> Flow[Reply]:
        """The answer to a question; if the service lost the public key, it gets it again, once."""
        uploads = self._uploads
        reply = yield from self._exchange(question.send)
        if reply.status != UNKNOWN_KEY:
            return reply
        if self._uploads == uploads:
            yield from self._upload_key(client)
        reply = yield from self._exchange(question.send)
        if reply.status == UNKNOWN_KEY:
            raise RefusedError("the service must keep the public key. It took it, and does not know it.", status=424)
        return reply

    def _check_signature(self, old: Signature, reply: Reply) -> Flow[None]:
        """Raise SignatureChangedError if the service's model is another one now."""
        new = (yield from self._fetch_description()).signature
        if new == old:
            return
        changes = tuple(differences(old, new))
        error = SignatureChangedError(
            f"{self.requests.model_name()} must be the one connected to. It changed: {'; '.join(changes)}. Connect "
            "again, or pass accept_changes=True.",
            status=reply.status,
            request_id=reply.headers.get("x-request-id"),
        )
        error.changes = changes
        raise error

    def _exchange(self, send: Send) -> Flow[Reply]:
        return exchange(send, timeout=self.settings.timeout, retries=self.settings.retries)

    def with_settings(self, settings: Settings) -> Session:
        """A session with other settings that keeps what it can: the keys, and the signature of the same model."""
        other = Session(settings)
        same_model = all(
            getattr(self.settings, name) == getattr(settings, name) for name in ("url", "model", "version")
        )
        other._secret_key = self._secret_key
        if same_model and self.client is not None:
            other._key_at_server = self._key_at_server
            other._best_batch = self._best_batch
            other.client = other._make_client(self.client.signature)
        return other


def check(client: Client, batches: Batches) -> None:
    """Raise InputError if any sample cannot be encrypted, before one is.

    The error counts samples from the start of X.
    """
    for first, rows in batches.numbered():
        try:
            client.quantize(rows)
        except InputError as error:
            place = f" Samples are counted from {first} here." if first else ""
            raise InputError(f"{error}{place}") from None


def _decrypt_all(client: Client, answers: Answers) -> Reals:
    """The scores of all batches; those of a single sample keep their shape. An error waits until all were tried."""
    parts: list[Reals] = []
    failed: HermeticError | None = None
    first = 0
    for answer in answers:
        try:
            parts.append(_decrypt(client, answer))
        except CalibrationError as error:
            failed = failed or CalibrationError(first + error.sample)
        except HermeticError as error:
            failed = failed or error
        first += answer.batch.samples
    if failed is not None:
        raise failed
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _decrypt(client: Client, answer: Answer) -> Reals:
    result = Result.from_bytes(answer.result, client.signature)
    if result.batch != answer.batch:
        raise MismatchError("the result must answer the query that was sent. It answers another query, or another key.")
    return client.decrypt(result)
