"""Measured times of a model on this machine: real keys, real ciphertexts, a fresh client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from rich.table import Table

from ..client import Client
from ..features import FeatureMap
from ..model import CompiledModel
from ..roundtrip import STEPS, LocalServer, round_trip
from ..signature import Signature
from .tables import times
from .units import size

_REPEATS = 20
_LEAST_REPEATS = 3
_BUDGET_SECONDS = 0.5

T = TypeVar("T")
Seconds = dict[str, float]


@dataclass(frozen=True)
class Measured:
    """Median seconds by step, and the bytes that travel; ``repeats`` is how often a query was made.

    The steps are those of :data:`hermetic.roundtrip.STEPS` after ``keys`` and ``weights`` (encoding those of a linear
    circuit, once); a signature alone allows only the client's steps before the service's.
    """

    samples: int
    repeats: int
    seconds: Seconds
    public_key_bytes: int
    request_bytes: int
    response_bytes: int | None


def measure(signature: Signature, model: CompiledModel | None, samples: int) -> Measured:
    """Make queries of that many random samples with a fresh client, and answer them if there is a model."""
    keys = _repeat(lambda: _timed("keys", lambda: Client(signature))[0])
    any_input = signature.feature_map is not None
    client = Client(signature, clip=any_input, round_inputs=any_input)
    public_key, X = client.public_key.to_bytes(), _random_inputs(signature, samples)
    sizes: tuple[int, int | None]
    before: list[Seconds] = [{"keys": median(seconds["keys"] for seconds in keys)}]
    if model is None:
        measured = _repeat(lambda: _ask(client, X))
        sizes = len(client.encrypt(X).to_bytes()), None
    else:
        service = LocalServer(model, public_key)
        if signature.circuit.kind == "linear":  # others draw weights for each answer
            before.append(_timed("weights", lambda: service.prepare(samples))[0])
        measured = _repeat(lambda: round_trip(client, service, X).seconds)
        trip = round_trip(client, service, X)
        sizes = len(trip.request), len(trip.response)
    steps = {step: median(seconds[step] for seconds in measured) for step in STEPS if step in measured[0]}
    seconds = {step: value for measured_steps in (*before, steps) for step, value in measured_steps.items()}
    return Measured(samples, len(measured), seconds, len(public_key), *sizes)


def measured_table(measured: Measured) -> Table:
    """The times of :func:`measure`."""
    travels = {"keys": f"{size(measured.public_key_bytes)} up", "request": f"{size(measured.request_bytes)} up"}
    if measured.response_bytes is not None:
        travels["response"] = f"{size(measured.response_bytes)} down"
    return times(measured.seconds, travels)


def _ask(client: Client, X: npt.NDArray[Any]) -> Seconds:
    encrypted, query = _timed("encrypt", lambda: client.encrypt(X))
    return encrypted | _timed("request", query.to_bytes)[0]


def _repeat(work: Callable[[], Seconds]) -> list[Seconds]:
    """Some results of work: _REPEATS, or fewer if they take long."""
    results: list[Seconds] = []
    end = time.perf_counter() + _BUDGET_SECONDS
    while len(results) < _LEAST_REPEATS or (len(results) < _REPEATS and time.perf_counter() < end):
        results.append(work())
    return results


def _timed(step: str, work: Callable[[], T]) -> tuple[Seconds, T]:
    start = time.perf_counter()
    done = work()
    return {step: time.perf_counter() - start}, done


def _random_inputs(signature: Signature, samples: int) -> npt.NDArray[Any]:
    grid, random = signature.grid, np.random.default_rng(0)
    if signature.feature_map is not None:
        return _random_table(signature.feature_map, random, samples)
    integers = random.integers(grid.low, grid.high, size=(samples, grid.features), endpoint=True)
    return np.asarray(grid.offset + integers * grid.step)


def _random_table(features: FeatureMap, random: np.random.Generator, samples: int) -> npt.NDArray[Any]:
    """Numbers from 0 to 1, and values of categories."""
    numbers = random.random((samples, features.inputs))
    if not features.categories:
        return numbers
    table = numbers.astype(object)
    for column, categories in features.categories.items():
        table[:, column] = categories.values_of(random.choice(categories.numbers, samples))
    return table
