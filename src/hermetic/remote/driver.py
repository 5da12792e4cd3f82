"""Carries flows out with blocking calls; several batches in flight are as many threads."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

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
    """What belongs to one process: after a fork, its sockets are the parent's, and its locks may never open."""

    http: httpx.Client
    lock: threading.Lock = field(default_factory=threading.Lock)


class Driver:
    """Runs flows over an HTTP client, one for each process that forks make. Thread-safe.

    Parameters
    ----------
    make
        Makes the HTTP client.
    """

    def __init__(self, make: Callable[[], httpx.Client]) -> None:
        self._make = make
        self._places = {os.getpid(): _Place(make())}
        self._closed = False

    def _here(self) -> _Place:
        process = os.getpid()
        if process not in self._places:
            self._places.setdefault(process, _Place(self._make()))
        return self._places[process]

    def prepare(self, session: Session) -> Client:
        """The session's client, connected and known to the service, once for all threads."""
        with self._here().lock:
            return self.run(session.prepare())

    def connect(self, session: Session) -> Client:
        """The session's client, connected once for all threads."""
        with self._here().lock:
            return self.run(session.connect())

    def close(self) -> None:
        self._closed = True
        self._here().http.close()

    def run(self, flow: Flow[T], stop: threading.Event | None = None) -> T:
        """Carry a flow out and return its value; once ``stop`` is set, give up before the next step."""
        value: object = None
        failure: Exception | None = None
        try:
            while True:
                step = flow.send(value) if failure is None else flow.throw(failure)
                value, failure = None, None
                # The flow is resumed outside of `except`, so that what it raises does not drag along an error of the
                # HTTP library, which holds the request and the token.
                try:
                    value = self._perform(step, stop)
                except Exception as error:
                    failure = error
        except StopIteration as done:
            result: T = done.value
            return result

    def answers(self, session: Session, client: Client, batches: Batches) -> Generator[Answer]:
        """The answers to every batch, in order; at most ``in_flight`` batches exist encrypted at a time."""
        if len(batches) == 1:
            yield from (self.run(session.answer(client, rows)) for rows in batches)
            return
        in_flight = min(session.settings.in_flight, len(batches))
        stop = threading.Event()
        pool = ThreadPoolExecutor(in_flight, thread_name_prefix="hermetic")
        pending: deque[Future[Answer]] = deque()
        try:
            for rows in batches:
                pending.append(pool.submit(self.run, session.answer(client, rows), stop))
                if len(pending) == in_flight:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _perform(self, step: Send | Sleep | Compute, stop: threading.Event | None) -> object:
        if stop is not None and stop.is_set():
            raise CancelledError
        if isinstance(step, Send):
            return self._send(step)
        if isinstance(step, Compute):
            return step.function()
        (stop or threading.Event()).wait(step.seconds)
        return None

    def _send(self, send: Send) -> Reply:
        if self._closed:
            raise RemoteError("the connection is closed. Connect again.")
        http = self._here().http
        request = http.build_request(
            send.method,
            send.url,
            headers=send.all_headers(),
            content=_chunks(send) if send.body else None,
            timeout=_time_left(send),
        )
        response = http.send(request, stream=True)
        try:
            reader = Reader(send, response.status_code, response.headers, response.extensions.get(VIA, ""))
            for chunk in response.iter_raw():
                reader.feed(chunk)
                _time_left(send)
            return reader.reply()
        finally:
            response.close()


def _chunks(send: Send) -> Iterator[bytes]:
    for start in range(0, len(send.body), CHUNK_BYTES):
        _time_left(send)
        yield send.body[start : start + CHUNK_BYTES]


def _time_left(send: Send) -> float:
    """Seconds until the deadline; TimeoutError after it. Every wait of the HTTP client is limited by it, too."""
    left = send.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
