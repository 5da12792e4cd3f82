"""What a run has done, in a file that Prometheus reads through its node exporter (the textfile collector)."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import SettingsError
from .summary import Summary

_SECONDS_BETWEEN = 5.0


class MetricsFile:
    """Written whole, at the begin, every few seconds, and at the end; each metric has the model's name as its label.

    Parameters
    ----------
    path
        The file; the collector reads those that end with ``.prom``.
    model
        Name of the model.

    Raises
    ------
    SettingsError
        If the library ``prometheus-client`` is not installed, or the file cannot be written.
    """

    def __init__(self, path: Path, model: str) -> None:
        try:
            from prometheus_client import CollectorRegistry, Gauge
        except ModuleNotFoundError:
            raise SettingsError(
                "metrics need prometheus-client. Install it with: pip install 'hermetic[batch]'"
            ) from None
        self._path, self._due = path, 0.0
        self._registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"hermetic_batch_{name}", text, ["model"], registry=self._registry).labels(model)

        self._rows = gauge("rows", "Rows of the job.")
        self._answered = gauge("rows_answered", "Rows of the job that have an answer.")
        self._failed = gauge("shards_failed", "Shards that could not be answered, when the run ended.")
        self._workers = gauge("workers", "Workers of the run, when it ended.")
        self._busy = gauge("worker_seconds", "Seconds that all workers computed, when the run ended.")
        self._bytes = gauge("answer_bytes", "Bytes of the answers that were written, when the run ended.")
        self._begin = gauge("begin_time_seconds", "When the run began, in seconds since 1970.")
        self._end = gauge("end_time_seconds", "When it ended; 0 as long as it goes on.")
        self._begin.set_to_current_time()

    def advance(self, done: int, total: int) -> None:
        """Rows that have an answer, of all rows."""
        self._rows.set(total)
        self._answered.set(done)
        if time.monotonic() >= self._due:
            self._write()

    def finish(self, summary: Summary) -> None:
        """What the run did."""
        self._rows.set(summary.rows)
        self._answered.set(summary.answered_before + summary.answered)
        self._failed.set(len(summary.failures))
        self._workers.set(summary.workers)
        self._busy.set(summary.busy_seconds)
        self._bytes.set(summary.answer_bytes)
        self._end.set_to_current_time()
        self._write()

    def _write(self) -> None:
        from prometheus_client import write_to_textfile

        try:
            write_to_textfile(str(self._path), self._registry)
        except OSError as error:
            raise SettingsError(
                f"metrics must name a file that can be written: {self._path}: {error.strerror}."
            ) from None
        self._due = time.monotonic() + _SECONDS_BETWEEN
