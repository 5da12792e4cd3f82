"""Images that are asked about, encrypted and in the clear: what came, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from hermetic import Client, CompiledModel
from hermetic.arrays import Integers, Reals
from hermetic.demo.mnist import Bytes, features
from hermetic.roundtrip import STEPS, LocalServer, round_trip

CHUNK = 250
"""Images of one query of many, nearly the 256 that fit its layout; computing them takes little memory."""

Tell = Callable[[int, int], None]
"""Told (done, total) images."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What came of n encrypted images.

    Attributes
    ----------
    scores, integers
        What was decrypted (n, 10): as reals, and as the integers that the reference must equal.
    labels
        What the scores say (n,).
    seconds
        The median over the queries of every step of :data:`hermetic.roundtrip.STEPS`; features are part of ``encrypt``.
    total_seconds
        All steps of all queries together.
    request_bytes, response_bytes
        Of the first query.
    """

    scores: Reals
    integers: Integers
    labels: npt.NDArray[np.generic]
    seconds: dict[str, float]
    total_seconds: float
    request_bytes: int
    response_bytes: int


def ask(client: Client, service: LocalServer, images: Bytes, in_a_query: int, tell: Tell) -> Answers:
    """Encrypt images (n, 28, 28), let the service answer, decrypt; ``in_a_query`` of them at a time."""
    service.prepare(min(in_a_query, len(images)))
    scores, integers, seconds, sizes = [], [], [], []
    for chunk in chunks(len(images), in_a_query, tell):
        X = features(images[chunk])
        trip = round_trip(client, service, X[0] if in_a_query == 1 else X)
        scores.append(np.atleast_2d(trip.scores))
        integers.append(client.decrypt_integers(trip.result))
        seconds.append(trip.seconds)
        sizes.append((len(trip.request), len(trip.response)))
    return Answers(
        np.concatenate(scores),
        np.concatenate(integers),
        client.scores_to_labels(np.concatenate(scores)),
        {step: median(one[step] for one in seconds) for step in STEPS},
        sum(sum(one.values()) for one in seconds),
        *sizes[0],
    )


def reference(model: CompiledModel, head: LogisticRegression, images: Bytes, tell: Tell) -> tuple[Reals, Integers]:
    """In the clear: the head's own scores (n, 10), and the integers (n, 10) that decryption must give."""
    public, scores, integers = model.signature.feature_map, [], []
    for chunk in chunks(len(images), CHUNK, tell):
        values = public.apply(features(images[chunk]))
        scores.append(head.decision_function(values))
        integers.append(model.integers.apply(model.signature.grid.quantize(values)))
    return np.concatenate(scores), np.concatenate(integers)


def feature_seconds(client: Client, images: Bytes) -> float:
    """How long the features of one image take, the median of these; it is part of ``encrypt``."""
    public, times = client.signature.feature_map, []
    for image in images:
        x = features(image[None])
        start = time.perf_counter()
        public.apply(x)
        times.append(time.perf_counter() - start)
    return median(times)


def chunks(count: int, size: int, tell: Tell) -> Iterator[slice]:
    """Slices of at most ``size`` of so many; tells how far the work on them is."""
    for start in range(0, count, size):
        end = min(start + size, count)
        yield slice(start, end)
        tell(end, count)
