"""Messages between the front process and an evaluation process: ``lengths | JSON head | payload`` over a socket pair.

The head holds the number of a request, which its reply repeats, and the message (:mod:`.messages`). Both ends are this
program, started together; nothing from the network is parsed here, and nothing is pickled.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
from collections.abc import Callable

from .messages import Message, from_document, to_document

_encode = json.JSONEncoder(separators=(",", ":")).encode
_LENGTHS = struct.Struct("<IQ")


def encode_head(number: int, message: Message, payload_bytes: int) -> bytes:
    """The lengths and the head of a message; the payload follows as it is."""
    head = _encode({"number": number, **to_document(message)}).encode()
    return _LENGTHS.pack(len(head), payload_bytes) + head


def _decode_head(head: bytes | memoryview) -> tuple[int, Message]:
    document = json.loads(bytes(head))
    return document["number"], from_document(document)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, Message, bytes]:
    """The next message, with its number and payload. Raises :class:`asyncio.IncompleteReadError` when the other end is
    gone.
    """
    head_bytes, payload_bytes = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    head = await reader.readexactly(head_bytes)
    return *_decode_head(head), await reader.readexactly(payload_bytes)


class Channel:
    """The blocking end of the socket pair, for an evaluation process."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> tuple[int, Message, memoryview]:
        """The next message, with its number and payload. Raises :class:`EOFError` when the front process is gone."""
        head_bytes, payload_bytes = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        head = self._exactly(head_bytes)
        return *_decode_head(head), self._exactly(payload_bytes)

    def send(self, number: int, message: Message, payload: bytes = b"") -> None:
        """Send a message."""
        self._connection.sendall(encode_head(number, message, len(payload)))
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


def answer_front_process(descriptor: int, answer: Callable[[Message, memoryview], tuple[Message, bytes]]) -> None:
    """Answer what the front process says at the other end of a socket, until it closes it."""
    # These are sent to the whole group; the front process decides when to stop.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    while True:
        try:
            number, message, payload = channel.receive()
            channel.send(number, *answer(message, payload))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
