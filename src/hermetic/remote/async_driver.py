"""Carries flows out on an asyncio event loop; computing happens in threads, batches in flight are tasks."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import httpx

from ..client import Client
from ..errors import RemoteError
from .answers import Answer
from .batches import Batches
from .flow import CHUNK_BYTES, Compute, Flow, Reader, Reply, Send, Sleep, T
from .network import VIA
from .session import Session


@dataclass(frozen=True)
class _Place:
    """What belongs to one event loop, and so to one process: no other loop may use its sockets and locks."""

    http: httpx.AsyncClient
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class AsyncDriver:
    """Runs flows over an asynchronous HTTP client, one for each event loop.

    Parameters
    ----------
    make
        Makes the HTTP client.
    """

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, _Place] = WeakKeyDictionary()
        self._closed = False

    def _here(self) -> _Place:
        loop = asyncio.get_running_loop()
        if loop not in self._places:
            self._places[loop] = _Place(self._make())
        return self._places[loop]

    async def prepare(self, session: Session) -> Client:
        """The session's client, connected and known to the service, once for all tasks."""
        async with self._here().lock:
            return await self.run(session.prepare())

    async def connect(self, session: Session) -> Client:
        """The session's client, connected once for all tasks."""
        async with self._here().lock:
            return await self.run(session.connect())

    async def close(self) -> None:
        self._closed = True
        await self._here().http.aclose()

    async def run(self, flow: Flow[T]) -> T:
        """Carry a flow out and return its value."""
        value: object = None
        failure: Exception | None = None
        try:
            while True:
                step = flow.send(value) if failure is None else flow.throw(failure)
                value, failure = None, None
                try:  # as in the blocking driver, the flow is resumed outside of `except`
                    value = await self._perform(step)
                except Exception as error:
                    failure = error
        except StopIteration as done:
            result: T = done.value
            return result

    async def answers(self, session: Session, client: Client, batches: Batches) -> AsyncGenerator[Answer]:
        """The answers to every batch, in order; at most ``in_flight`` batches exist encrypted at a time."""
        pending: deque[asyncio.Task[Answer]] = deque()
        try:
            for rows in batches:
                pending.append(asyncio.create_task(self.run(session.answer(client, rows))))
                if len(pending) == session.settings.in_flight:
                    yield await pending.popleft()
            while pending:
                yield await pending.popleft()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _perform(self, step: Send | Sleep | Compute) -> object:
        if isinstance(step, Send):
            async with asyncio.timeout(step.deadline - time.monotonic()):
                return await self._send(step)
        if isinstance(step, Compute):
            return await asyncio.to_thread(step.function)
        await asyncio.sleep(step.seconds)
        return None

    async def _send(self, send: Send) -> Reply:
        if self._closed:
            raise RemoteError("the connection is closed. Connect again.")
        http = self._here().http
        request = http.build_request(
            send.method, send.url, headers=send.all_headers(), content=_chunks(send) if send.body else None
        )
        response = await http.send(request, stream=True)
        try:
            reader = Reader(send, response.status_code, response.headers, response.extensions.get(VIA, ""))
            async for chunk in response.aiter_raw():
                reader.feed(chunk)
            return reader.reply()
        finally:
            await response.aclose()


async def _chunks(send: Send) -> AsyncIterator[bytes]:
    for start in range(0, len(send.body), CHUNK_BYTES):
        yield send.body[start : start + CHUNK_BYTES]
