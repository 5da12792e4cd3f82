"""What a connection's limits rely on in uvicorn, some of it private: an upgrade that takes a part away fails here."""

from __future__ import annotations

import ast
import asyncio
import inspect
import textwrap
import tomllib
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from packaging.requirements import Requirement
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from hermetic.serve.protocol import BoundedProtocol, ConnectionLimits, bounded_protocol
from hermetic.serve.run import Server

OVERRIDDEN: dict[type, set[str]] = {
    BoundedProtocol: {
        *("__init__", "connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing"),
        *("on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body", "on_message_complete"),
        *("on_response_complete", "send_400_response", "_unsupported_upgrade_warning"),
    },
    Server: {"__init__", "startup", "capture_signals"},
}
LIMITS = ConnectionLimits(
    header_bytes=2048,
    header_timeout=600,
    idle_timeout=600,
    write_timeout=600,
    connections=2,
    per_address=2,
    half_open=2,
)
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 8000 + b"\r\n\r\n"
MANY = b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(120)) + b"\r\n"
ENDLESS = b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 8000
INVALID = b"this is not HTTP\r\n\r\n"

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def _app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def served(
    work: Callable[[int, list[Any]], Awaitable[Any]], limits: ConnectionLimits = LIMITS, protocol: Any = None
) -> Any:
    """What ``work`` gives for the port of a server with these limits, or another protocol, and its connections."""
    made: list[Any] = []
    kind: Any = protocol or bounded_protocol(limits)

    async def run() -> Any:
        config, state = uvicorn.Config(_app, lifespan="off", log_config=None, ws="none"), ServerState()
        config.load()

        def connection() -> Any:
            made.append(kind(config=config, server_state=state, app_state={}))
            return made[-1]

        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
        async with asyncio.timeout(60), server:
            return await work(server.sockets[0].getsockname()[1], made)

    return asyncio.run(run())


async def status_of(port: int, data: bytes) -> int:
    """The status of the first answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


def parts_of(kind: type) -> tuple[set[str], set[str]]:
    """What methods use of ``self`` and of a cycle, by their source, without what the class makes itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    own = {node.attr for node in nodes if isinstance(node.ctx, ast.Store)} | set(vars(kind)) | set(kind.__annotations__)
    of_self = {node.attr for node in nodes if ast.unparse(node.value) == "self"} - own
    return of_self, {node.attr for node in nodes if ast.unparse(node.value) in ("cycle", "self.cycle")}


@pytest.mark.parametrize("name", ["uvicorn", "httptools"])
def test_the_pins_have_an_upper_bound_and_allow_what_is_tested(name: str) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = map(Requirement, project["optional-dependencies"]["serve"])
    (found,) = [requirement for requirement in requirements if requirement.name == name]
    assert any(bound.operator == "<" for bound in found.specifier)
    assert found.specifier.contains(version(name))


@pytest.mark.parametrize("kind", OVERRIDDEN, ids=lambda kind: kind.__name__)
def test_exactly_these_methods_are_overridden_and_take_what_uvicorn_gives(kind: type) -> None:
    base = kind.__bases__[0]
    assert {name for name, value in vars(kind).items() if callable(value) and hasattr(base, name)} == OVERRIDDEN[kind]
    for name in OVERRIDDEN[kind] - {"__init__"}:
        ours, theirs = (list(inspect.signature(getattr(owner, name)).parameters) for owner in (kind, base))
        assert ours == theirs, name


def test_a_served_connection_has_every_part_that_is_used() -> None:
    of_self, of_cycle = parts_of(BoundedProtocol)
    assert {"transport", "pipeline", "flow", "loop", "client", "cycle"} <= of_self
    assert {"disconnected", "message_event", "response_complete", "response_started"} <= of_cycle

    async def work(port: int, made: list[Any]) -> None:
        assert await status_of(port, REQUEST) == 200
        (connection,) = made
        assert [name for name in of_self if not hasattr(connection, name)] == []
        assert isinstance(connection.cycle, RequestResponseCycle)
        assert [name for name in {*of_cycle, "scope"} if not hasattr(connection.cycle, name)] == []
        assert connection.cycle.response_complete is True
        assert connection.flow.write_paused is False

    served(work)


def test_a_server_has_every_part_that_is_used() -> None:
    of_self, _ = parts_of(Server)
    server = uvicorn.Server(uvicorn.Config(_app))
    assert [name for name in of_self - {"servers"} if not hasattr(server, name)] == []
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup)
    assert callable(server.config.get_loop_factory)


@pytest.mark.parametrize(("data", "status"), [(REQUEST, 200), (LONG, 431), (MANY, 431), (ENDLESS, 431), (INVALID, 400)])
def test_headers_are_bounded(data: bytes, status: int) -> None:
    assert served(lambda port, _: status_of(port, data)) == status


@pytest.mark.parametrize("data", [LONG, MANY])
def test_without_the_bounds_they_are_served(data: bytes) -> None:
    assert served(lambda port, _: status_of(port, data), protocol=HttpToolsProtocol) == 200


def timed(**seconds: float) -> ConnectionLimits:
    return ConnectionLimits(**{**vars(LIMITS), **seconds})


def test_headers_that_never_end_and_idle_connections_are_ended() -> None:
    assert served(lambda port, _: status_of(port, REQUEST[:-2]), timed(header_timeout=0.1)) == 408

    async def idle(port: int, _: list[Any]) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        answer = await reader.read()  # to the end of the connection, which the service has to make
        writer.close()
        return answer

    assert served(idle, timed(idle_timeout=0.1)).endswith(b"ok")


async def first_lines(port: int, _: list[Any]) -> list[bytes]:
    """What the first of five connections with incomplete headers read, once the last is there."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    for _, writer in opened:
        writer.write(REQUEST[:-2])
    lines = await asyncio.gather(*(reader.readline() for reader, _ in opened[:3]))
    for _, writer in opened:
        writer.close()
    return lines


def test_connections_are_counted() -> None:
    assert all(line.startswith(b"HTTP/1.1 503") or not line for line in served(first_lines))


async def answers_to_pipelined(port: int, _: list[Any]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST * 299 + REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await reader.read()
    writer.close()
    return answer.count(b"HTTP/1.1 200")


def test_pipelined_requests_are_bounded_and_without_that_are_not() -> None:
    assert served(answers_to_pipelined) < 300
    assert served(answers_to_pipelined, protocol=HttpToolsProtocol) == 300
