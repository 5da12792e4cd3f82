"""What a run did, and which shards have no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A shard without an answer, and why."""

    shard: str
    rows: int
    error: str


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    rows, shards
        Of the whole job.
    answered_before, answered
        Rows that had an answer before the run, and that got one in it.
    failures
        Shards that have none.
    seconds, busy_seconds
        Of the run, and of all workers together.
    answer_bytes
        Of the answers that were written.
    workers
        How many there were.
    """

    rows: int
    shards: int
    answered_before: int
    answered: int
    failures: tuple[Failure, ...]
    seconds: float
    busy_seconds: float
    answer_bytes: int
    workers: int

    @property
    def rows_per_second(self) -> float:
        """How fast the run was."""
        return self.answered / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        found = {name: value for name, value in self.__dict__.items() if name != "failures"}
        return {
            **found,
            "rows_per_second": round(self.rows_per_second, 1),
            "failures": [failure.__dict__ for failure in self.failures],
        }
