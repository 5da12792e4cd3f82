"""Reading request bodies: the declared length is judged first, then the bytes come in against a clock and a budget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from .limits import MemoryBudget
from .refusals import RefusalError, busy, malformed, too_large

SizeCheck = Callable[[int], None]
"""Raises :class:`RefusalError` for a length that cannot be right."""


def declared_length(request: Request) -> int:
    """The body's length. Raises :class:`RefusalError` 411 without one, and 415 for a compressed body."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusalError(415, "compressed", "the body must not be compressed: ciphertexts do not get smaller.")
    text = request.headers.get("content-length", "")
    if "transfer-encoding" in request.headers or not text.isascii() or not text.isdigit():
        raise RefusalError(411, "length_required", "the request must state its Content-Length.")
    return int(text)


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies within a common memory budget.

    Attributes
    ----------
    budget
        Bytes of bodies in flight.
    timeout, rate
        A body of n bytes must arrive within ``timeout + n / rate`` seconds.
    """

    budget: MemoryBudget
    timeout: float
    rate: float

    @contextlib.asynccontextmanager
    async def read(self, request: Request, tenant: str, check: SizeCheck) -> AsyncIterator[bytearray]:
        """The body; its memory counts against the budget until the block ends. The block may write over it.

        Raises
        ------
        RefusalError
            408, 411, 413, 415, 503, or what ``check`` raises; all before a byte is read, but for 408.
        """
        length = declared_length(request)
        check(length)
        if length > self.budget.largest:
            raise too_large(f"the body may have {self.budget.largest} bytes. It has {length}: send fewer samples.")
        if not self.budget.take(tenant, length):
            raise busy("other requests' bodies fill the memory for them.")
        try:
            yield await self._receive(request, length)
        finally:
            self.budget.give_back(tenant, length)

    async def read_start(self, request: Request, size: int) -> bytes:
        """The first ``size`` bytes or more, to say what is wrong with a body that will not be read."""
        parts = bytearray()
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(self.timeout):
                async for part in request.stream():
                    parts += part
                    if len(parts) >= size:
                        break
        return bytes(parts)

    async def _receive(self, request: Request, length: int) -> bytearray:
        body = bytearray()
        try:
            async with asyncio.timeout(self.timeout + length / self.rate):
                async for part in request.stream():
                    body += part
                    if len(body) > length:
                        raise malformed(f"the body must have the {length} bytes that were declared. More came.")
        except TimeoutError:
            raise RefusalError(408, "too_slow", "the body must arrive in time. It came too slowly.") from None
        except ClientDisconnect:
            raise RefusalError(400, "disconnected", "the client left before its body was complete.") from None
        if len(body) != length:
            raise malformed(f"the body must have the {length} bytes that were declared. Got {len(body)} instead.")
        return body
