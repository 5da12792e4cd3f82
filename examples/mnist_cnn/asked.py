"""Images that are asked about, encrypted, one by one: what came, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from hermetic import Client, CompiledModel
from hermetic.arrays import Reals
from hermetic.demo.mnist import Bytes
from hermetic.roundtrip import STEPS, LocalServer, round_trip

Tell = Callable[[int, int], None]
"""Told (done, total) images."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What came of n encrypted images: scores (n, 10), labels (n,), the median seconds of every step, and bytes."""

    scores: Reals
    labels: npt.NDArray[np.generic]
    seconds: dict[str, float]
    request_bytes: int
    response_bytes: int
    key_bytes: int


def rows(images: Bytes) -> Reals:
    """Images (n, 28, 28) as what the network takes: (n, 784) from 0 to 1."""
    return np.asarray(images.reshape(len(images), -1) / 255.0)


def ask(client: Client, model: CompiledModel, images: Bytes, tell: Tell) -> Answers:
    """Encrypt images (n, 28, 28), let a service answer, decrypt."""
    key = client.public_key.to_bytes()
    service, scores, seconds = LocalServer(model, key), [], []
    service.prepare(1)
    for done, row in enumerate(rows(images), start=1):
        trip = round_trip(client, service, row)
        scores.append(trip.scores)
        seconds.append(trip.seconds)
        tell(done, len(images))
    found = np.stack(scores)
    medians = {step: median(one[step] for one in seconds) for step in STEPS}
    return Answers(found, client.scores_to_labels(found), medians, len(trip.request), len(trip.response), len(key))
