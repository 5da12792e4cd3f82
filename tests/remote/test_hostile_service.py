"""Whatever a service answers, the client returns right scores or raises one of its own errors. No network: the flows
are driven by hand, and the honest answers come from the real model.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitted import petals
from hermetic import Client, HermeticError, ProtocolError, Query, RemoteError
from hermetic.remote.answers import Answers
from hermetic.remote.flow import Compute, Flow, Reader, Reply, Send
from hermetic.remote.session import Session
from hermetic.remote.settings import Settings
from known_weights import client_of

JSON_LENGTH = "Inference-Header-Content-Length"
X = petals().X[:4]
Serve = Callable[[Send], tuple[int, dict[str, str], bytes]]


def drive(flow: Flow[Any], serve: Serve) -> Any:
    """Carry a flow out; what `serve` gives is read as the drivers read it."""
    value: Any = None
    failure: Exception | None = None
    try:
        while True:
            step = flow.send(value) if failure is None else flow.throw(failure)
            value, failure = None, None
            try:
                if isinstance(step, Compute):
                    value = step.function()
                elif isinstance(step, Send):
                    status, headers, body = serve(step)
                    reader = Reader(step, status, httpx.Headers(headers))
                    for start in range(0, len(body), 1000):
                        reader.feed(body[start : start + 1000])
                    value = reader.reply()
            except HermeticError as error:
                failure = error
    except StopIteration as done:
        return done.value


def ask(one: Session, serve: Serve) -> Any:
    """The scores of X, in one batch."""
    with Answers() as answers:
        answers.add(drive(one.answer(client(), X), serve))
        return drive(one.read(client(), answers), serve)


def session() -> Session:
    return Session(Settings(url="https://host", model="petals", retries=0))


@cache
def client() -> Client:
    return client_of(petals().model)


def honest(send: Send) -> tuple[int, dict[str, str], bytes]:
    """The answer of a service that does what it should."""
    split = int(send.headers[JSON_LENGTH])
    query = Query.from_bytes(send.body[split:], petals().signature)
    result = petals().model.evaluate(query, client().public_key).to_bytes()
    output = {"name": "result", "datatype": "UINT8", "parameters": {"binary_data_size": len(result)}}
    document = {"id": json.loads(send.body[:split])["id"], "outputs": [{**output, "shape": [len(result)]}]}
    head = json.dumps(document).encode()
    return 200, {JSON_LENGTH: str(len(head))}, head + result


def test_an_honest_answer_is_right() -> None:
    scores = ask(session(), honest)
    np.testing.assert_allclose(scores, petals().scores[:4], rtol=0, atol=petals().signature.error)


def test_two_batches_that_meet_a_lost_key_upload_it_once() -> None:
    """Both were under way when the service forgot the key; the second to hear of it finds it uploaded again."""
    shared, sent = session(), []
    flows = [shared.answer(client(), X) for _ in range(2)]

    def start(flow: Flow[Any]) -> None:
        compute: Any = next(flow)
        flow.send(compute.function())

    def finish(flow: Flow[Any]) -> None:
        with contextlib.suppress(StopIteration):
            step: Any = flow.send(Reply(424, httpx.Headers(), b""))
            while isinstance(step, Send):
                sent.append(step.method)
                status, headers, body = (201, {}, b"{}") if step.method == "PUT" else honest(step)
                step = flow.send(Reply(status, httpx.Headers(headers), body))

    for flow in flows:
        start(flow)
    for flow in flows:
        finish(flow)
    assert sent == ["PUT", "POST", "POST"]


words = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20).map(str.strip)
headers = st.dictionaries(
    st.sampled_from([JSON_LENGTH, "Content-Length", "Content-Encoding", "Retry-After", "Location", "X-Request-ID"]),
    words | st.integers(-5, 10**30).map(str),
)
names = st.sampled_from(["error", "outputs", "parameters", "signature", "id", "name"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "outputs", "parameters", "signature", "id", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=400) | json_values.map(lambda value: json.dumps(value).encode())
statuses = st.sampled_from([200, 201, 204, 301, 304, 400, 401, 403, 404, 409, 413, 422, 424, 429, 500, 502, 503, 504])


def raw(values: dict[str, str]) -> Any:
    return {name.encode(): value.encode("latin-1", "replace") for name, value in values.items()}


@given(statuses, headers, bodies)
def test_any_description(status: int, given_headers: dict[str, str], body: bytes) -> None:
    try:
        drive(session().connect(), lambda send: (status, raw(given_headers), body))
    except RemoteError as error:
        assert str(error).isprintable()
    else:
        raise AssertionError("no such answer describes a model")


@given(statuses, headers, bodies)
def test_any_answer(status: int, given_headers: dict[str, str], body: bytes) -> None:
    try:
        ask(session(), lambda send: (status, raw(given_headers), body))
    except RemoteError as error:
        assert str(error).isprintable()
    else:
        raise AssertionError("no such answer is a result")


@given(st.data())
def test_any_change_to_an_honest_answer(data: st.DataObject) -> None:
    def changed(send: Send) -> tuple[int, dict[str, str], bytes]:
        status, good, body = honest(send)
        damaged = bytearray(body)
        start = data.draw(st.integers(0, len(body) - 1) | st.integers(0, int(good[JSON_LENGTH]) + 200))
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop", "head"]))
        if kind == "flip":
            damaged[start] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            del damaged[start:]
        elif kind == "insert":
            damaged[start:start] = data.draw(st.binary(min_size=1, max_size=50))
        elif kind == "drop":
            del damaged[start : start + data.draw(st.integers(1, 50))]
        else:
            good[JSON_LENGTH] = str(data.draw(st.integers(0, 300)))
        return status, good, bytes(damaged)

    try:
        scores = ask(session(), changed)
    except HermeticError as error:
        assert str(error).isprintable()
    else:  # the change was in a part of the JSON that means nothing
        np.testing.assert_allclose(scores, petals().scores[:4], rtol=0, atol=petals().signature.error)


def test_replies_are_as_large_as_they_may_be() -> None:
    """The limit is met, not just not exceeded."""
    flow = session().answer(client(), X)
    compute = next(flow)
    assert isinstance(compute, Compute)
    send = flow.send(compute.function())
    assert isinstance(send, Send)
    status, good, body = honest(send)
    assert send.limit(status, httpx.Headers(good)) == len(body)
    assert send.limit(500, httpx.Headers()) < 100_000
    Reader(send, status, httpx.Headers({**good, "Content-Length": str(len(body))}))
    with pytest.raises(ProtocolError, match="was not read"):
        Reader(send, status, httpx.Headers({**good, "Content-Length": str(len(body) + 1)}))
