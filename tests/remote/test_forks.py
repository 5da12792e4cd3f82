"""A connection that was made before a fork, or on another event loop: sockets and locks are not shared."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import hermetic
from fitted import digits
from hermetic import AsyncRemoteModel, RemoteError, RemoteModel
from hermetic.remote.flow import Compute
from in_process import URL, InProcess
from live import Live, serving

X = digits().X[:40]
LABELS = digits().estimator.predict(X).tolist()
LONGEST = 60


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("live"), {"digits": digits().model}) as service:
        yield service


def in_child(work: Callable[[], Any]) -> Any:
    """What work gives, or raises, in a process that is forked from this one."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        try:
            sender.send(work())
        except Exception as error:
            sender.send(f"{type(error).__name__}: {error}")

    child = context.Process(target=run)
    child.start()
    try:
        assert receiver.poll(LONGEST), "the child hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


def ask(remote: RemoteModel, rows: int, times: int = 1) -> list[Any]:
    return [remote.predict(X[:rows]).tolist() for _ in range(times)][-1]


def test_parent_and_child_ask_at_the_same_time(live: Live) -> None:
    with hermetic.connect(live.url, model="digits", retries=0) as remote:
        assert ask(remote, 3) == LABELS[:3]
        stop = threading.Event()
        wrong: list[object] = []

        def go_on() -> None:
            while not stop.is_set():
                try:
                    wrong.extend([] if ask(remote, 2) == LABELS[:2] else ["labels"])
                except RemoteError as error:
                    wrong.append(error)

        asking = threading.Thread(target=go_on)
        found = []
        for _ in range(3):
            found.append(in_child(lambda: ask(remote, 5, times=3)))
            if not asking.is_alive() and not stop.is_set():
                asking.start()
        stop.set()
        asking.join()
        assert found == [LABELS[:5]] * 3
        assert wrong == []
        assert ask(remote, 4) == LABELS[:4]


def test_a_child_asks_first(live: Live) -> None:
    """The key was made before the fork, and not uploaded."""
    with hermetic.connect(live.url, model="digits") as remote:
        assert [in_child(lambda: ask(remote, 3)) for _ in range(2)] == [LABELS[:3]] * 2
        assert ask(remote, 3) == LABELS[:3]


def test_a_grandchild_asks_too(live: Live) -> None:
    with hermetic.connect(live.url, model="digits") as remote:
        assert in_child(lambda: (ask(remote, 2), in_child(lambda: ask(remote, 3)))) == (LABELS[:2], LABELS[:3])


def test_a_fork_while_another_thread_holds_the_connection(live: Live) -> None:
    with hermetic.connect(live.url, model="digits") as remote:
        held, done = threading.Event(), threading.Event()

        def hold() -> Iterator[Compute]:
            yield Compute(lambda: (held.set(), done.wait(LONGEST)))

        remote._session.prepare = hold
        waiting = threading.Thread(target=remote._driver.prepare, args=(remote._session,))
        waiting.start()
        held.wait(LONGEST)
        del remote._session.prepare
        try:
            assert in_child(lambda: ask(remote, 3)) == LABELS[:3]
        finally:
            done.set()
            waiting.join()


def test_a_child_that_closes_leaves_the_parent_its_connection(live: Live) -> None:
    with hermetic.connect(live.url, model="digits") as remote:
        ask(remote, 1)
        assert in_child(lambda: (remote.close(), "closed")[1]) == "closed"
        assert ask(remote, 3) == LABELS[:3]


def test_what_was_closed_before_the_fork_is_closed_after_it(live: Live) -> None:
    remote = hermetic.connect(live.url, model="digits")
    remote.close()
    assert "RemoteError: the connection is closed" in in_child(lambda: ask(remote, 1))


@pytest.mark.parametrize("in_process", [True, False])
def test_a_transport_of_the_caller_stays_in_its_process(in_process: bool, live: Live, service: InProcess) -> None:
    url, transport = (URL, service.transport) if in_process else (live.url, httpx.HTTPTransport())
    remote = hermetic.connect(url, model="digits", transport=transport)
    assert ask(remote, 2) == LABELS[:2]
    assert "RemoteError: a transport must be used in the process" in in_child(lambda: ask(remote, 2))
    assert ask(remote, 2) == LABELS[:2]


# asyncio


def on_a_loop(remote: AsyncRemoteModel, rows: int) -> list[Any]:
    async def ask() -> list[Any]:
        answers = await asyncio.gather(*(remote.predict(X[:rows]) for _ in range(3)))
        return [one.tolist() for one in answers][-1]

    return asyncio.run(ask())


def test_an_asynchronous_connection_asks_in_a_child(live: Live) -> None:
    remote = hermetic.aconnect(live.url, model="digits", retries=0)
    assert on_a_loop(remote, 3) == LABELS[:3]
    assert in_child(lambda: on_a_loop(remote, 4)) == LABELS[:4]
    assert on_a_loop(remote, 5) == LABELS[:5]


def test_a_child_of_a_running_loop_asks_on_its_own(live: Live) -> None:
    async def fork_in_between() -> tuple[Any, Any]:
        async with hermetic.aconnect(live.url, model="digits", retries=0) as remote:
            await remote.predict(X[:2])
            asking = asyncio.create_task(remote.predict(X[:3]))
            await asyncio.sleep(0)
            child = await asyncio.to_thread(in_child, lambda: on_a_loop(remote, 4))
            return child, (await asking).tolist()

    assert asyncio.run(fork_in_between()) == (LABELS[:4], LABELS[:3])


def test_an_asynchronous_connection_asks_on_several_loops(live: Live) -> None:
    remote = hermetic.aconnect(live.url, model="digits", retries=0)
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: on_a_loop(remote, n)})) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: LABELS[:n] for n in (1, 2, 3)}
    asyncio.run(remote.close())
    with pytest.raises(RemoteError, match="the connection is closed"):
        on_a_loop(remote, 1)
