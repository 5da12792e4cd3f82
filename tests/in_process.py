"""The real service without a socket: its ASGI application on an event loop in a thread, and faults in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from hermetic import CompiledModel
from hermetic.serve.app import create_app
from hermetic.serve.model_service import ModelService
from hermetic.serve.settings import load_settings

URL = "http://127.0.0.1:8000"
WORKERS = 1

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
Fault = Callable[[App, dict[str, Any], Receive, Send], Awaitable[None]]


@dataclass
class Exchange:
    """What went over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    status: int = 0
    answer: bytes = b""


@dataclass
class _Planned:
    ending: str
    fault: Fault
    times: int


@dataclass
class LoadBalancer:
    """Stands where a load balancer stands: sees every exchange, and misbehaves where it is told to."""

    app: App
    seen: list[Exchange] = field(default_factory=list)
    planned: list[_Planned] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, ending: str, fault: Fault, times: int = 1) -> None:
        """Let the next requests whose path ends so meet a fault."""
        self.planned.append(_Planned(ending, fault, times))

    def calls(self, method: str, ending: str) -> list[Exchange]:
        """Exchanges of a method, on paths that end so."""
        return [one for one in self.seen if one.method == method and one.path.endswith(ending)]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        exchange = Exchange(scope["method"], scope["path"], headers)
        self.seen.append(exchange)

        async def noted_receive() -> Message:
            message = await receive()
            exchange.body += message.get("body", b"")
            return message

        async def noted_send(message: Message) -> None:
            exchange.status = message.get("status", exchange.status)
            exchange.answer += message.get("body", b"")
            await send(message)

        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            fault = self._next_fault(scope["path"])
            if fault is None:
                await self.app(scope, noted_receive, noted_send)
            else:
                await fault(self.app, scope, noted_receive, noted_send)
        finally:
            self.open -= 1

    def _next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for one in self.planned:
                if path.endswith(one.ending) and one.times > 0:
                    one.times -= 1
                    return one.fault
        return None


def refuse(status: int, body: bytes = b'{"error": "made up", "code": "fault"}', **headers: str) -> Fault:
    """Answer with a status of its own; the application is not asked."""

    async def fault(app: App, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return fault


def rewrite(change: Callable[[bytes], bytes]) -> Fault:
    """Change the body of the application's answer; its headers stay, but for the length."""

    async def fault(app: App, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body += message.get("body", b"")

        await app(scope, receive, collect)
        changed = change(body)
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(changed)).encode())]})
        await send({"type": "http.response.body", "body": changed})

    return fault


def after(seconds: float) -> Fault:
    """Answer late."""

    async def fault(app: App, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return fault


class Bridge(httpx.BaseTransport):
    """Lets a blocking client talk to the application."""

    def __init__(self, balancer: LoadBalancer, portal: BlockingPortal) -> None:
        self._asgi = httpx.ASGITransport(balancer)
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, content = self._portal.call(self._ask, request, request.read())
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))

    async def _ask(self, request: httpx.Request, content: bytes) -> tuple[int, httpx.Headers, bytes]:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        response = await self._asgi.handle_async_request(copy)
        return response.status_code, response.headers, await response.aread()


@dataclass(frozen=True)
class InProcess:
    """A running service."""

    balancer: LoadBalancer
    portal: BlockingPortal
    models: Path

    @property
    def transport(self) -> httpx.BaseTransport:
        return Bridge(self.balancer, self.portal)

    @property
    def async_transport(self) -> httpx.AsyncBaseTransport:
        """For coroutines that :meth:`run` runs."""
        return httpx.ASGITransport(self.balancer)

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine function on the service's event loop."""
        return self.portal.call(function)

    def publish(self, name: str, model: CompiledModel, version: int = 1) -> None:
        publish(self.models, name, model, version)


def publish(models: Path, name: str, model: CompiledModel, version: int = 1) -> None:
    """Put a model into a repository, over the one that may be there."""
    folder = models / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.hermetic")


@contextlib.contextmanager
def running(folder: Path, models: dict[str, CompiledModel], **settings: Any) -> Iterator[InProcess]:
    """The service in this process, with these models and settings."""
    repository = folder / "models"
    for name, model in models.items():
        publish(repository, name, model)
    given = {"models": (repository,), "store": "memory://", "workers": WORKERS, **settings}
    with start_blocking_portal() as portal:
        balancer = LoadBalancer(portal.call(_make_app, given))
        with portal.wrap_async_context_manager(_lifespan(balancer)):
            yield InProcess(balancer, portal, repository)


async def _make_app(settings: dict[str, Any]) -> App:
    return create_app(ModelService(load_settings(settings)))  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def _lifespan(app: App) -> AsyncIterator[None]:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    answer = await outbox.get()
    assert answer["type"] == "lifespan.startup.complete", answer
    yield
    await inbox.put({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await task
