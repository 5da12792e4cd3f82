"""Kill -9, at the worst moments: nothing acknowledged is lost, nothing half-written is served, the rest goes on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from asking import Caller, metric, under_load, until
from stores import StoreAt, azurite, s3

from fitted import digits, petals
from hermetic import Client
from live import Live, serving

CRASHES = 4
UPLOADERS = 4


@pytest.fixture(scope="module")
def fresh_keys() -> list[bytes]:
    """Public keys that nobody has uploaded yet."""
    return [Client(petals().signature).public_key.to_bytes() for _ in range(200)]


@pytest.fixture(params=["directory", "az", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a store that outlives the service."""
    if request.param == "directory":
        yield str(tmp_path / "keys")
        return
    with azurite() if request.param == "az" else s3() as at:
        _set(at, monkeypatch)
        yield at.url


def _set(at: StoreAt, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in at.environment.items():
        monkeypatch.setenv(name, value)


def test_killed_while_keys_are_uploaded(tmp_path: Path, store: str, fresh_keys: list[bytes]) -> None:
    """Every acknowledged key is there after the crash, byte by byte; every other one is whole or not there at all."""
    waiting, acknowledged = list(fresh_keys), []
    tried: list[bytes] = []

    def upload(live: Live) -> None:
        with httpx.Client(base_url=live.url, timeout=120) as http, contextlib.suppress(httpx.HTTPError):
            while waiting:
                data = waiting.pop()
                tried.append(data)
                answer = http.put(f"/keys/{hashlib.sha256(data).hexdigest()}", content=data)
                if answer.status_code == 201:
                    acknowledged.append(data)

    with serving(tmp_path, {"petals": petals().model}, "--store", store) as live:
        for crash in range(CRASHES):
            before = len(acknowledged)
            with ThreadPoolExecutor(UPLOADERS) as threads:
                for _ in range(UPLOADERS):
                    threads.submit(upload, live)
                try:
                    until(lambda count=before + 5 + crash: len(acknowledged) >= count, pause=0.001)
                finally:
                    live.kill()
            live.restart()
            assert len(acknowledged) > before
        with httpx.Client(base_url=live.url, timeout=120) as http:
            for data in acknowledged:
                assert http.get(f"/keys/{hashlib.sha256(data).hexdigest()}").content == data
            for data in tried:
                answer = http.get(f"/keys/{hashlib.sha256(data).hexdigest()}")
                assert answer.status_code == 404 or answer.content == data
                assert http.put(f"/keys/{hashlib.sha256(data).hexdigest()}", content=data).status_code in (200, 201)
    assert len(tried) > len(acknowledged), "no upload was under way when the service was killed"


def test_a_key_survives_and_answers_after_the_crash(tmp_path: Path, store: str) -> None:
    with serving(tmp_path, {"petals": petals().model}, "--store", store) as live:
        caller = Caller(live.url, petals())
        assert caller.put_key().status_code == 201
        live.kill()
        live.restart()
        assert caller.works(3)


def test_killed_under_load(tmp_path: Path) -> None:
    """Callers see broken connections while the service is away, then right answers again; never a wrong one."""
    options = ("--store", str(tmp_path / "keys"), "--workers", "2")
    with serving(tmp_path, {"digits": digits().model}, *options) as live:
        callers = [Caller(live.url, digits()) for _ in range(4)]
        for one in callers:
            one.put_key()
        right, wrong = [0] * len(callers), []

        def ask(i: int) -> None:
            with contextlib.suppress(httpx.TransportError):
                answer = callers[i].infer(queries[i])
                if answer.status_code == 200 and callers[i].is_right(answer, 3):
                    right[i] += 1
                elif answer.status_code != 503:
                    wrong.append(answer)

        def all_answered_again() -> None:
            before = list(right)
            until(lambda: all(now > then for now, then in zip(right, before, strict=True)))

        queries = [one.query(3) for one in callers]
        with under_load(*(functools.partial(ask, i) for i in range(len(callers)))):
            for _ in range(3):
                all_answered_again()
                live.kill()
                live.restart()
            all_answered_again()
        assert not wrong, wrong[0].text


def test_evaluation_processes_killed_under_load(tmp_path: Path) -> None:
    """The requests they had are answered 503, at once; others are not touched; the processes come back."""
    with serving(tmp_path, {"digits": digits().model}, "--workers", "2") as live:
        caller = Caller(live.url, digits())
        caller.put_key()
        query = caller.query(500)
        answers: list[httpx.Response] = []
        with under_load(*6 * [lambda: answers.append(caller.infer(query))]):
            for crash in range(1, 5):
                until(lambda: metric(live.url, "hermetic_running") > 0)
                workers = psutil.Process(live.process.pid).children()
                for worker in workers[: 1 + crash % 2]:
                    worker.kill()
                until(lambda crash=crash: metric(live.url, "hermetic_worker_restarts") >= crash)
                until(lambda: metric(live.url, "hermetic_workers") == 2)
        statuses = {one.status_code for one in answers}
        assert statuses <= {200, 503}, [one for one in live.log if one.get("event") == "fault"]
        assert 200 in statuses
        assert all(caller.is_right(one, 500) for one in answers if one.status_code == 200)
        assert all("retry-after" in one.headers for one in answers if one.status_code == 503)
        assert caller.works()


def test_a_hanging_evaluation_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, {"petals": petals().model}, "--workers", "1", "--evaluation-timeout", "2") as live:
        caller = Caller(live.url, petals())
        caller.put_key()
        assert caller.works()
        (worker,) = psutil.Process(live.process.pid).children()
        worker.suspend()
        answer = caller.infer(caller.query())
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        until(lambda: metric(live.url, "hermetic_worker_restarts") == 1)
        until(lambda: caller.infer(caller.query()).status_code == 200)
        assert caller.works()


def test_evaluation_processes_end_with_the_service(tmp_path: Path) -> None:
    with serving(tmp_path, {"petals": petals().model}, "--workers", "2") as live:
        workers = psutil.Process(live.process.pid).children()
        assert len(workers) == 2
        live.kill()
        _, alive = psutil.wait_procs(workers, timeout=120)
        assert not alive


def test_a_key_file_that_was_cut_off_by_a_power_failure_is_never_served(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with serving(tmp_path, {"petals": petals().model}, "--store", str(folder)) as live:
        caller = Caller(live.url, petals())
        caller.put_key()
        live.kill()
        file = folder / "keys" / "anonymous" / caller.key_id
        file.write_bytes(file.read_bytes()[:20_000])
        live.restart()
        assert caller.http.get(f"/keys/{caller.key_id}").status_code == 404
        assert caller.infer(caller.query()).status_code == 424
        assert caller.put_key().status_code == 201
        assert caller.works()
