"""How an address becomes an endpoint: who may use it, and what every endpoint can reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .access import METRICS, PREDICT, Caller
from .queries import Trace

if TYPE_CHECKING:
    from .model_service import ModelService

Handler = Callable[[Request], Awaitable[Response]]


class Access(Enum):
    """Who may use an address."""

    OPEN = "anyone"
    PUBLIC = "anyone if models are public, else a token of the role predict"
    PREDICT = PREDICT
    METRICS = METRICS


OPEN, PUBLIC = Access.OPEN, Access.PUBLIC


@dataclass
class Endpoint:
    """What an endpoint knows of its request besides the request itself."""

    trace: Trace
    caller: Caller

    @staticmethod
    def of(request: Request) -> Endpoint:
        found: Endpoint = request.scope["hermetic"]
        return found


def service_of(request: Request) -> ModelService:
    """The parts of the service."""
    service: ModelService = request.app.state.service
    return service


def route(path: str, handler: Handler, *, methods: Iterable[str] = ("GET",), access: Access = Access.PREDICT) -> Route:
    """A route whose caller is known before anything else happens."""

    async def guarded(request: Request) -> Response:
        service, trace = service_of(request), request.scope["hermetic.trace"]
        request.scope["hermetic.route"] = path
        caller = Caller("")
        service.check_host(request.headers.get("host"))
        if access is Access.PREDICT:
            service.check_origin(request.headers)
        if access not in (Access.OPEN, Access.PUBLIC) or (access is Access.PUBLIC and not service.public_models):
            role = METRICS if access is Access.METRICS else PREDICT
            caller = service.gate.caller(request.headers.get("authorization"), role)
            trace.tenant = caller.tenant
        request.scope["hermetic"] = Endpoint(trace, caller)
        return await handler(request)

    return Route(path, guarded, methods=list(methods))
