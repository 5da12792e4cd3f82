"""How requests leave this machine: directly or through a proxy, by the environment and the URL of each."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import httpx

from ..errors import SettingsError
from .environment import Route, route_to
from .trust import Trust, trust

T = TypeVar("T", httpx.HTTPTransport, httpx.AsyncHTTPTransport)

VIA = "hermetic.via"
"""The extension of a response that holds a sentence about the way it took; empty if that was the direct one."""


class _Ways(Generic[T]):
    """One transport for every way that was needed. Thread-safe."""

    def __init__(self, context: ssl.SSLContext | None, make: Callable[..., T]) -> None:
        self._make: Callable[..., T] = make
        self._trust = None if context is None else Trust(context)
        self._known: dict[tuple[str, str | None], T] = {}
        self._lock = threading.Lock()

    def to(self, request: httpx.Request) -> tuple[T, Route]:
        """The transport for a request.

        Raises
        ------
        SettingsError
            If the environment allows none, or the token would pass a proxy in the clear.
        """
        scheme, route = request.url.scheme, route_to(str(request.url))
        if route.proxy and scheme == "http" and "Authorization" in request.headers:
            raise SettingsError(
                f"the token must not travel in the clear. {route.note} Use https://, or name {request.url.host} in "
                "NO_PROXY."
            )
        with self._lock:
            way = scheme, route.proxy
            if way not in self._known:
                self._known[way] = self._made(scheme, route.proxy)
            return self._known[way], route

    def all(self) -> list[T]:
        """Every transport there is."""
        return list(self._known.values())

    @contextmanager
    def explaining(self, route: Route) -> Iterator[None]:
        """Add to a failure what the environment has to do with it."""
        try:
            yield
        except httpx.TransportError as error:
            error.add_note(route.note)
            error.add_note("" if self._trust is None else self._trust.note)
            raise

    def _made(self, scheme: str, proxy: str | None) -> T:
        tls = scheme == "https" or (proxy or "").startswith("https://")
        context = self._trusted().context if tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        through = None
        if proxy is not None:
            through = httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https://") else None)
        return self._make(verify=context, proxy=through, trust_env=False)

    def _trusted(self) -> Trust:
        self._trust = self._trust or trust(None)
        return self._trust


class Network(httpx.BaseTransport):
    """The network, for a blocking client. Without a context the authorities are looked up when TLS needs them.

    Raises
    ------
    SettingsError
        From every request, as :meth:`_Ways.to`, and if the authorities cannot be read.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._ways = _Ways(context, httpx.HTTPTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        transport, route = self._ways.to(request)
        with self._ways.explaining(route):
            response = transport.handle_request(request)
        response.extensions[VIA] = route.note
        return response

    def close(self) -> None:
        for transport in self._ways.all():
            transport.close()


class AsyncNetwork(httpx.AsyncBaseTransport):
    """:class:`Network` for asyncio."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._ways = _Ways(context, httpx.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport, route = self._ways.to(request)
        with self._ways.explaining(route):
            response = await transport.handle_async_request(request)
        response.extensions[VIA] = route.note
        return response

    async def aclose(self) -> None:
        for transport in self._ways.all():
            await transport.aclose()
