"""What an evaluation process holds, and that it stays within its bounds."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from asking import Caller, metric

from fitted import digits, petals
from hermetic import Client, PublicKey
from hermetic.errors import MismatchError
from hermetic.rlwe.parameters import FAST
from hermetic.serve.pool import KEY_GROWTH
from hermetic.serve.worker import KeyRing, zero_bytes
from live import serving

ZERO = zero_bytes(FAST)


@pytest.fixture(scope="module")
def keys() -> list[PublicKey]:
    return [Client(petals().signature).public_key for _ in range(6)]


def ring(keys: list[PublicKey], *, ahead: int, memory: int) -> KeyRing:
    made = KeyRing(ahead, memory)
    for key in keys:
        made.add(key.to_bytes())
    return made


def fill(one: KeyRing) -> int:
    """Make encryptions of zero until nothing is left to do; gives their number."""
    made = 0
    while one.make_one_ahead():
        made += 1
        assert made < 1000
    return made


class TestZerosAhead:
    """Encryptions of zero made in idle time."""

    def test_every_key_gets_so_many(self, keys: list[PublicKey]) -> None:
        one = ring(keys[:3], ahead=4, memory=1 << 30)
        assert fill(one) == 12
        assert [len(one.use(key.id)) for key in keys[:3]] == [4, 4, 4]
        assert fill(one) == 0

    def test_what_was_used_is_made_again(self, keys: list[PublicKey]) -> None:
        one = ring(keys[:1], ahead=4, memory=1 << 30)
        fill(one)
        pool = one.use(keys[0].id)
        pool.take()
        pool.take()
        assert fill(one) == 2

    def test_their_memory_is_bounded_and_goes_to_the_keys_used_last(self, keys: list[PublicKey]) -> None:
        one = ring(keys, ahead=4, memory=10 * ZERO)
        fill(one)
        for key in keys[:3]:
            one.use(key.id)
        fill(one)
        held = [len(pool) for pool, _ in one._keys.values()]
        assert sum(held) <= 10
        assert [len(one.use(key.id)) for key in keys[2::-1]] == [4, 4, 2]

    def test_none_are_made_without_memory_or_wish(self, keys: list[PublicKey]) -> None:
        assert fill(ring(keys[:2], ahead=4, memory=ZERO - 1)) == 0
        assert fill(ring(keys[:2], ahead=0, memory=1 << 30)) == 0

    def test_a_dropped_key_takes_its_zeros_along(self, keys: list[PublicKey]) -> None:
        one = ring(keys[:2], ahead=4, memory=4 * ZERO)
        fill(one)
        one.drop(keys[1].id)
        one.drop(keys[1].id)
        assert fill(one) == 4
        with pytest.raises(MismatchError):
            one.use(keys[1].id)


def test_more_keys_than_fit_are_all_answered(tmp_path: Path) -> None:
    """Keys are dropped and sent again as they are needed; nobody notices."""
    assert 5 * KEY_GROWTH["evaluate"] * PublicKey.size(FAST) > 1 << 20
    options = ("--worker-key-memory", "1", "--zero-memory", "2", "--workers", "2", "--key-cache", "1")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        callers = [Caller(live.url, petals()) for _ in range(25)]
        for one in callers:
            one.put_key()
        order = [random.choice(callers) for _ in range(150)]
        with ThreadPoolExecutor(6) as threads:
            assert all(threads.map(Caller.works, order))


def test_memory_stays_flat(tmp_path: Path) -> None:
    with serving(tmp_path, {"digits": digits().model}, "--workers", "1", "--worker-key-memory", "4") as live:
        front = psutil.Process(live.process.pid)
        (worker,) = front.children()

        def load(count: int) -> None:
            for _ in range(count):
                caller = Caller(live.url, digits())
                caller.put_key()
                assert caller.works(20)
                assert caller.infer(caller.query()).status_code == 200
                assert caller.http.delete(f"/keys/{caller.key_id}").status_code == 204
                caller.http.close()

        load(40)
        before = front.memory_info().rss, worker.memory_info().rss
        load(80)
        after = front.memory_info().rss, worker.memory_info().rss
        print("RSS", before, after)
        assert after[0] - before[0] < 8 << 20
        assert after[1] - before[1] < 8 << 20
        assert after[1] < 250 << 20
        assert metric(live.url, "hermetic_body_bytes") == 0


def test_evaluation_processes_get_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-pass-on")
    with serving(tmp_path, {"petals": petals().model}) as live:
        front = psutil.Process(live.process.pid)
        assert front.environ()["AWS_SECRET_ACCESS_KEY"] == "do-not-pass-on"
        assert all("do-not-pass-on" not in worker.environ().values() for worker in front.children())
