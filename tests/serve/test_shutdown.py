"""SIGTERM: what was accepted is finished, nothing new is taken, and nothing is left behind."""

from __future__ import annotations

import signal
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


def stopping(live: Live) -> bool:
    """Whether the service has said that it stops."""
    return any(one.get("event") == "stopping" for one in live.log)


def refuses(live: Live) -> bool:
    """Whether new connections are refused."""
    try:
        httpx.get(f"{live.url}/healthz")
    except httpx.TransportError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, {"petals": petals().model}, "--workers", "2") as live:
        workers = psutil.Process(live.process.pid).children()
        assert end(live, number) == 0
        assert not [one for one in workers if one.is_running()]
        assert not [one for one in live.log if one.get("level") == "error"]


def test_everything_accepted_is_answered(tmp_path: Path) -> None:
    """Requests in an evaluation process, and those that wait for one."""
    with serving(tmp_path, {"digits": digits().model}, "--queue-timeout", "600") as live:
        callers = [Caller(live.url, digits()) for _ in range(10)]
        for one in callers:
            one.put_key()
        queries = [one.query(1000).to_bytes() for one in callers]
        (worker,) = psutil.Process(live.process.pid).children()
        worker.suspend()
        with ThreadPoolExecutor(10) as threads:
            pending = [threads.submit(one.infer, query) for one, query in zip(callers, queries, strict=True)]
            until(lambda: metric(live.url, "hermetic_queue") + metric(live.url, "hermetic_running") == 10)
            live.process.send_signal(signal.SIGTERM)
            until(lambda: stopping(live))
            worker.resume()
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
            until(lambda: stopping(live))
            raw.send(body[1000:])
            assert raw.read_answer().status == 200
        assert live.process.wait(timeout=60) == 0


def test_new_connections_are_not_taken(tmp_path: Path) -> None:
    with serving(tmp_path, {"digits": digits().model}) as live:
        caller = Caller(live.url, digits())
        caller.put_key()
        query = caller.query(1000).to_bytes()
        with ThreadPoolExecutor(4) as threads:
            (worker,) = psutil.Process(live.process.pid).children()
            worker.suspend()
            pending = [threads.submit(caller.infer, query) for _ in range(4)]
            until(lambda: metric(live.url, "hermetic_queue") + metric(live.url, "hermetic_running") == 4)
            live.process.send_signal(signal.SIGTERM)
            until(lambda: refuses(live))
            assert live.process.poll() is None
            worker.resume()
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
            assert end(live) == 0
            assert (pending.result().status_code, pending.result().json()["code"]) == (503, "busy")
        assert not worker.is_running()
