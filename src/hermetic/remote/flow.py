"""Work without input or output: a *flow* is a generator that says what must be done and is told what came of it.

    Send     an HTTP request        -> Reply
    Sleep    a pause                -> None
    Compute  a slow pure function   -> its value

What goes wrong is thrown into the flow. The two drivers, :mod:`hermetic.remote.driver` and
:mod:`hermetic.remote.async_driver`, carry flows out; every decision is made here and in the flows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import ProtocolError
from .settings import Hidden

T = TypeVar("T")

Headers = Mapping[str, str]
"""Looked up without regard to case."""

CHUNK_BYTES = 64 << 10
"""A body goes out in pieces of this size, so that a slow receiver cannot hold it past the deadline."""

Limit = Callable[[int, Headers], int]
"""(status, headers) -> the most bytes that the body may have."""


@dataclass(frozen=True)
class Send:
    """An HTTP request. Neither the token nor the body is ever shown."""

    method: str
    url: str
    limit: Limit = field(repr=False)
    headers: Headers = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    token: Hidden | None = None
    deadline: float = 0.0
    """When to give up, on the clock of :func:`time.monotonic`."""

    def all_headers(self) -> dict[str, str]:
        """The headers as they go out, the token among them. Answers must not be compressed: their size is exact."""
        headers = {"Accept-Encoding": "identity", **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        return headers


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer; ``via`` is a sentence about the proxy that it came through, if it did."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    via: str = ""


@dataclass(frozen=True)
class Sleep:
    """A pause."""

    seconds: float


@dataclass(frozen=True)
class Compute:
    """A pure function worth a thread of its own where others must not wait for it."""

    function: Callable[[], Any]


Flow = Generator[Send | Sleep | Compute, Any, T]


class Reader:
    """Collects an answer, and stops before it is larger than it may be.

    Raises
    ------
    ProtocolError
        As soon as the headers, or the bytes so far, say that it is too large or encoded.
    """

    def __init__(self, send: Send, status: int, headers: Headers, via: str = "") -> None:
        self._status, self._headers, self._via = status, headers, via
        self._limit = send.limit(status, headers)
        self._body = bytearray()
        if headers.get("content-encoding", "identity") != "identity":
            raise ProtocolError(
                "the answer must not be compressed. It is: check the proxies in between.", status=status
            )
        announced = headers.get("content-length", "")
        stated = int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 20 else 0
        if send.method != "HEAD" and stated > self._limit:
            raise self._too_large(str(stated))

    def feed(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > self._limit:
            raise self._too_large("more")

    def reply(self) -> Reply:
        return Reply(self._status, self._headers, bytes(self._body), self._via)

    def _too_large(self, found: str) -> ProtocolError:
        return ProtocolError(
            f"the answer must have at most {self._limit} bytes. It has {found}, and was not read.", status=self._status
        )
