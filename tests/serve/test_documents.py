"""JSON bodies: what they say is what JSON says, and reading them takes no more memory than they have bytes."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.serve.documents import (
    MAX_PARTS,
    PIECE,
    LongList,
    LongString,
    base64_octets,
    listed_octets,
    read_object,
)
from hermetic.serve.refusals import RefusalError

SIZE = 4 << 20
ROOM = 1 << 20

NAMES = st.text(max_size=20)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=50)
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=20)
OCTETS = st.integers(0, 3 * PIECE).map(lambda size: bytes(i * 7 % 256 for i in range(size)))
LAYOUTS = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"indent": "\t"}, {"ensure_ascii": False}])


@given(st.dictionaries(NAMES, VALUES), LAYOUTS)
def test_a_small_document_is_what_json_says(document: dict[str, Any], layout: dict[str, Any]) -> None:
    assert read_object(json.dumps(document, **layout).encode("utf-8")) == document


@given(st.lists(OCTETS, max_size=6), VALUES, LAYOUTS)
def test_long_parts_come_back_in_their_places(several: list[bytes], between: Any, layout: dict[str, Any]) -> None:
    """As base64 and as lists, with anything in between, quotes and brackets too."""
    document = {
        "data": [base64.b64encode(one).decode() for one in several],
        "between": between,
        "inputs": [{"data": list(one), "name": '"]},\\'} for one in several],
    }
    read = read_object(bytearray(json.dumps(document, **layout).encode()))
    assert read["between"] == between
    assert [bytes(base64_octets(one)) for one in read["data"]] == several
    assert [bytes(listed_octets(one["data"])) for one in read["inputs"]] == several
    assert {one["name"] for one in read["inputs"]} <= {'"]},\\'}


@given(st.lists(OCTETS, max_size=6), LAYOUTS)
def test_slashes_may_be_escaped(several: list[bytes], layout: dict[str, Any]) -> None:
    """As PHP does it."""
    text = json.dumps({"data": [base64.b64encode(one).decode() for one in several]}, **layout).replace("/", "\\/")
    read = read_object(bytearray(text.encode()))
    assert [bytes(base64_octets(one)) for one in read["data"]] == several


LONG = "A" * 4000
NUMBERS = ",".join(["7"] * 3000)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "5", '"x"', "{}{}", "\ufeff{}", "NaN", '{"a": NaN}', '{"a": Infinity}',
        '{"a": -Infinity}', '{"a": 01}', "[" * 50_000, '{"a":' * 5_000, '{"a": ' + "9" * 5000 + "}",
        '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": 1, "\\u0061": 2}', f'{{"a": "{LONG}", "a": "{LONG}"}}',
        f'{{"{LONG}": 1}}', f'{{"a": "{LONG}" "{LONG}"}}', f'{{"a": "{LONG}}}', f'{{"a": -"{LONG}"}}',
        f'{{"a": NaN, "b": "{LONG}"}}', f'{{"a": "{LONG}", "b": NaN}}', f'{{"a": [{NUMBERS}] [{NUMBERS}]}}',
        f'"{LONG}"', f"[{NUMBERS}]", f'{{"a": "x" "{LONG}"', f'{{"a": "{LONG}\\"', f'{{"a": "{LONG}\\/\\"',
        f'{{"a": "{LONG}\\\\/\\"', '{"a": "\x00"}',
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_what_is_no_object_of_members_named_once_is_refused(text: str) -> None:
    with pytest.raises(RefusalError) as caught:
        read_object(bytearray(text.encode()))
    assert (caught.value.status, caught.value.code) == (422, "malformed")


def test_other_encodings_are_refused() -> None:
    for encoding in ("utf-16", "utf-32", "utf-16-le", "latin-1"):
        with pytest.raises(RefusalError):
            read_object('{"é": 1}'.encode(encoding))


@pytest.mark.parametrize("text", ["!" * 2000, "A" * 2001, "A=" * 1000, "A" * PIECE + "==", "é" * 2000,
                                  "A" * (PIECE - 2) + "==" + "A" * 4000, "A A" * 2000, "A" * 3999 + "\n"])  # fmt: skip
def test_long_strings_that_are_no_base64(text: str) -> None:
    with pytest.raises(RefusalError, match="base64"):
        base64_octets(LongString(memoryview(bytearray(text.encode()))))


@pytest.mark.parametrize("text", ["1,2,,3", "1,2,", ",1", " ", "1 2", "256", "999", "007", "9" * 5000,
                                  "1," * (PIECE // 2) + " " * PIECE, "1," * PIECE, "9" * (2 * PIECE), "," * 3 * PIECE,
                                  "1," * PIECE + "256"])  # fmt: skip
def test_long_lists_that_are_no_octets(text: str) -> None:
    with pytest.raises(RefusalError, match="whole numbers from 0 to 255"):
        listed_octets(LongList(memoryview(bytearray(text.encode()))))


def filled(unit: bytes, start: bytes = b'{"data":[', end: bytes = b"null]}") -> bytearray:
    """A body of :data:`SIZE` bytes made of one unit, over and over."""
    return bytearray(start + unit * (SIZE // len(unit)) + end)


BOMBS = {
    "empty lists": filled(b"[],"),
    "empty objects": filled(b"{},"),
    "nested lists": filled(b"[", end=b""),
    "nested objects": filled(b'{"a":', start=b"", end=b""),
    "short strings": filled(b'"",'),
    "different strings": bytearray(b'{"data":[' + b",".join(b'"%d"' % i for i in range(SIZE // 9)) + b"]}"),
    "many members": bytearray(b"{" + b",".join(b'"%d":0' % i for i in range(SIZE // 11)) + b"}"),
    "one member again": filled(b'"a":0,', start=b"{", end=b'"b":0}'),
    "numbers": filled(b"1e9,"),
    "large numbers": filled(b"12345,"),
    "short lists of numbers": filled(b"[7,7,7],"),
    "long lists of numbers": filled(b"[" + b"7," * 1000 + b"7],"),
    "long strings": filled(b'"' + b"A" * 2000 + b'",'),
    "one number": filled(b"9", start=b'{"data":', end=b"}"),
    "literals": filled(b"true,"),
    "escapes": filled(b'\\"', start=b'{"data":["', end=b'"]}'),
    "escaped letters": filled(b"\\u00e9", start=b'{"data":["', end=b'"]}'),
    "an escape after much": filled(b"A", start=b'{"data":["', end=b'\\n"]}'),
    "white space": filled(b" "),
    "quotes": filled(b'"', start=b"", end=b""),
    "closing brackets": filled(b"]", start=b"", end=b""),
    "commas": filled(b","),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_and_takes_no_memory(kind: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RefusalError) as caught:
            read_object(BOMBS[kind])
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()
    assert caught.value.code == "malformed"


def test_without_the_bound_such_bodies_take_many_times_their_size() -> None:
    tracemalloc.start()
    try:
        json.loads(BOMBS["empty lists"])
        assert tracemalloc.get_traced_memory()[1] > 10 * SIZE
    finally:
        tracemalloc.stop()


def test_honest_bodies_take_no_memory_of_their_own() -> None:
    """They are decoded where they stand."""
    octets = bytes(range(256)) * (SIZE // 2048)
    for body, decode in (
        (bytearray(b'{"data":["%b"]}' % base64.b64encode(octets)), base64_octets),
        (bytearray(b'{"data":[[%b]]}' % ",".join(map(str, octets)).encode()), listed_octets),
    ):
        tracemalloc.start()
        try:
            decoded = decode(read_object(body)["data"][0])
            assert tracemalloc.get_traced_memory()[1] < ROOM
        finally:
            tracemalloc.stop()
        assert decoded == octets


def test_as_much_as_may_be_is_read() -> None:
    body = json.dumps({"data": ["A" * 2000] * (MAX_PARTS - 1), "pad": "x" * 900, "more": [0] * 10_000}).encode()
    assert len(body) > 100 * 1024
    assert len(read_object(body)["data"]) == MAX_PARTS - 1
