"""Floods that took memory or places from everyone else: fresh keys with wrong queries, JSON bombs, sockets.

Memory is measured before and after, and at its highest between.
"""

from __future__ import annotations

import contextlib
import random
import resource
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from asking import Caller, binary_request, metric, under_load
from hostile import flipped, sealed
from raw import Raw
from test_documents import BOMBS

from fitted import digits
from hermetic.keys.public import PublicKey
from hermetic.rlwe.parameters import FAST
from hermetic.serve.access import new_token, token_line
from hermetic.serve.messages import Evaluate
from legacy.legacy_client import legacy_client
from live import Live, serving

ROUNDS = 260
GROWTH_MB = 16
BOMB_BYTES = 48 << 20
IDLE, HALF_OPEN = 3000, 1500

Wrong = Callable[[random.Random, bytes], bytes]

WRONG: dict[str, Wrong] = {
    "checksum": lambda source, query: flipped(source, query, len(query) - 32),
    "words": lambda source, query: sealed(query[:-1000] + b"\xff" * 968 + bytes(32)),
}

FLOODS = {
    "silent": (IDLE, b""),
    "empty lines": (IDLE, b"\r\n"),
    "after an answer": (IDLE, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "without a token": (IDLE, b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "one letter": (HALF_OPEN, b"G"),
    "half-open headers": (HALF_OPEN, b"POST /score HTTP/1.1\r\nHost: localhost\r\nX-"),
    "a body that does not come": (HALF_OPEN, b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"),
}


def resident(process: psutil.Process) -> float:
    """MB now."""
    return float(process.memory_info().rss) / 1e6


@contextlib.contextmanager
def most_resident(process: psutil.Process) -> Iterator[list[float]]:
    """The growth in MB to the most that the process has at any time in the block, as the kernel notes it."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    before, grown = resident(process), [0.0]
    yield grown
    status = Path(f"/proc/{process.pid}/status").read_text()
    most = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    grown[0] = int(most.split()[1]) * 1024 / 1e6 - before


class TestKeys:
    """A fresh key, a query that fails, and the key deleted: again and again."""

    @pytest.mark.parametrize("wrong", WRONG)
    @pytest.mark.parametrize("deleted", [True, False])
    def test_evaluation_processes_do_not_keep_them(self, tmp_path: Path, wrong: str, *, deleted: bool) -> None:
        key_memory = "8"
        options = ("--worker-key-memory", key_memory, "--key-cache", "4", "--max-keys", "10000")
        with serving(tmp_path, {"digits": digits().model}, *options) as live:
            front = psutil.Process(live.process.pid)
            (worker,) = front.children()
            source = random.Random(1)

            def flood(rounds: int) -> None:
                for _ in range(rounds):
                    caller = Caller(live.url, digits())
                    assert caller.put_key().status_code == 201
                    bad = WRONG[wrong](source, caller.query().to_bytes())
                    assert caller.infer(bad).status_code == 422
                    if deleted:
                        assert caller.http.delete(f"/keys/{caller.key_id}").status_code == 204
                    caller.http.close()

            flood(60)
            before = resident(worker)
            flood(ROUNDS)
            leaked = ROUNDS * Evaluate.key_growth * PublicKey.size(FAST) / 1e6
            print(f"evaluation process: {before:.0f} MB, then {resident(worker):.0f} MB")
            assert leaked / 2 > GROWTH_MB, "the flood is too small to show anything"
            assert resident(worker) - before < GROWTH_MB
            assert Caller(live.url, digits()).put_key().status_code == 201

    def test_nor_the_large_ones_of_legacy_clients(self, tmp_path: Path) -> None:
        """About 19 MB each; what is behind the keys in their bytes is not read, so that others are easily made."""
        options = ("--legacy-clients", "--worker-key-memory", "24", "--key-cache", "16", "--max-keys", "1000")
        with legacy_client() as old, serving(tmp_path, {"digits": digits().model}, *options) as live:
            (worker,) = psutil.Process(live.process.pid).children()
            right = old.encrypt(digits().X[0])
            wrong = [right[0][:100] + "AAAA" + right[0][104:]]

            def flood(numbers: range) -> None:
                for number in numbers:
                    name = "".join(chr(ord("a") + int(digit)) for digit in f"{number:032d}")
                    assert httpx.put(f"{live.url}/keys/{name}", content=old.keys + b"%d" % number).status_code == 201
                    answer = httpx.post(f"{live.url}/score", json={"data": wrong, "key_id": name}, timeout=60)
                    assert answer.status_code == 422, answer.text

            flood(range(4))
            before = resident(worker)
            flood(range(4, 14))
            print(f"evaluation process: {before:.0f} MB, then {resident(worker):.0f} MB")
            assert resident(worker) - before < 60  # one more pair than it may have, and its parsing; ten are 190 MB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service that must take large bodies: queries of many samples."""
    options = ("--max-samples", "200000", "--max-json-body", "16")
    with serving(tmp_path_factory.mktemp("large"), {"digits": digits().model}, *options) as live:
        yield live


class TestBombs:
    """Bodies that take many times their size when they are parsed."""

    @pytest.mark.parametrize("path", ["/score", "/v2/models/digits/infer", "/v2/models/digits/versions/1/infer"])
    def test_take_no_more_than_their_bytes(self, large: Live, path: str) -> None:
        front = psutil.Process(large.process.pid)
        honest = Caller(large.url, digits())
        assert honest.put_key().status_code == 201
        assert all(honest.works() for _ in range(3))
        with most_resident(front) as grown, ThreadPoolExecutor(4) as threads, under_load(honest.works):
            answers = list(threads.map(lambda body: post(large, path, bytes(body)), BOMBS.values()))
        print(f"front process: {grown[0]:.0f} MB more at its highest")
        assert {one.status_code for one in answers} == {422}
        assert grown[0] < 4 * 2 * max(map(len, BOMBS.values())) / 1e6 + GROWTH_MB  # as they come in, and as they are
        assert metric(large.url, "hermetic_body_bytes") == 0
        assert honest.works()

    def test_one_as_large_as_a_large_batch_takes_no_more_either(self, large: Live) -> None:
        limit = min(largest_score(large), BOMB_BYTES)
        body = b'{"data":[' + b"[]," * (limit // 3 - 10) + b"[]]}"
        front = psutil.Process(large.process.pid)
        with most_resident(front) as grown:
            assert post(large, "/score", body).status_code == 422
        print(f"front process: {grown[0]:.0f} MB more for {len(body) / 1e6:.0f} MB")
        assert grown[0] < 1.5 * len(body) / 1e6 + GROWTH_MB

    @pytest.mark.parametrize("path", ["/score", "/v2/models/digits/infer", f"/keys/{'0' * 64}"])
    def test_are_charged_to_whoever_sends_them(self, tmp_path: Path, path: str) -> None:
        bad, good = new_token(), new_token()
        (tmp_path / "tokens").write_text("\n".join([token_line("bad", bad), token_line("good", good)]))
        options = ("--tokens", str(tmp_path / "tokens"), "--quota", "3/day")
        with serving(tmp_path, {"digits": digits().model}, *options) as live:
            method, body = ("PUT", bytes(PublicKey.size(FAST))) if path.startswith("/keys") else ("POST", b"[[],[]]")
            headers = {"Authorization": f"Bearer {bad}"}
            sent = [httpx.request(method, live.url + path, content=body, headers=headers) for _ in range(3)]
            assert [one.status_code for one in sent] == [422] * 3
            spent = httpx.post(f"{live.url}/score", content=b"{}", headers=headers)
            assert (spent.status_code, spent.json()["code"]) == (429, "over_limit")
            honest = Caller(live.url, digits(), token=good)
            honest.put_key()
            assert honest.works()


def post(live: Live, path: str, body: bytes) -> httpx.Response:
    return httpx.post(live.url + path, content=body, timeout=120)


def largest_score(live: Live) -> int:
    """The longest body that the models of ``/score`` can need, as it says itself."""
    with Raw(live.port) as raw:
        raw.send_head("POST", "/score", {"Content-Length": str(1 << 40)})
        words = raw.read_answer().json()["error"].split()
    return int(words[words.index("most") + 1])


class TestSockets:
    """Connections that never ask for anything, without a token."""

    @pytest.fixture(autouse=True)
    def files(self) -> Iterator[None]:
        """This process holds as many sockets as it opens."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.fixture
    def guarded(self, tmp_path: Path) -> Iterator[tuple[Live, Caller]]:
        (tmp_path / "tokens").write_text(token_line("acme", token := new_token()))
        with serving(tmp_path, {"digits": digits().model}, "--tokens", str(tmp_path / "tokens")) as live:
            caller = Caller(live.url, digits(), token=token)
            assert caller.put_key().status_code == 201
            assert caller.works()
            yield live, caller

    @pytest.mark.parametrize("kind", FLOODS)
    def test_honest_callers_of_the_same_address_are_answered(self, guarded: tuple[Live, Caller], kind: str) -> None:
        live, kept = guarded
        count, data = FLOODS[kind]
        front = psutil.Process(live.process.pid)
        before = resident(front)
        with contextlib.ExitStack() as stack:
            for number in range(count):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", live.port)))
                with contextlib.suppress(OSError):
                    one.sendall(data)
                if number % (count // 10) == count // 20:
                    assert works_anew(live, kept)
            assert kept.works()  # on the connection from before the flood, or on a new one
            assert works_anew(live, kept)
            assert front.num_fds() < 700
            print(f"front process: {before:.0f} MB, then {resident(front):.0f} MB")
            assert resident(front) - before < 4 * GROWTH_MB
        assert not [entry for entry in live.log if entry.get("event") == "fault"]

    def test_one_address_leaves_room_for_others(self, tmp_path: Path) -> None:
        """Requests whose bodies do not come, from one address; a caller of another keeps its idle connection."""
        options = ("--max-connections", "10", "--max-connections-per-address", "5", "--host", "0.0.0.0")
        insecure = ("--insecure-no-tokens", "--insecure-no-tls")
        with serving(tmp_path, {"digits": digits().model}, *options, *insecure) as live:
            body, headers = binary_request(b"")
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            data = f"POST /score HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(body) + 9}\r\n\r\n".encode()
            with Raw(live.port, source="127.0.0.2") as idle:
                idle.send(HEALTH)
                assert idle.read_answer().status == 200
                with contextlib.ExitStack() as stack:
                    for _ in range(20):
                        one = stack.enter_context(socket.create_connection(("127.0.0.1", live.port)))
                        one.sendall(data)
                    idle.send(HEALTH)
                    assert idle.read_answer().status == 200

    def test_a_proxy_may_have_all_of_them(self, tmp_path: Path) -> None:
        options = ("--max-connections-per-address", "2", "--proxies", "127.0.0.0/8")
        with serving(tmp_path, {"digits": digits().model}, *options) as live, contextlib.ExitStack() as stack:
            several = [stack.enter_context(Raw(live.port)) for _ in range(10)]
            for one in several:
                one.send(HEALTH)
                assert one.read_answer().status == 200
            for one in several:  # each is still there
                one.send(HEALTH)
                assert one.read_answer().status == 200


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def works_anew(live: Live, like: Caller) -> bool:
    """Whether a query is answered on a connection of its own."""
    body, headers = binary_request(like.query().to_bytes())
    headers["Authorization"] = like.http.headers["Authorization"]
    answer = httpx.post(f"{live.url}/v2/models/{like.model}/infer", content=body, headers=headers, timeout=60)
    return like.is_right(answer)
