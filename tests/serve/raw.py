"""A connection by hand, for what no HTTP library would send."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Raw:
    """A TCP connection to a service on this machine."""

    def __init__(
        self, port: int, tls: ssl.SSLContext | None = None, timeout: float = 120, *, source: str = "127.0.0.1"
    ):
        connection = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
        self.socket = tls.wrap_socket(connection, server_hostname="localhost") if tls else connection
        self._rest = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_head(self, method: str, path: str, headers: dict[str, str] | None = None) -> None:
        """The request line and headers."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **(headers or {})}.items())
        self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())

    def trickle(self, piece: bytes) -> None:
        """Send a piece five times a second, until the service answers or closes the connection."""
        with contextlib.suppress(OSError):
            for _ in range(600):
                if select.select([self.socket], [], [], 0.2)[0]:
                    return
                self.send(piece)

    def read_answer(self) -> RawAnswer:
        """The next answer. Raises ConnectionError if the service closes before it is whole."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        return RawAnswer(int(first.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the service ends the connection, within the time-out, without sending anything more."""
        try:
            return not self._rest and not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"the service closed after {self._rest!r}")
        self._rest += data
