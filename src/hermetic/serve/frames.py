"""Messages between the front process and an evaluation process: ``lengths | JSON head | payload`` over a socket pair.

Both ends are this program, started together; nothing from the network is parsed here, and nothing is pickled.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

Head = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_LENGTHS = struct.Struct("<IQ")


def encode_head(head: Head, payload_bytes: int) -> bytes:
    """The lengths and the head of a message; the payload follows as it is."""
    text = _encode(head).encode()
    return _LENGTHS.pack(len(text), payload_bytes) + text


async def read_frame(reader: asyncio.StreamReader) -> tuple[Head, bytes]:
    """The next message. Raises :class:`asyncio.IncompleteReadError` when the other end is gone."""
    head_bytes, payload_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    head = json.loads(await reader.readexactly(head_bytes))
    return head, await reader.readexactly(payload_bytes)


class Channel:
    """The blocking end of the socket pair, for an evaluation process."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> tuple[Head, memoryview]:
        """The next message. Raises :class:`EOFError` when the front process is gone."""
        head_bytes, payload_bytes = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        head = json.loads(bytes(self._exactly(head_bytes)))
        return head, self._exactly(payload_bytes)

    def send(self, head: Head, payload: bytes = b"") -> None:
        """Send a message."""
        self._connection.sendall(encode_head(head, len(payload)))
        self._connection.sendall(payload)

    def _exactly(self, count: int) -> memoryview:
        view = memoryview(bytearray(count))
        done = 0
        while done < count:
            got = self._connection.recv_into(view[done:])
            if not got:
                raise EOFError("the front process is gone")
            done += got
        return view
