"""Universal Binary JSON, as XGBoost writes it: decoded with every length checked against the bytes that are there.

The format is that of https://ubjson.org, draft 12. Typed arrays of numbers become lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MAX_DEPTH = 32

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_WHOLE = "iUIlL"
_CONSTANTS = {"Z": None, "T": True, "F": False}


def decode(data: bytes) -> Any:
    """The value that the bytes hold: dictionaries, lists, strings, numbers, booleans and None.

    Raises
    ------
    ValueError
        If they are not one value of this format, or nested more than 32 deep.
    """
    reader = _Reader(data)
    value = reader.value(reader.marker(), 0)
    if reader.place != len(data):
        raise ValueError(f"{len(data) - reader.place} bytes follow the value")
    return value


class _Reader:
    """Bytes, and the place from which they are read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self._data) - self.place:
            raise ValueError(f"{count} bytes must follow byte {self.place}")
        self.place += count
        return self._data[self.place - count : self.place]

    def marker(self) -> str:
        found = chr(self.take(1)[0])
        return self.marker() if found == "N" and self.place < len(self._data) else found

    def next_is(self, marker: str) -> bool:
        """Whether a marker follows; it is passed over."""
        found = self._data[self.place : self.place + 1] == marker.encode()
        self.place += found
        return found

    def value(self, marker: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"values are nested more than {_MAX_DEPTH} deep")
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBERS:
            return self.numbers(marker, 1)[0]
        if marker == "S":
            return self.text()
        if marker == "C":
            return self.take(1).decode("ascii")
        if marker == "[":
            return self.array(depth)
        if marker == "{":
            return self.mapping(depth)
        raise ValueError(f"no value starts with {marker!r}, before byte {self.place}")

    def numbers(self, marker: str, count: int) -> list[Any]:
        kind = np.dtype(_NUMBERS[marker])
        found: list[Any] = np.frombuffer(self.take(kind.itemsize * count), kind).tolist()
        return found

    def length(self) -> int:
        marker = self.marker()
        if marker not in _WHOLE:
            raise ValueError(f"a length must be a whole number, before byte {self.place}")
        (found,) = self.numbers(marker, 1)
        if not 0 <= found <= len(self._data):
            raise ValueError(f"the length {found} is more than there is, before byte {self.place}")
        return int(found)

    def text(self) -> str:
        return self.take(self.length()).decode("utf-8")

    def array(self, depth: int) -> list[Any]:
        kind = self.marker() if self.next_is("$") else None
        count = self.length() if self.next_is("#") else None
        if kind is not None:
            if kind not in _NUMBERS or count is None:
                raise ValueError(f"typed arrays must hold numbers, and say how many, before byte {self.place}")
            return self.numbers(kind, count)
        found: list[Any] = []
        while len(found) != count and not (count is None and self.next_is("]")):
            found.append(self.value(self.marker(), depth + 1))
        return found

    def mapping(self, depth: int) -> dict[str, Any]:
        if self.next_is("$"):
            raise ValueError(f"objects must not be typed, before byte {self.place}")
        count = self.length() if self.next_is("#") else None
        found: dict[str, Any] = {}
        while len(found) != count and not (count is None and self.next_is("}")):
            name = self.text()
            if name in found:
                raise ValueError(f"the name {name!r} comes twice")
            found[name] = self.value(self.marker(), depth + 1)
        return found
