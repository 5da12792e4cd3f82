"""When a request is sent again, and when not: the flow is driven by hand, with the errors httpx raises."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from hermetic import BusyError, RemoteError, RemoteTimeoutError, TLSError, UnreachableError
from hermetic.remote.exchange import exchange
from hermetic.remote.flow import Reply, Send, Sleep

SEND = Send("GET", "https://models.example.com:8443/v2", lambda status, headers: 1000)
OK = Reply(200, {}, b"")


def drive(outcomes: list[Reply | Exception], *, timeout: float = 60, retries: int = 4) -> tuple[Reply, list[float]]:
    """Run the flow over these outcomes; its value, and the pauses it asked for. Every outcome must be used."""
    flow = exchange(SEND, timeout=timeout, retries=retries)
    rest, pauses = list(outcomes), []
    step = next(flow)
    try:
        while True:
            if isinstance(step, Sleep):
                pauses.append(step.seconds)
                step = flow.send(None)
                continue
            outcome = rest.pop(0)
            step = flow.throw(outcome) if isinstance(outcome, Exception) else flow.send(outcome)
    except StopIteration as done:
        assert not rest
        return done.value, pauses
    except RemoteError as error:
        assert not rest, f"gave up too early: {error}"
        raise


def busy(status: int = 503, **headers: str) -> Reply:
    named = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    return Reply(status, httpx.Headers(named), b'{"error": "The queue is full.", "code": "busy"}')


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        busy(503),
        busy(502),
        busy(429),
    ],
)
def test_trouble_that_passes(trouble: Reply | Exception) -> None:
    reply, pauses = drive([trouble, trouble, OK])
    assert reply is OK
    assert len(pauses) == 2
    assert 0.05 <= pauses[0] <= 0.15
    assert 0.1 <= pauses[1] <= 0.3


def test_pauses_grow_but_not_for_ever() -> None:
    _, pauses = drive([busy()] * 12 + [OK], timeout=1000, retries=12)
    assert pauses[5] > pauses[0]
    assert max(pauses) <= 7.5


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), busy()])
def test_retries_are_counted(trouble: Reply | Exception) -> None:
    with pytest.raises(RemoteError):
        drive([trouble] * 3, retries=2)
    with pytest.raises(RemoteError):
        drive([trouble], retries=0)


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.ReadTimeout("slow"), RemoteTimeoutError),
        (httpx.ConnectTimeout("slow"), RemoteTimeoutError),
        (TimeoutError(), RemoteTimeoutError),
        (httpx.LocalProtocolError("header"), UnreachableError),
    ],
)
def test_trouble_that_another_attempt_would_repeat(trouble: Exception, kind: type[RemoteError]) -> None:
    with pytest.raises(kind, match=r"https://models.example.com:8443 must"):
        drive([trouble])


def test_untrusted_certificates_are_final() -> None:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError(1, "self-signed certificate")
    with pytest.raises(TLSError, match="must be trusted"):
        drive([error])


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 404, 409, 413, 422, 424, 500, 504])
def test_every_other_status_is_an_answer(status: int) -> None:
    assert drive([Reply(status, {}, b"")])[0].status == status


@pytest.mark.parametrize(
    "after", [lambda: "3", lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=4), usegmt=True)]
)
def test_retry_after_is_respected(after: Callable[[], str]) -> None:
    _, pauses = drive([busy(retry_after=after()), OK])
    assert 2.9 <= pauses[0] <= 4.2


@pytest.mark.parametrize(
    "after", ["soon", "", "-1", "1e9", "\xb3", "Mon, 1 Jan 99999 00:00:00 GMT", f"Mon, {10**30} Jan 2027 00:00:00 GMT"]
)
def test_a_retry_after_that_does_not_parse_is_none(after: str) -> None:
    _, pauses = drive([busy(retry_after=after), OK])
    assert pauses[0] < 0.2


def test_a_pause_longer_than_the_time_left_is_not_waited_for() -> None:
    with pytest.raises(BusyError, match=r"quota.*429: The queue is full.*Try again in 3600 s") as refused:
        drive([busy(429, retry_after="3600")])
    assert refused.value.retry_after == 3600
    assert refused.value.status == 429


def test_attempts_share_one_deadline_and_one_request_id() -> None:
    before = time.monotonic()
    flow = exchange(SEND, timeout=5, retries=4)
    first = next(flow)
    after = time.monotonic()
    flow.throw(httpx.ConnectError("refused"))
    second = flow.send(None)
    assert isinstance(first, Send) and isinstance(second, Send)
    assert before + 5 <= first.deadline == second.deadline <= after + 5
    assert first.headers["X-Request-ID"] == second.headers["X-Request-ID"]


def test_an_error_names_the_request_for_the_operators_log() -> None:
    flow = exchange(SEND, timeout=5, retries=0)
    first = next(flow)
    with pytest.raises(UnreachableError) as refused:
        flow.throw(httpx.ConnectError("refused"))
    assert isinstance(first, Send)
    assert refused.value.request_id == first.headers["X-Request-ID"]
