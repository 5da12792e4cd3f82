"""What Prometheus reads. No label comes from a request but names of models that are served and codes of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 60)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "hermetic_requests", "HTTP requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "hermetic_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self._evaluations = Histogram(
            "hermetic_evaluation_seconds", "Time in an evaluation process.", ("model",), buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._predictions = Counter(
            "hermetic_predictions", "Samples that were answered.", ("model",), registry=self.registry
        )

        self._request_series = cache(self._requests.labels)
        self._second_series = cache(self._seconds.labels)
        self._model_series = cache(lambda model: (self._predictions.labels(model), self._evaluations.labels(model)))

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A value that is read when Prometheus asks."""
        Gauge(f"hermetic_{name}", text, registry=self.registry).set_function(read)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._request_series(method, route, str(status)).inc()
        self._second_series(route).observe(seconds)

    def evaluated(self, model: str, samples: int, ms: float) -> None:
        predictions, evaluations = self._model_series(model)
        predictions.inc(samples)
        evaluations.observe(ms / 1e3)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
