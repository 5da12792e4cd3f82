"""SIGTERM: what was accepted is finished, nothing new is taken, and nothing is left behind."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from asking import Caller, binary_request, metric, until
from raw import Raw

from fitted import digits, petals
from live import Live, serving


def end(live: Live, number: signal.Signals = signal.SIGTERM) -> int:
    live.process.send_signal(number)
    return live.process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, {"petals": petals().model}, "--workers", "2") as live:
        workers = psutil.Process(live.process.pid).children()
        assert end(live, number) == 0
        assert not [one for one in workers if one.is_running()]
        assert not [one for one in live.log if one.get("level") == "error"]


def test_everything_accepted_is_answered(tmp_path: Path) -> None:
    """Requests in an evaluation process, and those that wait for one."""
    with serving(tmp_path, {"digits": digits().model}, "--queue-timeout", "60") as live:
        callers = [Caller(live.url, digits()) for _ in range(10)]
        for one in callers:
            one.put_key()
        queries = [one.query(1000).to_bytes() for one in callers]
        with ThreadPoolExecutor(10) as threads:
            pending = [threads.submit(one.infer, query) for one, query in zip(callers, queries, strict=True)]

            def accepted() -> float:
                inside = metric(live.url, "hermetic_queue") + metric(live.url, "hermetic_running")
                return inside + sum(one.done() for one in pending)

            until(lambda: accepted() >= 10, pause=0.005)
            assert metric(live.url, "hermetic_queue") > 0
            live.process.send_signal(signal.SIGTERM)
            answers = [one.result() for one in pending]
        assert live.process.wait(timeout=60) == 0
        assert all(one.is_right(answer, 1000) for one, answer in zip(callers, answers, strict=True))


def test_a_body_that_is_still_coming_is_taken(tmp_path: Path) -> None:
    with serving(tmp_path, {"petals": petals().model}) as live:
        caller = Caller(live.url, petals())
        caller.put_key()
        body, headers = binary_request(caller.query().to_bytes())
        with Raw(live.port) as raw:
            raw.send_head("POST", "/v2/models/petals/infer", {**headers, "Content-Length": str(len(body))})
            raw.send(body[:1000])
            until(lambda: metric(live.url, "hermetic_body_bytes"))
            live.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            raw.send(body[1000:])
            assert raw.read_answer().status == 200
        assert live.process.wait(timeout=60) == 0


def test_new_connections_are_not_taken(tmp_path: Path) -> None:
    with serving(tmp_path, {"digits": digits().model}) as live:
        caller = Caller(live.url, digits())
        caller.put_key()
        query = caller.query(1000).to_bytes()
        with ThreadPoolExecutor(4) as threads:
            pending = [threads.submit(caller.infer, query) for _ in range(4)]
            until(lambda: metric(live.url, "hermetic_running"), pause=0.005)
            live.process.send_signal(signal.SIGTERM)
            refused = threading.Event()
            while live.process.poll() is None and not refused.is_set():
                try:
                    httpx.get(f"{live.url}/healthz", timeout=1)
                except httpx.TransportError:
                    refused.set()
                time.sleep(0.01)
            assert refused.is_set()
            assert {one.result().status_code for one in pending} == {200}


def test_a_request_that_never_ends_does_not_keep_it_alive(tmp_path: Path) -> None:
    options = ("--shutdown-timeout", "1", "--evaluation-timeout", "600")
    with serving(tmp_path, {"petals": petals().model}, *options) as live:
        caller = Caller(live.url, petals())
        caller.put_key()
        (worker,) = psutil.Process(live.process.pid).children()
        worker.suspend()
        with ThreadPoolExecutor(1) as threads:
            pending = threads.submit(caller.infer, caller.query())
            until(lambda: metric(live.url, "hermetic_running"))
            started = time.monotonic()
            assert end(live) == 0
            assert time.monotonic() - started < 20
            assert (pending.result().status_code, pending.result().json()["code"]) == (503, "busy")
        assert not worker.is_running()
