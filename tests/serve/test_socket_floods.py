"""Floods of sockets against the server's own protocol, as it is and with each of its protections switched off."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import uvicorn
from asking import until
from raw import Raw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hermetic.serve.connections import ConnectionTable
from hermetic.serve.protocol import ConnectionLimits, bounded_protocol

PATIENCE = 600.0
"""Seconds that the server would wait for its clients: no test waits so long."""
PLACES = 6
LIMITS = ConnectionLimits(
    header_bytes=4096,
    header_timeout=PATIENCE,
    idle_timeout=PATIENCE,
    write_timeout=PATIENCE,
    connections=PLACES,
    per_address=PLACES,
    half_open=PLACES,
)
HONEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FLOODS = {
    "silent": b"",
    "half-open": b"GET / HTTP/1.1\r\nHost: loc",
    "without their bodies": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1",
}


async def _answered(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("yes")


@contextlib.contextmanager
def listening(limits: ConnectionLimits) -> Iterator[int]:
    """The port of a server with these limits."""
    app = Starlette(routes=[Route("/", _answered, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=0, http=bounded_protocol(limits), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def flooded(port: int, data: bytes, count: int = 10 * PLACES) -> Iterator[None]:
    """So many connections that say so much, and then nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(Raw(port))
            with contextlib.suppress(OSError):
                one.send(data)
        yield


def status(port: int) -> int:
    """What an honest caller gets, who comes after the flood."""
    with Raw(port) as raw:
        with contextlib.suppress(OSError):
            raw.send(HONEST)
        return raw.read_answer().status


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS)
class TestAFlood:
    """One address opens ten times the connections that there may be."""

    def test_keeps_nobody_out(self, data: bytes) -> None:
        with listening(LIMITS) as port, flooded(port, data):
            assert status(port) == 200

    def test_would_if_nobody_had_to_go(self, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ConnectionTable, "_dismiss_oldest", lambda table, where: False)
        with listening(LIMITS) as port, flooded(port, data):
            assert status(port) == 503


@pytest.mark.parametrize("data", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("is_bounded", [True, False])
def test_a_flood_of_one_address_closes_idle_connections_of_others_only_without_its_bound(
    data: bytes, is_bounded: bool
) -> None:
    limits = replace(LIMITS, per_address=PLACES // 2) if is_bounded else LIMITS
    with listening(limits) as port, Raw(port, source="127.0.0.2") as one:
        assert goes_on(one)
        with flooded(port, data):
            assert status(port) == 200  # the server has seen the whole flood
            assert goes_on(one) is is_bounded


def goes_on(one: Raw) -> bool:
    """Whether a connection is still there for a request."""
    try:
        one.send(HONEST)
        return one.read_answer().status == 200
    except OSError:
        return False
