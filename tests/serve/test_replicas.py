"""Two services behind nginx, with one S3 store, as docs/how-to/scale.md says: they are one service."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asking import Caller, under_load, until
from stores import StoreAt, s3, wait_for

from fitted import petals
from live import Live, Network, refuse_at_once, serving
from ports import free_port

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "scale.md"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def configuration(port: int, replicas: list[Live]) -> str:
    """The page's own, with other ports."""
    (found,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for old, new in (("8000", port), ("8001", replicas[0].port), ("8002", replicas[1].port)):
        assert f"127.0.0.1:{old}" in found
        found = found.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    return found


@contextlib.contextmanager
def nginx(folder: Path, replicas: list[Live]) -> Iterator[str]:
    """Its URL."""
    if NGINX is None:
        raise RuntimeError("nginx must be installed: make test does it.")
    port = free_port()
    (folder / "nginx.conf").write_text(configuration(port, replicas), encoding="utf-8")
    here = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    command = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", here]
    process = subprocess.Popen(command)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


@pytest.fixture(scope="module")
def store() -> Iterator[StoreAt]:
    with s3() as found:
        yield found


@pytest.fixture(scope="module")
def between(store: StoreAt) -> Iterator[Network]:
    """What the replicas' way to the store is."""
    port = int(store.environment["AWS_ENDPOINT"].rpartition(":")[2])
    with Network(port) as network:
        yield network


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, store: StoreAt, between: Network) -> Iterator[list[Live]]:
    variables = {**store.environment, "AWS_ENDPOINT": between.url}
    options = ("--store", f"{store.url}/replicas", "--workers", "1", "--key-cache", "1")
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
        yield [stack.enter_context(serving(folder, {"petals": petals().model}, *options)) for folder in folders]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, replicas: list[Live]) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx"), replicas) as found:
        yield found


def test_a_key_that_was_put_on_one_is_found_by_the_other_at_once(replicas: list[Live]) -> None:
    caller = Caller(replicas[0].url, petals())
    assert caller.put_key().status_code == 201
    assert caller.works()
    caller.http = httpx.Client(base_url=replicas[1].url, timeout=60)
    assert caller.works()
    assert caller.http.delete(f"/keys/{caller.key_id}").status_code == 204
    caller.http = httpx.Client(base_url=replicas[0].url, timeout=60)
    until(lambda: caller.http.head(f"/keys/{caller.key_id}").status_code == 404)


def test_both_are_asked(url: str, replicas: list[Live]) -> None:
    caller = Caller(url, petals())
    caller.put_key()
    assert all(caller.works() for _ in range(10))
    assert all(any("infer" in str(entry) for entry in one.log) for one in replicas)


def test_a_rolling_restart_under_load_fails_no_request(url: str, replicas: list[Live]) -> None:
    """Each is replaced in turn, as the page says, while two clients ask without a pause."""
    callers = [Caller(url, petals()) for _ in range(2)]
    for caller in callers:
        assert caller.put_key().status_code == 201
    answers: list[str] = []

    def ask(caller: Caller) -> None:
        answer = caller.infer(caller.query())
        right = answer.status_code == 200 and caller.is_right(answer)
        answers.append("right" if right else f"{answer.status_code} {answer.text}")

    with under_load(*[lambda caller=caller: ask(caller) for caller in callers]):
        for replica in replicas:
            before = len(answers)
            until(lambda before=before: len(answers) > before + 20)
            replica.process.send_signal(signal.SIGTERM)
            assert replica.process.wait(timeout=120) == 0
            until(lambda before=before: len(answers) > before + 40)
            replica.restart()
            assert httpx.get(f"{replica.url}/v2/health/ready").status_code == 200
    assert set(answers) == {"right"}
    assert len(answers) >= 80


def test_a_store_that_goes_away_is_waited_for_and_heals(url: str, between: Network) -> None:
    """What needs the store says when to come back; keys that are held go on working."""
    held, late = Caller(url, petals()), Caller(url, petals())
    assert held.put_key().status_code == 201
    assert all(held.works() for _ in range(4))  # both replicas hold the key
    between.plan = [refuse_at_once] * 10_000
    cut_connections(between)
    answer = late.put_key()
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert held.works()
    between.plan = []
    until(lambda: late.put_key().status_code in (200, 201))
    assert late.works()


def cut_connections(network: Network) -> None:
    """End those that are open, too."""
    for one in network.open:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
