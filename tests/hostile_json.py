"""JSON values that no reader should trust, and where in a document to put them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hermetic.circuits.linear.document import MAX_LAYOUTS


def canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from paths(one, (*path, key))


HOSTILE = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    1 << 62,
    10**30,
    -(10**30),
    10**400,
    1.5,
    -0.0,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\x00\x1b[31m",
    "x" * 1001,
    "|O",
    "<U16777216",
    "<U999999999999",
    "<i1",
    "<i3",
    "i4,i4",
    "(3,)i4",
    "(1073741824,)i4",
    "[('a','<i4')]",
    "{'names': ['a']}",
    "i4,(",
    ",",
    "<M8[s]",
    "|S3",
    "|V8",
    "<c16",
    [],
    [1],
    [[1]],
    [[1, 1, 1, 20.0]],
    [[1, 1, 1, 20.0, 5]],
    [[1, 1, 1, 20.0]] * (MAX_LAYOUTS + 1),
    [None] * 3,
    ["a", "b"],
    [1.5, 2.5, 3.5],
    [10**30] * 3,
    {},
    {"a": 1},
    {"dtype": "|O", "values": [None, 1, "x"]},
    {"dtype": "<U1048576", "values": ["a", "b", "c"]},
    {"dtype": "<U99999999", "values": ["a", "b", "c"]},
    {"dtype": "<i1", "values": [300, 1, 2]},
    {"dtype": "<u8", "values": [-1, 1, 2]},
    {"dtype": "<f2", "values": [1e30, 1.0, 2.0]},
    {"dtype": "<i8", "values": [1.0, 2.0, 3.0]},
    {"dtype": "|b1", "values": [0, 1, 2]},
    {"dtype": 8, "values": [1, 2, 3]},
    {"dtype": "<i8", "values": {}},
]
