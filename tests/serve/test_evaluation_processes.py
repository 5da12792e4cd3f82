"""What an evaluation process holds, and that it stays within its bounds."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from asking import Caller, metric

from fitted import digits, petals, progression
from hermetic import Client, MaskingKey, PublicKey
from hermetic.rlwe.parameters import FAST
from hermetic.serve.messages import Evaluate
from live import serving


def test_a_held_key_takes_what_the_front_process_counts_for_it() -> None:
    for one in (petals(), progression()):
        key = Client(one.signature).public_key
        held = MaskingKey(key).lanes.nbytes
        assert 0.8 < held / (Evaluate.key_growth * len(key.to_bytes())) <= 1


def test_more_keys_than_fit_are_all_answered(tmp_path: Path) -> None:
    """Keys are dropped and sent again as they are needed; nobody notices."""
    assert 10 * Evaluate.key_growth * PublicKey.size(FAST) > 1 << 20
    options = ("--worker-key-memory", "1", "--workers", "2", "--key-cache", "1")
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
