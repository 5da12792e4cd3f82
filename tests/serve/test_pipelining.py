"""Requests sent without waiting for answers: each gets its own, in order, whatever comes after it."""

from __future__ import annotations

import time

import httpx
import pytest
from asking import Caller, binary_request
from raw import Raw

from live import Live

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _put(known: Caller) -> bytes:
    """A request with a body several times as large as headers may be."""
    data = known.client.public_key.to_bytes()
    head = f"PUT /keys/{known.key_id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def test_bytes_of_a_body_do_not_count_as_the_next_headers(service: Live, known: Caller) -> None:
    """The end of a body and half of the next headers arrive in one piece."""
    with Raw(service.port) as raw:
        raw.send(_put(known) + HEALTH[:20])
        assert raw.read_answer().status == 200
        raw.send(HEALTH[20:])
        assert raw.read_answer().status == 200


def test_headers_in_pieces_count_once(service: Live) -> None:
    """10 of the 16 KiB that are allowed, in two pieces."""
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-Long: %s\r\n" % (b"x" * 5000) * 2 + b"\r\n"
    with Raw(service.port) as raw:
        raw.send(head[:9000])
        assert httpx.get(f"{service.url}/healthz").status_code == 200  # by now the first piece has been read
        raw.send(head[9000:])
        assert raw.read_answer().status == 200


def test_what_is_no_http_is_not_an_answer_to_the_request_before(service: Live, known: Caller) -> None:
    """The query is lost with its connection; its sender never takes the refusal of the rest for its answer."""
    body, headers = binary_request(known.query().to_bytes())
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": str(len(body))}.items())
    request = f"POST /v2/models/{known.model}/infer HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode() + body
    before = len([entry for entry in service.log if entry.get("event") == "fault"])
    with Raw(service.port) as raw:
        raw.send(request + b"\x00\x01 no HTTP\r\n\r\n")
        with pytest.raises(ConnectionError):
            raw.read_answer()
    assert known.works()
    assert len([entry for entry in service.log if entry.get("event") == "fault"]) == before


def test_half_a_request_after_whole_ones(service: Live, known: Caller) -> None:
    """A caller who leaves with answers due is no fault of the service."""
    before = len([entry for entry in service.log if entry.get("event") == "fault"])
    with Raw(service.port) as raw:
        raw.send((_put(known) + HEALTH) * 5 + HEALTH[:10])
    assert known.works()
    assert len([entry for entry in service.log if entry.get("event") == "fault"]) == before


def test_a_body_that_arrives_while_earlier_requests_are_answered(service: Live, known: Caller) -> None:
    """It has the time that its size allows, not only that of a body that nobody will read."""
    last = _put(known)
    with Raw(service.port) as raw:
        raw.send(HEALTH * 2 + last[:20_000])
        time.sleep(7)
        raw.send(last[20_000:])
        assert [raw.read_answer().status for _ in range(3)] == [200, 200, 200]
