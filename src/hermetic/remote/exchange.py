"""One request and its answer, asked again where that is safe and may help.

Every request of this client may be sent twice: reading a signature and storing a key change nothing the second time,
and a repeated query is answered by a fresh encryption. A server that sees the same bytes again learns nothing new; the
repetition counts against the caller's quota.
"""

from __future__ import annotations

import json
import random
import secrets
import ssl
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from ..errors import BusyError, RemoteError, RemoteTimeoutError, TLSError, UnreachableError
from .flow import Flow, Headers, Reply, Send, Sleep

_NOT_NOW = (429, 502, 503)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SHOWN = 300


@dataclass(frozen=True)
class _Failure:
    """An attempt without an answer; ``pause`` is the least time before another, or None if another cannot help."""

    error: RemoteError
    pause: float | None


def exchange(send: Send, *, timeout: float, retries: int) -> Flow[Reply]:
    """Send a request until there is an answer.

    Parameters
    ----------
    send
        The request.
    timeout
        Seconds for everything together: attempts, pauses and reading the answer.
    retries
        How many more attempts there may be after the first.

    Raises
    ------
    UnreachableError, TLSError, RemoteTimeoutError
        If there is no answer.
    BusyError
        If the last answer is 429, 502 or 503, or asks for a longer pause than the time-out leaves.
    """
    request_id = secrets.token_hex(8)
    deadline = time.monotonic() + timeout
    send = replace(send, deadline=deadline, headers={**send.headers, "X-Request-ID": request_id})
    outcome = yield from _attempt(send)
    for attempt in range(retries):
        if isinstance(outcome, Reply) or outcome.pause is None:
            break
        pause = outcome.pause + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.5)
        if time.monotonic() + pause >= deadline:
            break
        yield Sleep(pause)
        outcome = yield from _attempt(send)
    if isinstance(outcome, Reply):
        return outcome
    outcome.error.request_id = request_id
    raise outcome.error


def _attempt(send: Send) -> Flow[Reply | _Failure]:
    try:
        reply: Reply = yield send
    except (TimeoutError, httpx.TimeoutException) as error:
        message = f"{_origin(send)} must answer in time. It did not: it is slow or far, or timeout is too short."
        return _Failure(RemoteTimeoutError(message + _way(error)), None)
    except httpx.TransportError as error:
        return _broken(send, error)
    return _busy(send, reply) if reply.status in _NOT_NOW else reply


def _broken(send: Send, error: httpx.TransportError) -> _Failure:
    """What a failed connection means. The error itself is dropped: it holds the request, and the request the token."""
    tls = _cause(error, ssl.SSLError)
    if tls is not None:
        reason = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or "TLS failed"
        advice = f"If it has a private certificate authority, pass verify='ca.pem'.{_way(error)}{_authorities(error)}"
        return _Failure(TLSError(f"{_origin(send)} must be trusted. It is not: {readable(reason)}. {advice}"), None)
    reason = readable(str(error)) or type(error).__name__
    message = f"{_origin(send)} must be reachable. The connection failed: {reason}.{_way(error)}"
    retriable = not isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol)
    return _Failure(UnreachableError(message), 0.0 if retriable else None)


def _way(error: Exception) -> str:
    """What the network notes about the way: a sentence, after a blank, if a proxy was on it."""
    return "".join(f" {note}" for note in getattr(error, "__notes__", [])[:1] if note)


def _authorities(error: Exception) -> str:
    """What it notes about the authorities that are trusted, likewise."""
    return "".join(f" {note}" for note in getattr(error, "__notes__", [])[1:2] if note)


def _busy(send: Send, reply: Reply) -> _Failure:
    after = _retry_after(reply.headers)
    what = "a rate or quota is used up" if reply.status == 429 else "it has no room now"
    when = "" if after is None else f" Try again in {after:.0f} s."
    error = BusyError(
        f"{_origin(send)}: {what} ({reply.status}{explanation(reply)}).{when}{via(reply)}", status=reply.status
    )
    error.retry_after = after
    return _Failure(error, after or 0.0)


def _retry_after(headers: Headers) -> float | None:
    """Seconds, from a number of seconds or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _cause(error: BaseException | None, kind: type[ssl.SSLError]) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _origin(send: Send) -> str:
    url = httpx.URL(send.url)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def via(reply: Reply) -> str:
    """A sentence about the proxy that an answer came through, after a blank; empty without one."""
    return f" {reply.via}" if reply.via else ""


def explanation(reply: Reply) -> str:
    """What the server says about an error, as ``": …"``; empty if it says nothing."""
    try:
        said = json.loads(reply.body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return f": {readable(said)}" if isinstance(said, str) and said else ""


def readable(text: str) -> str:
    """Text that a server chose, fit for a terminal: printable, on one line, and short."""
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * _SHOWN])
    line = " ".join(line.split()).rstrip(".")
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
