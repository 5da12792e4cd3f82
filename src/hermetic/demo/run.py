"""Encrypted predictions, held against scikit-learn's and against the integer reference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from ..arrays import Integers, Reals
from ..client import Client
from ..model import CompiledModel
from ..roundtrip import STEPS, LocalServer, RoundTrip, round_trip
from ..signature import Signature

KEPT = 10
"""So many queries' ciphertexts are kept to be shown."""

Labels = npt.NDArray[Any]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Parties:
    """Everyone in the demo: the model's owner, the service that answers, the client that asks."""

    estimator: LogisticRegression
    model: CompiledModel
    service: LocalServer
    client: Client


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of n encrypted images.

    Attributes
    ----------
    true, predicted, plain
        Labels (n,): the right ones, those decrypted, those of scikit-learn.
    integers, integers_equal
        How many integers were decrypted, and how many of them equal the integer reference.
    worst_error
        Largest |decrypted score - scikit-learn's|.
    queries
        How many queries were made.
    seconds
        How long each step of a query took; the median of the queries.
    request_bytes, response_bytes
        Sizes of one query and its answer.
    ciphertexts
        The encrypted words of the first queries of one image each.
    """

    true: Labels
    predicted: Labels
    plain: Labels
    integers: int
    integers_equal: int
    worst_error: float
    queries: int
    seconds: dict[str, float]
    request_bytes: int
    response_bytes: int
    ciphertexts: tuple[bytes, ...]

    @property
    def images_a_query(self) -> int:
        """How many images one query holds."""
        return len(self.true) // self.queries

    @property
    def correct(self) -> int:
        """How many decrypted labels are right."""
        return int((self.predicted == self.true).sum())

    @property
    def plain_correct(self) -> int:
        """How many of scikit-learn's labels are right."""
        return int((self.plain == self.true).sum())

    @property
    def labels_equal(self) -> int:
        """How many decrypted labels are scikit-learn's."""
        return int((self.predicted == self.plain).sum())


@dataclass(frozen=True, eq=False)
class _Answered:
    """What is kept of one round trip: scores and integers (n, k), times and sizes."""

    scores: Reals
    integers: Integers
    seconds: dict[str, float]
    request_bytes: int
    response_bytes: int


def one_by_one(parties: Parties, X: Reals, true: Labels, tell: Tell) -> Outcome:
    """One query an image: features X (n, 784). ``tell(done, total)`` is called after each."""
    answered, ciphertexts = [], []
    for i, x in enumerate(X):
        trip = round_trip(parties.client, parties.service, x)
        answered.append(_answered(parties.client, trip))
        if i < KEPT:
            ciphertexts.append(_encrypted_words(trip.request, parties.client.signature))
        tell(i + 1, len(X))
    return _outcome(parties, X, true, answered, tuple(ciphertexts))


def all_at_once(parties: Parties, X: Reals, true: Labels, begin: Callable[[str], object], tell: Tell) -> Outcome:
    """One query for all images (n, 784); ``begin`` and ``tell`` are :func:`round_trip`'s ``begin``, ``progress``."""
    trip = round_trip(parties.client, parties.service, X, begin=begin, progress=tell)
    return _outcome(parties, X, true, [_answered(parties.client, trip)])


def _answered(client: Client, trip: RoundTrip) -> _Answered:
    integers = client.decrypt_integers(trip.result)
    return _Answered(np.atleast_2d(trip.scores), integers, trip.seconds, len(trip.request), len(trip.response))


def _encrypted_words(request: bytes, signature: Signature) -> bytes:
    """A query of one sample without the public header before and the checksum after its encrypted words."""
    end = len(request) - hashlib.sha256().digest_size
    return request[end - signature.cost(1).request_bytes : end]


def _outcome(
    parties: Parties, X: Reals, true: Labels, answered: Sequence[_Answered], ciphertexts: tuple[bytes, ...] = ()
) -> Outcome:
    client, estimator = parties.client, parties.estimator
    scores = np.concatenate([one.scores for one in answered])
    integers = np.concatenate([one.integers for one in answered])
    reference = parties.model.integers.apply(client.quantize(X)[0])
    return Outcome(
        true=true,
        predicted=client.scores_to_labels(scores),
        plain=estimator.predict(X),
        integers=integers.size,
        integers_equal=int((integers == reference).sum()),
        worst_error=float(np.abs(scores - estimator.decision_function(X)).max()),
        queries=len(answered),
        seconds={step: median(one.seconds[step] for one in answered) for step in STEPS},
        request_bytes=answered[0].request_bytes,
        response_bytes=answered[0].response_bytes,
        ciphertexts=ciphertexts,
    )
