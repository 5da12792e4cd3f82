"""Images in numbers from one to ten thousand, from keys to labels, by the circuits that fit: the shape of
HomomorphicEncryption.org's workload for inference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import hermetic

Reals = npt.NDArray[np.float64]
T = TypeVar("T")

NUMBERS = (1, 15, 1_000, 10_000)


IN_A_CALL = 250
"""Images of one request at most."""


@dataclass(frozen=True)
class Batch:
    """So many images by one circuit, which ``name`` says.

    Attributes are the seconds of each step, bytes, and the shares of labels that are right, and that are the plain
    model's.
    """

    name: str
    images: int
    keys_s: float
    encrypt_s: float
    server_s: float
    decrypt_s: float
    key_bytes: int
    request_bytes: int
    response_bytes: int
    right: float
    same: float


def batches(name: str, model: hermetic.CompiledModel, plain: Any, X: Reals, y: npt.NDArray[Any]) -> Iterator[Batch]:
    """Every number of the first of images X (n, d), whose classes are y (n,); all cores serve."""
    expected = np.asarray(plain.predict(X))
    for number in NUMBERS:
        yield _batch(name, model, X[:number], y[:number], expected[:number])


def _batch(
    name: str, model: hermetic.CompiledModel, X: Reals, y: npt.NDArray[Any], expected: npt.NDArray[Any]
) -> Batch:
    steps = Steps()
    client = steps.timed("keys", lambda: hermetic.Client(model.signature, clip=True))
    key = steps.timed("keys", client.public_key.to_bytes)
    public_key = model.masking_key(hermetic.PublicKey.from_bytes(key))
    model.prepare(min(len(X), IN_A_CALL))

    def answered(request: bytes) -> bytes:
        return model.evaluate(hermetic.Query.from_bytes(request, model.signature), public_key).to_bytes()

    labels, up, down = [], 0, 0
    for start in range(0, len(X), IN_A_CALL):
        some = X[start : start + IN_A_CALL]
        request = steps.timed("encrypt", lambda some=some: client.encrypt(some).to_bytes())
        response = steps.timed("server", lambda request=request: answered(request))
        read = steps.timed(
            "decrypt", lambda response=response: client.predict(hermetic.Result.from_bytes(response, model.signature))
        )
        labels.append(read)
        up, down = up + len(request), down + len(response)
    found = np.concatenate(labels)
    right, same = (float(np.mean(found == given)) for given in (y, expected))
    seconds = (steps.seconds[step] for step in ("keys", "encrypt", "server", "decrypt"))
    return Batch(name, len(X), *seconds, len(key), up, down, right, same)


class Steps:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, step: str, work: Callable[[], T]) -> T:
        """What ``work`` gives; its time is added to the step's."""
        start = time.perf_counter()
        found = work()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start
        return found
