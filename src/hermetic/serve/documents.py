"""JSON bodies, bounded before they are parsed.

What callers send is a small document around long plain parts: base64 strings and lists of whole numbers. The parts are
found and cut out by searching for bytes. What is left must be small, so that parsing it costs next to nothing, whatever
it is. The parts are decoded where they stand, piece by piece: a body of n bytes never takes more than about n bytes of
memory, and between pieces other threads get their turn.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .refusals import RefusalError, malformed

MAX_PARTS = 64
"""Long parts of a body."""

MAX_STRUCTURE = 64 << 10
"""Bytes of a body besides its long parts."""

PIECE = 48 << 10
"""Bytes that are decoded at once."""

_LONG = 1024
_CUT = b"NaN"  # a place that JSON itself cannot have, and that the parser asks us about
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WHOLE_NUMBERS = re.compile(rb"[0-9,\s]*")

Body = bytes | bytearray


@dataclass(frozen=True)
class LongString:
    """A long string without escapes but those of slashes, as it stands in the body."""

    text: memoryview

    def decode(self) -> memoryview:
        """What it is the base64 of, written over it. Raises ValueError."""
        text, done = self._unescaped(), 0
        for start in range(0, len(text), PIECE):
            octets = binascii.a2b_base64(text[start : start + PIECE], strict_mode=True)
            if len(octets) < PIECE // 4 * 3 and start + PIECE < len(text):
                raise ValueError("padding before the end")
            text[done : done + len(octets)] = octets
            done += len(octets)
        return text[:done]

    def _unescaped(self) -> memoryview:
        """The same without the backslashes that some libraries put before slashes, written over it."""
        done = 0
        for start in range(0, len(self.text), PIECE):
            piece = bytes(self.text[start : start + PIECE]).replace(b"\\", b"")
            self.text[done : done + len(piece)] = piece
            done += len(piece)
        return self.text[:done]


@dataclass(frozen=True)
class LongList:
    """A long list of nothing but digits and commas, as it stands in the body, without its brackets."""

    text: memoryview

    def decode(self) -> memoryview:
        """Its numbers from 0 to 255 as bytes, written over it. Raises ValueError."""
        done = 0
        for piece in self._pieces():
            octets = bytes(json.loads(b"[0,%b]" % piece)[1:])
            self.text[done : done + len(octets)] = octets
            done += len(octets)
        return self.text[:done]

    def _pieces(self) -> Iterator[bytes]:
        """Whole numbers, a piece at a time, without the commas between pieces."""
        at = 0
        while len(self.text) - at > PIECE:
            piece = bytes(self.text[at : at + PIECE])
            piece = piece[: piece.rindex(b",")]
            yield piece
            at += len(piece) + 1
        yield bytes(self.text[at:])


def read_object(body: Body) -> dict[str, Any]:
    """The JSON object that a body is; its long parts are :class:`LongString` and :class:`LongList`.

    Raises
    ------
    RefusalError
        422 for anything but an object of :data:`MAX_STRUCTURE` bytes around :data:`MAX_PARTS` long parts, whose members
        are named once each.
    """
    skeleton = _Skeleton(body)
    skeleton.cut_long_parts()
    parts = iter(skeleton.parts)
    try:
        text = skeleton.text.decode()
        document = json.loads(text, parse_constant=lambda _: next(parts), object_pairs_hook=_named_once)
    except (ValueError, RecursionError):
        raise _no_json() from None
    if not isinstance(document, dict):
        raise malformed("the body must be a JSON object.")
    return document


def base64_octets(value: object) -> bytes | memoryview:
    """What a base64 string stands for. Raises :class:`RefusalError` 422."""
    try:
        if isinstance(value, LongString):
            return value.decode()
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except ValueError:
        pass
    raise malformed("data must be base64 strings.")


def listed_octets(value: object) -> bytes | memoryview:
    """The numbers of a list as bytes. Raises :class:`RefusalError` 422."""
    try:
        if isinstance(value, LongList):
            return value.decode()
        if isinstance(value, list):
            return bytes(value)
    except (TypeError, ValueError):
        pass
    raise malformed("data must be a list of whole numbers from 0 to 255.")


class _Skeleton:
    """What is left of a body when its long parts are cut out, in order, with :data:`_CUT` in their places."""

    def __init__(self, body: Body) -> None:
        self.text = bytearray()
        self.parts: list[LongString | LongList] = []
        self._body = body
        self._view = memoryview(body)
        self._at = 0

    def cut_long_parts(self) -> None:
        """Go through the body, from string to string."""
        body = self._body
        while (quote := body.find(b'"', self._at)) >= 0:
            self._cut_lists(quote)
            end = _string_end(body, quote)
            if end - quote > _LONG and _has_plain_escapes(body, quote, end):
                self._cut(quote, end, LongString(self._view[quote + 1 : end - 1]))
            else:
                self._keep(end)
        self._cut_lists(len(body))

    def _cut_lists(self, end: int) -> None:
        """Go on to ``end``, before which there is no string."""
        body = self._body
        if any(body.find(letter, self._at, end) >= 0 for letter in (b"N", b"I")):  # NaN, Infinity: no JSON
            raise _no_json()
        while end - self._at > _LONG and (close := body.find(b"]", self._at, end)) >= 0:
            start = body.rfind(b"[", self._at, close)
            if close - start > _LONG and start >= 0 and _WHOLE_NUMBERS.fullmatch(body, start + 1, close):
                self._cut(start, close + 1, LongList(self._view[start + 1 : close]))
            else:
                self._keep(close + 1)
        self._keep(end)

    def _keep(self, end: int) -> None:
        if len(self.text) + end - self._at > MAX_STRUCTURE:
            most = f"{MAX_STRUCTURE} bytes besides long strings and lists of whole numbers"
            raise malformed(f"a JSON body must hold at most {most}. It holds more.")
        self.text += self._view[self._at : end]
        self._at = end

    def _cut(self, start: int, end: int, part: LongString | LongList) -> None:
        self._keep(start)
        if len(self.parts) == MAX_PARTS:
            raise malformed(f"a JSON body must hold at most {MAX_PARTS} long strings or lists. It holds more.")
        self.parts.append(part)
        self.text += _CUT
        self._at = end


def _string_end(body: Body, quote: int) -> int:
    """Where the string that starts with this quote is over."""
    end = body.find(b'"', quote + 1)
    if end >= 0 and not _has_plain_escapes(body, quote, end):
        match = _STRING.match(body, quote, quote + MAX_STRUCTURE)
        end = match.end() - 1 if match else -1
    if end < 0:
        raise _no_json()
    return end + 1


def _has_plain_escapes(body: Body, start: int, end: int) -> bool:
    """Whether every backslash there stands before a slash, where it means nothing."""
    return body.count(b"\\", start, end) == body.count(b"\\/", start, end)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise malformed("every member of a JSON object must be named once. One is named again.")
    return members


def _no_json() -> RefusalError:
    return malformed("the body must be JSON. It does not parse.")
