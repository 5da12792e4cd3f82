"""Carries flows out on an asyncio event loop; computing happens in threads, batches in flight are tasks."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

import httpx

from ..client import Client
from ..errors import RemoteError
from .answers import Answer
from .batches import Batches
from .flow import CHUNK_BYTES, Compute, Flow, Reader, Reply, Send, Sleep, T
from .network import VIA
from .session import Session


class AsyncDriver:
    """Runs flows over an asynchronous HTTP client."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._lock = asyncio.Lock()

    async def prepare(self, session: Session) -> Client:
        """The session's client, connected and known to the service, once for all tasks."""
        async with self._lock:
            return await self.run(session.prepare())

    async def connect(self, session: Session) -> Client:
        """The session's client, connected once for all tasks."""
        async with self._lock:
            return await self.run(session.connect())

    async def close(self) -> None:
        await self._http.aclose()

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
        if self._http.is_closed:
            raise RemoteError("the connection is closed. Connect again.")
        request = self._http.build_request(
            send.method, send.url, headers=send.all_headers(), content=_chunks(send) if send.body else None
        )
        response = await self._http.send(request, stream=True)
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
