"""What tenants used of their limits: kept over restarts, and shared by services with one store."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from asking import Caller, until
from hypothesis import given
from hypothesis import strategies as st

from fitted import petals
from hermetic.object_stores import Store, open_store
from hermetic.serve.access import Caller as Tenant
from hermetic.serve.allowance import Allowance
from hermetic.serve.ledger import Change, Ledger, Levels, ObjectLedger, open_ledger
from hermetic.serve.limits import NANOSECONDS, Meter, Rate
from hermetic.serve.refusals import RefusalError, too_large
from hermetic.serve.usage import Usage
from live import serving

DAY, MINUTE = Rate(1000, 86400), Rate(60, 60)


@dataclass
class Clock:
    """The same time for everyone, in whole seconds; it shows nanoseconds."""

    now: int = 10**9

    def __call__(self) -> int:
        return self.now * NANOSECONDS


@dataclass
class RealClock:
    """A machine's clock, which is so many nanoseconds ahead."""

    ahead: int = 0

    def __call__(self) -> int:
        return time.time_ns() + self.ahead


class Replica:
    """The limits of one service."""

    def __init__(self, ledger: Ledger | None, clock: Callable[[], int]) -> None:
        self.meter = Meter(clock)
        self.usage = Usage(self.meter, ledger, clock)

    def ask(self, cost: int, limits: tuple[Rate, ...] = (DAY,)) -> bool:
        """Whether a request passes."""
        if self.meter.charge("acme", limits, cost):
            return False
        self.usage.note("acme", limits, cost)
        return True

    def exchange(self) -> None:
        asyncio.run(self.usage.exchange())


@pytest.fixture(params=["directory", "az", "s3"])
def store(request: pytest.FixtureRequest, empty_store: Callable[[str], Store]) -> Store:
    return empty_store(request.param)


def ledger_of(store: Store) -> Ledger:
    found = open_ledger(store)
    assert found is not None
    return found


def test_a_service_that_starts_again_finds_what_was_used(store: Store) -> None:
    clock = Clock()
    before = Replica(ledger_of(store), clock)
    assert before.ask(900)
    before.exchange()
    after = Replica(ledger_of(store), clock)
    after.exchange()
    assert not after.ask(101)
    assert after.ask(100)


def test_services_with_one_store_allow_what_one_would(store: Store) -> None:
    clock = Clock()
    replicas = [Replica(ledger_of(store), clock) for _ in range(3)]
    for one in replicas:
        assert one.ask(300)
    for one in replicas * 2:
        one.exchange()
    assert [one.ask(101) for one in replicas] == [False] * 3
    clock.now += 86400 // 5  # 200 came back
    assert replicas[0].ask(300)
    for one in replicas:
        one.exchange()
    assert [one.ask(100) for one in replicas] == [False] * 3


@pytest.mark.parametrize("minutes", [-3, 3])
def test_services_whose_clocks_differ_allow_what_one_would(
    empty_store: Callable[[str], Store], minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the store's clock. By their own, what one used would seem to the other to have come back, or never to come."""
    store = empty_store("s3")
    right = RealClock()
    wrong = RealClock(minutes * 60 * NANOSECONDS)

    def both() -> tuple[Replica, Replica]:
        obstore.delete(store, "usage.json")
        return Replica(ObjectLedger(store, right), right), Replica(ObjectLedger(store, wrong), wrong)

    def seen_by_the_other() -> list[bool]:
        """After one used half of a day's limit: whether the other may use nearly the other half, and then two more."""
        one, other = both()
        assert one.ask(500)
        one.exchange()
        other.exchange()
        return [other.ask(cost) for cost in (499, 2)]

    assert seen_by_the_other() == [True, False]
    monkeypatch.setattr(ObjectLedger, "_ahead", lambda _: 0)
    assert seen_by_the_other() == ([True, True] if minutes > 0 else [False, True])


@pytest.mark.parametrize("begun", [False, True])
def test_a_cancelled_exchange_takes_no_charge_along(tmp_path: Path, begun: bool) -> None:
    """As at the end of a service: whether its thread already runs, or still waits for one."""
    ledger = ledger_of(open_store(str(tmp_path / "keys")))
    one, running, free = Replica(ledger, Clock()), threading.Event(), threading.Event()

    def held(*_: object) -> None:
        running.set()
        assert free.wait(60)

    class Held:
        def update(self, change: Change) -> Levels:
            held()
            return ledger.update(change)

    async def stop() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        if not begun:
            loop.run_in_executor(None, held)
        chore = asyncio.create_task(one.usage.exchange())
        while not running.is_set() or one.usage._charged:
            await asyncio.sleep(0)
        chore.cancel()
        await asyncio.gather(chore, return_exceptions=True)
        free.set()
        await one.usage.exchange()

    if begun:
        one.usage = Usage(one.meter, Held(), one.usage._clock)
    assert one.ask(300)
    asyncio.run(stop())
    levels = ledger.update(lambda levels: levels)
    assert list(levels) == [("acme", DAY)]
    other = Replica(ledger, Clock())
    other.exchange()
    assert other.ask(700)
    assert not other.ask(1)


def test_what_one_took_too_much_between_exchanges_has_to_come_back(store: Store) -> None:
    clock = Clock()
    replicas = [Replica(ledger_of(store), clock) for _ in range(2)]
    assert all(one.ask(1000) for one in replicas)  # twice the limit, before they hear of each other
    for one in replicas * 2:
        one.exchange()
    clock.now += 86400
    assert not any(one.ask(1) for one in replicas)
    clock.now += 86400
    assert replicas[0].ask(900)


def test_no_charge_is_lost_or_counted_twice_when_all_write_at_once(store: Store) -> None:
    clock = Clock()
    replicas = [Replica(ledger_of(store), clock) for _ in range(8)]
    for one in replicas:
        assert one.ask(50)

    def exchange_until_it_went_through(one: Replica) -> None:
        for _ in range(10):
            one.exchange()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(exchange_until_it_went_through, replicas))
    levels = ledger_of(store).update(lambda levels: levels)
    assert levels["acme", DAY] == DAY.at(clock()) + DAY.cost(400)


class Failing:
    """A ledger whose store is away for a while."""

    def __init__(self) -> None:
        self.levels: Levels = {}
        self.is_away = True

    def update(self, change: object) -> Levels:
        if self.is_away:
            raise OSError("away")
        self.levels = change(dict(self.levels))  # type: ignore[operator]
        return self.levels


def test_charges_wait_while_the_store_is_away() -> None:
    clock, ledger = Clock(), Failing()
    one = Replica(ledger, clock)
    for _ in range(3):
        assert one.ask(100)
        one.exchange()
    ledger.is_away = False
    one.exchange()
    one.exchange()
    assert ledger.levels["acme", DAY] == DAY.at(clock()) + DAY.cost(300)
    assert not one.ask(701)
    assert one.ask(700)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400), st.integers(0, 20000)), max_size=30))
def test_replicas_that_exchange_after_every_request_are_one_service(asked: list[tuple[int, int, int]]) -> None:
    clock, ledger = Clock(), Failing()
    ledger.is_away = False
    replicas, alone = [Replica(ledger, clock) for _ in range(3)], Replica(None, clock)
    for who, cost, pause in asked:
        clock.now += pause
        replicas[who].exchange()
        assert replicas[who].ask(cost) is alone.ask(cost)
        replicas[who].exchange()


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 90), st.booleans()), max_size=30))
def test_a_service_that_exchanges_now_and_then_refuses_no_more_than_one_that_never_does(
    asked: list[tuple[int, int, bool]],
) -> None:
    """Charges count from when they were made, not from when they were told."""
    clock, ledger = Clock(), Failing()
    ledger.is_away = False
    one, alone = Replica(ledger, clock), Replica(None, clock)
    for cost, pause, told in asked:
        assert one.ask(cost, (MINUTE,)) is alone.ask(cost, (MINUTE,))
        clock.now += pause
        if told:
            one.exchange()


def test_a_rate_and_a_quota_that_are_equal_are_told_once() -> None:
    clock, ledger = Clock(), Failing()
    ledger.is_away = False
    one = Replica(ledger, clock)
    assert one.ask(100, (DAY, DAY))
    one.exchange()
    assert ledger.levels["acme", DAY] == DAY.at(clock()) + DAY.cost(100)


def test_a_refused_body_is_told_to_others_like_every_request() -> None:
    ledger = Failing()
    ledger.is_away = False
    allowance = Allowance(None, DAY, ledger)
    with pytest.raises(RefusalError), allowance.counting_refusals(Tenant("acme")):
        raise too_large("a body")
    asyncio.run(allowance.usage.exchange())
    assert set(ledger.levels) == {("acme", DAY)}


def test_limits_that_are_unused_again_are_forgotten(store: Store) -> None:
    clock, ledger = Clock(), ledger_of(store)
    one = Replica(ledger, clock)
    assert one.ask(10, (DAY, MINUTE))
    one.exchange()
    assert set(ledger.update(lambda levels: levels)) == {("acme", DAY), ("acme", MINUTE)}
    clock.now += 3600
    assert one.ask(1, (MINUTE,))
    one.exchange()
    assert set(ledger.update(lambda levels: levels)) == {("acme", MINUTE)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"acme": 1}',
        b'{"acme": {"fast": 1}}',
        b"\xff",
        b'{"a": {"1/day": "x"}}',
        b'{"a": {"1/day": 1.5}}',
    ],
)
def test_a_damaged_ledger_starts_afresh_and_is_reported(
    store: Store, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    obstore.put(store, "usage.json", data)
    one = Replica(ledger_of(store), Clock())
    assert one.ask(1)
    one.exchange()
    assert "stored usage is damaged" in caplog.text
    assert set(ledger_of(store).update(lambda levels: levels)) == {("acme", DAY)}


def test_a_store_in_memory_keeps_nothing() -> None:
    assert open_ledger(open_store("memory://")) is None


def test_a_write_over_another_version_is_not_made(store: Store) -> None:
    if not isinstance(ledger := ledger_of(store), ObjectLedger):
        return
    rival = ObjectLedger(store)
    calls = []

    def change(levels: Levels) -> Levels:
        calls.append(dict(levels))
        if len(calls) == 1:  # another service writes between our read and our write
            rival.update(lambda _: {("other", DAY): 1})
        return {**levels, ("acme", DAY): 2}

    assert ledger.update(change) == {("other", DAY): 1, ("acme", DAY): 2}
    assert calls == [{}, {("other", DAY): 1}]


def test_a_quota_survives_the_end_and_the_death_of_a_service(tmp_path: Path) -> None:
    store = tmp_path / "keys"
    options = ("--store", str(store), "--quota", "200/day", "--usage-interval", "0.2")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        caller = Caller(live.url, petals())
        caller.put_key()
        assert caller.works(100)
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(timeout=60) == 0
        written = json.loads((store / "usage.json").read_text())
        assert list(written) == ["anonymous"]
        assert (store / "usage.json").stat().st_mode & 0o777 == 0o600
        live.restart()
        query = caller.query(100)
        assert caller.infer(query).status_code == 429
        live.kill()
        live.restart()
        assert caller.infer(query).status_code == 429


def test_a_quota_is_one_for_two_services(tmp_path: Path) -> None:
    store = tmp_path / "keys"
    options = ("--store", str(store), "--quota", "200/day", "--usage-interval", "0.2")
    with (
        serving(tmp_path / "a", {"petals": petals().model}, *options) as first,
        serving(tmp_path / "b", {"petals": petals().model}, *options) as second,
    ):
        one, other = Caller(first.url, petals()), Caller(second.url, petals())
        one.put_key()
        assert one.works(100)
        until((store / "usage.json").exists)  # the first still runs, and told what was used
        second.kill()
        second.restart()
        other.put_key()
        assert other.infer(other.query(100)).status_code == 429
