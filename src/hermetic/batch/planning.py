"""A job on paper: bytes, core-hours and money of tables that are too large to try, from figures measured here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ..circuits.query import Query
from ..circuits.result import Result
from ..client import Client
from ..errors import InputError, SettingsError
from ..model import CompiledModel
from .encrypting import inputs_of, rows_of_a_query
from .tables import Source

_REPEAT = 3
_GB, _HOUR = 1e9, 3600.0


@dataclass(frozen=True)
class Plan:
    """What a job takes.

    Attributes
    ----------
    rows, queries, rows_per_query
        The table, and what it is cut into.
    up_bytes, down_bytes
        Of all queries and all answers.
    encrypt_core_hours, score_core_hours, decrypt_core_hours
        On cores as fast as this one.
    price
        Of the core-hours of scoring and of the bytes that are kept, where prices were given.
    measured
        What was measured for it: seconds of one query.
    assumptions
        What the figures take for granted, in words.
    """

    rows: int
    queries: int
    rows_per_query: int
    up_bytes: int
    down_bytes: int
    encrypt_core_hours: float
    score_core_hours: float
    decrypt_core_hours: float
    price: float | None
    measured: dict[str, float]
    assumptions: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**self.__dict__, "assumptions": list(self.assumptions)}


def plan(
    model: str | Path,
    table: str | Path,
    rows: float,
    *,
    rows_per_query: int | None = None,
    price_core_hour: float | None = None,
    price_gb: float | None = None,
) -> Plan:
    """Plan a job of so many rows. Exported as ``hermetic.batch.plan``.

    The first rows of a real table, as many as one query holds, are read, encrypted, answered and decrypted three times,
    here, on one core; medians count.

    Parameters
    ----------
    model
        The model file.
    table
        A table as those to come: its first rows are measured.
    rows
        How many rows the job will have.
    rows_per_query
        As in :func:`encrypt`.
    price_core_hour, price_gb
        What a core costs an hour, and what a gigabyte of the store costs for as long as the job is kept, in any
        currency.

    Raises
    ------
    SettingsError
        For rows or prices that are none.
    """
    count = int(rows) if 1 <= rows <= 1e15 else 0
    if not count:
        raise SettingsError(f"rows must be 1 to 1e15. Got {rows:g} instead.")
    for name, price in (("price_core_hour", price_core_hour), ("price_gb", price_gb)):
        if price is not None and not 0 <= price < math.inf:
            raise SettingsError(f"{name} must be 0 or more. Got {price:g} instead.")
    compiled = CompiledModel.load(Path(model))
    signature = compiled.signature
    each = min(rows_per_query or rows_of_a_query(signature), count)
    seconds = _measured(compiled, Path(table), each)
    queries = -(-count // each)
    up, down = queries * signature.circuit.query_bytes(each), queries * signature.circuit.result_bytes(each)
    hours = {step: queries * one / _HOUR for step, one in seconds.items()}
    priced = ((price_core_hour, hours["score"]), (price_gb, (up + down) / _GB))
    known = [price * amount for price, amount in priced if price is not None]
    return Plan(
        rows=count,
        queries=queries,
        rows_per_query=each,
        up_bytes=up,
        down_bytes=down,
        encrypt_core_hours=hours["encrypt"],
        score_core_hours=hours["score"],
        decrypt_core_hours=hours["decrypt"],
        price=sum(known) if known else None,
        measured=seconds,
        assumptions=_ASSUMPTIONS,
    )


_ASSUMPTIONS = (
    "cores are as fast as the one that this was measured on, and none waits for another",
    "the store reads and writes as fast as workers ask: at most a query and an answer a worker at a time",
    "the last query is as large as the others",
    "prices count the core-hours of scoring and the bytes of queries and answers, not requests and not traffic",
)


def _measured(model: CompiledModel, table: Path, rows: int) -> dict[str, float]:
    """Seconds of one query of so many rows: read and encrypted, answered on one thread, decrypted."""
    client = Client(model.signature)
    source = Source(table, model.signature.feature_names)

    def encrypted() -> bytes:
        chunk = next(source.chunks(rows), None)
        if chunk is None or len(chunk) < rows:
            found = 0 if chunk is None else len(chunk)
            raise InputError(
                f"{table} must hold the {rows} rows of one query. It holds {found}: pass a longer table, or fewer rows "
                "a query."
            )
        return client.encrypt(inputs_of(chunk, model.signature)).to_bytes()

    query, encrypt = _median(encrypted)
    answer, score = _median(
        lambda: model.evaluate(Query.from_bytes(query, model.signature), client.public_key, threads=1).to_bytes()
    )
    _, decrypt = _median(lambda: client.decrypt(Result.from_bytes(answer, model.signature)))
    return {"encrypt": encrypt, "score": score, "decrypt": decrypt}


def _median(step: Callable[[], Any]) -> tuple[Any, float]:
    times = []
    for _ in range(_REPEAT):
        start = time.perf_counter()
        found = step()
        times.append(time.perf_counter() - start)
    return found, median(times)
