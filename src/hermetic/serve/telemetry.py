"""OpenTelemetry traces, when they are asked for: one span a request, exported as the ``OTEL_…`` variables say."""

from __future__ import annotations

import os
from collections.abc import Callable

from starlette.types import ASGIApp

from ..errors import SettingsError

_UNTRACED = "healthz,metrics,v2/health"


def traced(app: ASGIApp) -> tuple[ASGIApp, Callable[[], None]]:
    """The application with tracing around it, and a function that exports what is left.

    Raises
    ------
    SettingsError
        If OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError("telemetry needs OpenTelemetry. Install it with: pip install 'hermetic[otel]'") from error
    resource = Resource.create() if _named() else Resource.create({"service.name": "hermetic"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    middleware: ASGIApp = OpenTelemetryMiddleware(
        app, excluded_urls=_UNTRACED, tracer_provider=provider, exclude_spans=["receive", "send"]
    )
    return middleware, provider.shutdown


def _named() -> bool:
    """Whether the operator gave the service a name of its own."""
    return "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
