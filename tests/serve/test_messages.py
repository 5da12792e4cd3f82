"""Messages between processes: every kind arrives as it was sent, and what nobody knows is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from hermetic.serve import messages
from hermetic.serve.evaluator import Evaluator
from hermetic.serve.frames import Channel, encode_head
from hermetic.serve.messages import (
    Done,
    DropKey,
    Evaluate,
    Evaluated,
    EvaluateLegacy,
    Failed,
    LoadModel,
    Message,
    Refused,
    RunScript,
    ScriptAnswered,
    Unknown,
    UnloadModel,
)
from hermetic.serve.script_runner import ScriptRunner

EXAMPLES = [
    LoadModel("iris"),
    UnloadModel("iris"),
    DropKey("a key"),
    Evaluate("iris", "a key", 3, ["another"], [1, 2]),
    EvaluateLegacy("iris", "a key", 0, [], []),
    RunScript("GET", "a=1", [["accept", "*/*"]]),
    Done(),
    Evaluated(1.5),
    ScriptAnswered(1.5, 201, [["x-a", "b"]]),
    Refused("no"),
    Failed("there"),
    Unknown("odd"),
]
Program = Callable[[], Evaluator | ScriptRunner]
PROGRAMS: list[Program] = [lambda: Evaluator(1), ScriptRunner]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Channel(theirs)


def test_every_kind_has_an_example() -> None:
    ours = {kind for kind in Message.kinds.values() if kind.__module__ == messages.__name__}
    assert {type(message) for message in EXAMPLES} == ours


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(ends: tuple[socket.socket, Channel], message: Message) -> None:
    ours, channel = ends
    ours.sendall(encode_head(7, message, 3) + b"abc")
    number, received, payload = channel.receive()
    assert (number, received, bytes(payload)) == (7, message, b"abc")


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "__init__", "fields": {}},
        {"kind": "_load", "fields": {}},
        {"kind": "Message", "fields": {}},
        {"kind": "LoadModel", "fields": {}},
        {"kind": "LoadModel", "fields": {"model": "iris", "more": 1}},
        {"kind": "LoadModel"},
        {"fields": {}},
        {"kind": "LoadModel", "fields": None},
        {"kind": [], "fields": {}},
    ],
    ids=str,
)
@pytest.mark.parametrize("program", PROGRAMS, ids=["evaluator", "script"])
def test_what_is_no_message_is_refused(program: Program, document: dict[str, object]) -> None:
    message = messages.from_document(document)
    assert isinstance(message, Unknown)
    reply, data = program().answer(message, memoryview(b""))
    assert isinstance(reply, Refused)
    assert "must get messages that it knows" in reply.reason
    assert data == b""


@pytest.mark.parametrize("program", PROGRAMS, ids=["evaluator", "script"])
def test_messages_of_another_program_are_refused(program: Program) -> None:
    made = program()
    others = [message for message in EXAMPLES if type(message) not in made._handlers]
    assert others
    for message in others:
        assert isinstance(made.answer(message, memoryview(b""))[0], Refused)


def test_a_failure_is_told_without_what_the_payload_held() -> None:
    """A model that was never loaded is this program's mistake: where it is told, and no byte of the query."""
    secret = os.urandom(16).hex()
    reply, _ = Evaluator(1).answer(Evaluate(secret, "a key", 0, [], [16]), memoryview(secret.encode()))
    assert isinstance(reply, Failed)
    assert reply.reason.startswith("KeyError at evaluator.py")
    assert secret not in reply.reason
