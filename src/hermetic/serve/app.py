"""The ASGI application: routes, errors in one form, and around them the request id, the log line and the metrics."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import browser
from .base_service import BaseService
from .logs import log
from .queries import Trace
from .refusals import RefusalError, busy

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNKNOWN_ROUTE = "unknown"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def create_app(service: BaseService) -> ASGIApp:
    """The service as an ASGI application. Its lifespan runs the service, for hosts that do not do it themselves."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = Starlette(
        routes=service.routes(),
        lifespan=lifespan,
        exception_handlers={RefusalError: _refuse, HTTPException: _refuse_route, Exception: _fail},
    )
    app.state.service = service
    app.router.redirect_slashes = False
    return Envelope(browser.allow_origins(app, service.settings.cors_origins), service)


def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusalError):
        raise TypeError("only refusals are handled here")
    request.scope["hermetic.code"] = error.code
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


def _refuse_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("only errors of the router are handled here")
    if error.status_code == 405:
        allowed = dict(error.headers or {})
        refusal = RefusalError(405, "method_not_allowed", "the address does not have this method.", headers=allowed)
    else:
        refusal = RefusalError(404, "not_found", "the address was not found: see /openapi.json.")
    return _refuse(request, refusal)


def _fail(request: Request, _: Exception) -> Response:
    return _refuse(request, RefusalError(500, "internal", "the service failed. The operator's log says where."))


class Envelope:
    """What surrounds every request: its id, security headers, times, one log line, one count. Failures become 500."""

    def __init__(self, app: ASGIApp, service: BaseService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, trace, outcome = time.perf_counter(), Trace(), _Outcome()
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)
        scope["hermetic.trace"], scope["hermetic.request_id"] = trace, request_id

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                outcome.status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id, trace)
            elif message["type"] == "http.response.body":
                outcome.bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except asyncio.CancelledError:
            await self._give_up(scope, receive, send_on, outcome)
        except Exception as error:
            log.error("request failed", exc_info=error, extra={"event": "fault", "request_id": request_id})
        finally:
            self._record(scope, trace, outcome, request_id, time.perf_counter() - started)

    async def _give_up(self, scope: Scope, receive: Receive, send: Send, outcome: _Outcome) -> None:
        """The service ends and the time to finish is over."""
        refusal = busy("the service is shutting down.")
        scope["hermetic.code"] = refusal.code
        if not outcome.status:
            await JSONResponse(refusal.body, refusal.status, refusal.headers)(scope, receive, send)

    def _record(self, scope: Scope, trace: Trace, outcome: _Outcome, request_id: str, seconds: float) -> None:
        route = scope.get("hermetic.route", _UNKNOWN_ROUTE)
        method = scope["method"] if route != _UNKNOWN_ROUTE else "any"
        self._service.metrics.answered(method, route, outcome.status, seconds)
        log.info(
            "request",
            extra={
                "event": "request",
                "request_id": request_id,
                "method": method,
                "route": route,
                "status": outcome.status,
                "code": scope.get("hermetic.code"),
                "ms": round(seconds * 1e3, 3),
                "bytes_out": outcome.bytes,
                **{name: round(value, 3) if isinstance(value, float) else value for name, value in vars(trace).items()},
            },
        )


class _Outcome:
    """Status and size of what was sent."""

    status = 0
    bytes = 0


def _add_headers(headers: MutableHeaders, request_id: str, trace: Trace) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if trace.evaluation_ms is not None:
        headers["Server-Timing"] = f"evaluate;dur={trace.evaluation_ms:.2f}, queue;dur={trace.queue_ms or 0:.2f}"
