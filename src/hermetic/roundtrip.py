"""Both sides of one query in one process, with nothing but bytes between them, every step timed.

client                                   service
encrypt ──> request ───────bytes───────> server
decrypt <── response <──────bytes────────┘
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy.typing as npt

from .arrays import Reals
from .circuits.encryption import Progress
from .circuits.query import Query
from .circuits.result import Result
from .client import Client
from .keys.public import PublicKey
from .model import CompiledModel

STEPS = ("encrypt", "request", "server", "response", "decrypt")
"""``request`` and ``response`` are the client's own conversions to and from bytes; the server's are in ``server``."""

T = TypeVar("T")


class LocalServer:
    """What a service does with a client's bytes. It holds the model and a public key, and no secret key.

    Parameters
    ----------
    model
        The model it answers for.
    public_key
        The bytes of :meth:`PublicKey.to_bytes`.

    Raises
    ------
    WireError
        If the public key's bytes are not valid.
    """

    def __init__(self, model: CompiledModel, public_key: bytes) -> None:
        self._model = model
        self._key = model.masking_key(PublicKey.from_bytes(public_key))

    def prepare(self, samples: int) -> None:
        """Encode the weights for batches of that many samples, which the first such query would do otherwise."""
        self._model.prepare(samples)

    def answer(self, request: bytes) -> bytes:
        """The bytes of the result for the bytes of a query. Raises as :meth:`Query.from_bytes`."""
        query = Query.from_bytes(request, self._model.signature)
        return self._model.evaluate(query, self._key).to_bytes()


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """The outcome of one query.

    Attributes
    ----------
    request, response
        All that went to the service and came back.
    result
        The response as the client read it.
    scores
        The decrypted scores, as :meth:`Client.decrypt` gives them.
    seconds
        How long each of :data:`STEPS` took.
    """

    request: bytes
    response: bytes
    result: Result
    scores: Reals
    seconds: dict[str, float]


def round_trip(
    client: Client,
    service: LocalServer,
    X: npt.ArrayLike,
    *,
    begin: Callable[[str], object] = lambda step: None,
    progress: Progress | None = None,
) -> RoundTrip:
    """Encrypt X, let the service answer, decrypt.

    Parameters
    ----------
    client, service
        The two sides; the service must know the client's public key.
    X
        One sample (d,) or a batch (n, d).
    begin
        Called with the name of each step before it starts.
    progress
        Called with (done, total) ciphertexts while encrypting.

    Raises
    ------
    InputError
        If X cannot be encrypted, see :meth:`Client.encrypt`.
    """
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], T]) -> T:
        begin(name)
        start = time.perf_counter()
        done = work()
        seconds[name] = time.perf_counter() - start
        return done

    query = step("encrypt", lambda: client.encrypt(X, progress=progress))
    request = step("request", query.to_bytes)
    response = step("server", lambda: service.answer(request))
    result = step("response", lambda: Result.from_bytes(response, client.signature))
    scores = step("decrypt", lambda: client.decrypt(result))
    return RoundTrip(request, response, result, scores, seconds)
