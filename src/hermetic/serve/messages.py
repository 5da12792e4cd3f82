"""What the front process and an evaluation process say to each other: requests and replies, each of a class of its own.

A process answers the requests that its table of handlers names, and refuses the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

HeaderFields = Sequence[Sequence[str]]
"""Pairs of a name and a value."""


class Message:
    """What every message is. Its fields are values that JSON can hold."""

    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls) -> None:
        Message.kinds[cls.__name__] = cls


@dataclass(frozen=True)
class LoadModel(Message):
    """Load what the payload holds: the bytes of a model's file, or the path of a script. The answer's payload says what
    was loaded.
    """

    model: str


@dataclass(frozen=True)
class UnloadModel(Message):
    """Forget a model."""

    model: str


@dataclass(frozen=True)
class DropKey(Message):
    """Forget a public key."""

    key_id: str


@dataclass(frozen=True)
class Evaluate(Message):
    """Answer a query: the payload holds ``key_bytes`` of the public key, none if the process has it, and the query in
    ``parts`` of so many bytes. Keys to be dropped go first.
    """

    key_growth: ClassVar[float] = 2.7
    """A parsed key takes at most so many times its bytes, its switching keys included."""

    model: str
    key_id: str
    key_bytes: int
    drop: Sequence[str]
    parts: Sequence[int]


@dataclass(frozen=True)
class EvaluateLegacy(Evaluate):
    """Answer the ciphertexts of a legacy client, each a part."""

    key_growth: ClassVar[float] = 2.2


@dataclass(frozen=True)
class RunScript(Message):
    """Call a script's ``run()``: the payload is the request's body."""

    method: str
    query: str
    headers: HeaderFields


@dataclass(frozen=True)
class Done(Message):
    """It is done."""


@dataclass(frozen=True)
class Evaluated(Message):
    """The payload is the answer; it took ``ms`` milliseconds."""

    ms: float


@dataclass(frozen=True)
class ScriptAnswered(Message):
    """The payload is the body of the script's answer; it took ``ms`` milliseconds."""

    ms: float
    status: int
    headers: HeaderFields


@dataclass(frozen=True)
class Refused(Message):
    """A model file, a key, a query or a message is not as it must be."""

    reason: str


@dataclass(frozen=True)
class Failed(Message):
    """The program, or a script, failed where it must not."""

    reason: str


@dataclass(frozen=True)
class Unknown(Message):
    """Stands for a message of no kind that there is, or with other fields than its kind has."""

    kind: str


Handlers = Mapping[type[Message], Callable[[Any, memoryview], tuple[Message, bytes]]]
"""What answers a message of each kind, given its payload: a reply with a payload."""


def answered(handlers: Handlers, message: Message, payload: memoryview) -> tuple[Message, bytes]:
    """The reply to a message: :class:`Refused` for one of a kind that has no handler."""
    handler = handlers.get(type(message))
    if handler is None:
        kind = message.kind if isinstance(message, Unknown) else type(message).__name__
        return Refused(f"an evaluation process must get messages that it knows. Got {kind} instead."), b""
    return handler(message, payload)


def to_document(message: Message) -> dict[str, Any]:
    """A message as JSON holds it."""
    return {"kind": type(message).__name__, "fields": vars(message)}


def from_document(document: Mapping[str, Any]) -> Message:
    """The message of :func:`to_document`; :class:`Unknown` if there is none like it."""
    try:
        return Message.kinds[document["kind"]](**document["fields"])
    except (KeyError, TypeError):
        return Unknown(str(document.get("kind")))
