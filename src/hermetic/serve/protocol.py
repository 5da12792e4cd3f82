"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: header bytes and time, pipelined requests, idle and stalled
connections, and their number (:mod:`.connections`).

uvicorn has no interface for that, so its own methods are overridden. Their names, parameters and attributes are held by
``tests/serve/test_protocol.py``, its version by ``pyproject.toml``.

Also: a client whose request is refused before its body was read may finish sending it, within bounds, so that it gets
to read the refusal instead of a reset connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .connections import ConnectionTable, Network, Waiting, counted_by

_MAX_HEADERS = 100
_MAX_PIPELINED = 100
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 8 << 20
_CLOSING_SECONDS = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """Bytes of a request's line and headers, seconds for them to arrive, seconds between requests, seconds a client may
    refuse to read, and connections at once: in all, of one address, and with incomplete headers. Connections of
    ``proxies`` are not counted by their address.
    """

    header_bytes: int
    header_timeout: float
    idle_timeout: float
    write_timeout: float
    connections: int
    per_address: int
    half_open: int
    proxies: tuple[Network, ...] = ()


def bounded_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's ``http`` option."""
    table = ConnectionTable(limits.connections, limits.per_address, limits.half_open)
    return type("Protocol", (BoundedProtocol,), {"limits": limits, "table": table})


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ConnectionLimits
    table: ConnectionTable
    address = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._linger_deadline: asyncio.TimerHandle | None = None
        self._closing_deadline: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._in_body = False
        self._header_bytes = 0
        self._header_count = 0
        self._pending_bytes = 0
        self._messages_ended = 0
        self._unread_bytes = 0
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._refused = False
        self._known = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self.limits.write_timeout * 1000))
        self.address = counted_by(self.client[0] if self.client else None, self.limits.proxies)
        if not self.table.admit(self):
            self._turn_away()
        else:
            self._expect_headers(self.limits.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self.table.leave(self)
        for timer in (self._deadline, self._write_deadline, self._linger_deadline, self._closing_deadline):
            if timer:
                timer.cancel()
        self._give_up()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        ended = self._messages_ended
        super().data_received(data)
        if self._in_headers and self._messages_ended == ended and not self._refused:
            self._pending_bytes += len(data)
            if self._pending_bytes > self.limits.header_bytes:
                self._refuse_headers()

    # Parser callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._in_body = True, False
        self._header_bytes = self._header_count = self._pending_bytes = self._unread_bytes = 0
        self._expect_headers(self.limits.header_timeout)
        if not self._unanswered:
            self.table.begin_headers(self)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._header_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        self._header_count += 1

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self.table.end_headers(self)
        if self._deadline:
            self._deadline.cancel()
        if self._refused:
            return
        if self._header_bytes > self.limits.header_bytes or self._header_count > _MAX_HEADERS:
            self._refuse_headers()
        elif len(self.pipeline) >= _MAX_PIPELINED:
            self._refuse(503, "Service Unavailable", "busy", "too many requests wait on one connection.")
        else:
            super().on_headers_complete()
            self._in_body = True
            if not self._unanswered:
                self.table.wait(self, Waiting.SENDING)
            self._unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
            if self._unread_bytes > _LINGER_BYTES:
                self.transport.abort()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._messages_ended += 1
        if self._unanswered and not self.flow.write_paused:
            self.table.work(self)
        if self._linger_deadline:
            self._linger_deadline.cancel()
        if not self._refused:
            super().on_message_complete()

    # uvicorn's own events

    def on_response_complete(self) -> None:
        self._known |= _is_known(self._unanswered.popleft())
        super().on_response_complete()
        if not self._unanswered:
            self._wait_for_client()
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._in_body and not self._unanswered:
            self._linger_deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)
        if not self.pipeline:
            self._expect_headers(self.limits.idle_timeout)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unanswered and not _is_known(self._unanswered[0]):
            self.table.wait(self, Waiting.STRANGER)
        self._write_deadline = self.loop.call_later(self.limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unanswered:
            self.table.work(self)
        if self._write_deadline:
            self._write_deadline.cancel()

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            self._refuse(400, "Bad Request", "bad_request", "the request must be valid HTTP/1.1. It is not.")

    def _unsupported_upgrade_warning(self) -> None:
        """Upgrades are not offered; such a request is answered as if it had not asked."""

    # Ours

    def dismiss(self) -> None:
        """Another connection needs the place of this one, which waits for its client."""
        if self.transport.is_closing():
            self.transport.abort()
        elif self._unanswered or self._headers_begun():
            self._turn_away()
        else:
            self.transport.close()
            self._end_soon()

    def _turn_away(self) -> None:
        self._refuse(503, "Service Unavailable", "busy", "there are too many connections.", retry_after=1)
        self._end_soon()

    def _end_soon(self) -> None:
        """Not even the end of a connection waits for its client."""
        self._closing_deadline = self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)

    def _headers_begun(self) -> bool:
        return self._in_headers and bool(self._header_bytes or self._pending_bytes)

    def _wait_for_client(self) -> None:
        self.table.wait(self, Waiting.IDLE if self._known else Waiting.STRANGER)
        if self._headers_begun():
            self.table.begin_headers(self)

    def _expect_headers(self, seconds: float) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._headers_missing)

    def _headers_missing(self) -> None:
        if self._headers_begun():
            self._refuse(408, "Request Timeout", "too_slow", "the headers must arrive in time. They came too slowly.")
        else:
            self.transport.close()

    def _refuse_headers(self) -> None:
        self._refuse(
            431, "Request Header Fields Too Large", "headers_too_large",
            f"the request line and headers may have {self.limits.header_bytes} bytes and {_MAX_HEADERS} fields.",
        )  # fmt: skip

    def _refuse(self, status: int, phrase: str, code: str, message: str, *, retry_after: int | None = None) -> None:
        """Answer without the application, and close. Where another answer is due first, close only."""
        self._refused = True
        self.table.wait(self, Waiting.STRANGER)
        may_answer = self._may_answer()
        self._give_up()
        if not may_answer:
            self.transport.close()
            return
        body = json.dumps({"error": message, "code": code}).encode()
        retry = f"retry-after: {retry_after}\r\n" if retry_after else ""
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"{retry}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether what is written now would be read as the answer to what is being parsed, and to nothing else."""
        if not self._in_body:
            return not self._unanswered
        return list(self._unanswered) == [self.cycle] and not self.cycle.response_started

    def _give_up(self) -> None:
        """Nobody will read the answers that are still due: the application may finish, and write nothing."""
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self._unanswered.clear()


def _is_known(cycle: RequestResponseCycle) -> bool:
    """Whether the caller of a request turned out to be one who may call."""
    return getattr(cycle.scope.get("hermetic.trace"), "tenant", None) is not None
