"""Connections that no honest client makes: too slow, too large, cut off, too many. Honest ones go on."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
import trustme
from asking import Caller, binary_request, metric, until
from raw import Raw

import hermetic
from fitted import digits, petals
from live import Live, serving

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 120
"""Seconds that a test waits for what must happen by itself. The service's own time-outs are far shorter."""


def hangs_up(raw: Raw, piece: bytes, pause: float = 0.1, most: int = 1000) -> bool:
    """Whether the service ends a connection on which one piece comes after the other, and would for so long."""
    for _ in range(most):
        try:
            raw.send(piece)
        except TimeoutError:  # what was sent before is not read
            continue
        except OSError:
            return True
        time.sleep(pause)
    return False


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service that loses its patience soon."""
    options = {
        "--header-timeout": "1",
        "--idle-timeout": "2",
        "--body-timeout": "1",
        "--min-upload-rate": "10000",
        "--write-timeout": "2",
        "--max-header-bytes": "4096",
        "--max-connections": "20",
    }
    flat = [part for pair in options.items() for part in pair]
    with serving(tmp_path_factory.mktemp("strict"), {"digits": digits().model}, *flat) as live:
        yield live


@pytest.fixture(scope="module")
def caller(strict: Live) -> Caller:
    one = Caller(strict.url, digits())
    assert one.put_key().status_code == 201
    return one


class TestSlow:
    """Slow-loris, in every part of a request."""

    def test_a_connection_that_says_nothing_is_closed(self, strict: Live) -> None:
        with Raw(strict.port, timeout=PATIENCE) as raw:
            assert raw.is_closed()

    def test_headers_that_never_end_are_refused(self, strict: Live) -> None:
        with Raw(strict.port, timeout=PATIENCE) as raw:
            raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            assert hangs_up(raw, b"X: 1\r\n", pause=0.2)
            answer = raw.read_answer()
            assert (answer.status, answer.json()["code"]) == (408, "too_slow")

    def test_empty_lines_do_not_keep_a_connection_open(self, strict: Live) -> None:
        with Raw(strict.port, timeout=PATIENCE) as raw:
            assert hangs_up(raw, b"\r\n")

    def test_a_body_that_trickles_is_refused(self, strict: Live, caller: Caller) -> None:
        body, headers = binary_request(caller.query().to_bytes())
        with Raw(strict.port, timeout=PATIENCE) as raw:
            raw.send_head("POST", "/v2/models/digits/infer", {**headers, "Content-Length": str(len(body))})
            assert hangs_up(raw, b"x")
            answer = raw.read_answer()
            assert (answer.status, answer.json()["code"]) == (408, "too_slow")

    def test_an_idle_connection_is_closed(self, strict: Live) -> None:
        with Raw(strict.port, timeout=PATIENCE) as raw:
            raw.send_head("GET", "/healthz")
            assert raw.read_answer().status == 200
            assert raw.is_closed()

    def test_who_does_not_read_the_answer_is_dropped(self, strict: Live, caller: Caller) -> None:
        """Answers fill the kernel's buffers, then wait in the service, and not for ever."""
        page = Path(hermetic.__file__).parent / "serve" / "assets" / "page"
        (largest,) = page.glob("*.wasm")
        with Raw(strict.port, timeout=PATIENCE) as raw:
            for _ in range(20):
                raw.send_head("GET", f"/page/{largest.name}")
            assert hangs_up(raw, b"\r\n")
        assert caller.works()

    def test_requests_without_end_are_not_kept(self, strict: Live, caller: Caller) -> None:
        """Pipelined requests wait in the service: so many and no more, and they leave no trace."""
        front = psutil.Process(strict.process.pid)
        before = front.memory_info().rss
        with Raw(strict.port, timeout=1) as raw:
            assert hangs_up(raw, HEALTH * 200, pause=0)
        assert front.memory_info().rss - before < 16 << 20
        assert caller.works()

    def test_many_slow_ones_leave_room_for_honest_ones(self, strict: Live, caller: Caller) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(15):
                raw = stack.enter_context(Raw(strict.port))
                raw.send(b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: loc")
            assert caller.works()


class TestLarge:
    """Headers without measure."""

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * 5000 + b"\r\n\r\n",
            b"GET /healthz?" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"A: 1\r\n" * 101 + b"\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"a" * 100_000,
            b"GET /" + b"a" * 100_000,
        ],
    )
    def test_are_refused(self, strict: Live, head: bytes) -> None:
        with Raw(strict.port) as raw:
            with contextlib.suppress(OSError):
                raw.send(head)
            answer = raw.read_answer()
            assert (answer.status, answer.json()["code"]) == (431, "headers_too_large")

    def test_take_no_memory(self, strict: Live) -> None:
        process = psutil.Process(strict.process.pid)
        before = process.memory_info().rss
        for _ in range(10):
            with Raw(strict.port) as raw, contextlib.suppress(OSError):
                raw.send(b"GET /healthz HTTP/1.1\r\nX-Endless: ")
                for _ in range(64):
                    raw.send(b"a" * (1 << 20))
        assert process.memory_info().rss - before < 32 << 20

    def test_just_below_the_limit_pass(self, strict: Live) -> None:
        assert httpx.get(f"{strict.url}/healthz", headers={"X-Large": "a" * 3000}).status_code == 200


class TestBroken:
    """What is not HTTP, or stops in the middle."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET\r\n\r\n",
            b"GET /healthz HTTP/9.9\r\n\r\n",
            b"HELLO /healthz HTTP/1.1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
            b"POST /score HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            b"POST /score HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
            b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x00" * 100,
        ],
    )
    def test_what_is_no_http_gets_a_json_error(self, strict: Live, data: bytes) -> None:
        with Raw(strict.port) as raw:
            raw.send(data)
            answer = raw.read_answer()
            assert 400 <= answer.status < 500
            assert isinstance(answer.json()["error"], str)

    def test_a_body_cut_off_is_forgotten(self, strict: Live, caller: Caller) -> None:
        body, headers = binary_request(caller.query().to_bytes())
        for _ in range(10):
            with Raw(strict.port) as raw:
                raw.send_head("POST", "/v2/models/digits/infer", {**headers, "Content-Length": str(len(body))})
                raw.send(body[: len(body) // 2])
        until(lambda: not metric(strict.url, "hermetic_body_bytes"))
        assert caller.works()

    def test_a_refused_upload_can_be_finished_and_the_refusal_read(self, strict: Live) -> None:
        """The refusal comes before the body; a client that writes everything first still gets to read it."""
        with Raw(strict.port) as raw:
            raw.send_head("PUT", f"/keys/{'0' * 64}", {"Content-Length": "1000000"})
            raw.send(bytes(1_000_000))
            assert raw.read_answer().status == 413
            raw.send_head("GET", "/healthz")
            assert raw.read_answer().status == 200

    def test_but_not_without_end(self, strict: Live) -> None:
        with Raw(strict.port) as raw:
            raw.send_head("PUT", f"/keys/{'0' * 64}", {"Content-Length": str(1 << 40)})
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                for _ in range(1000):
                    raw.send(bytes(1 << 20))

    def test_pipelined_requests_are_answered_in_order(self, strict: Live) -> None:
        with Raw(strict.port) as raw:
            raw.send_head("GET", "/healthz", {"X-Request-ID": "first"})
            raw.send_head("GET", "/nowhere", {"X-Request-ID": "second"})
            raw.send_head("GET", "/v2", {"X-Request-ID": "third"})
            answers = [raw.read_answer() for _ in range(3)]
            assert [one.headers["x-request-id"] for one in answers] == ["first", "second", "third"]
            assert [one.status for one in answers] == [200, 404, 200]

    def test_an_upgrade_is_not_offered_and_the_request_answered(self, strict: Live) -> None:
        with Raw(strict.port) as raw:
            raw.send_head("GET", "/healthz", {"Connection": "Upgrade", "Upgrade": "websocket"})
            assert raw.read_answer().status == 200


def test_when_all_are_worked_for_one_more_is_told_to_come_back(tmp_path: Path) -> None:
    """The evaluation process stands still, with two requests; nobody is thrown out for a third."""
    with serving(tmp_path, {"digits": digits().model}, "--max-connections", "2") as live:
        callers = [Caller(live.url, digits()) for _ in range(2)]
        assert [one.put_key().status_code for one in callers] == [201, 201]
        (worker,) = psutil.Process(live.process.pid).children()
        worker.suspend()
        with ThreadPoolExecutor(2) as threads:
            pending = [threads.submit(insist, caller) for caller in callers]
            until(lambda: is_turned_away(live.port))
            worker.resume()
            assert [one.is_right(answer.result()) for one, answer in zip(callers, pending, strict=True)] == [True, True]
        assert Caller(live.url, digits()).put_key().status_code == 201


def insist(caller: Caller) -> httpx.Response:
    """Ask until there is an answer: whoever looks whether it is turned away may close a connection that still waits, or
    take the place of one.
    """
    query = caller.query()
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (answer := caller.infer(query)).status_code != 503:
                return answer


def is_turned_away(port: int) -> bool:
    """Whether a new connection is told, before it says anything, that there are too many."""
    with Raw(port, timeout=1) as raw:
        try:
            answer = raw.read_answer()
        except (TimeoutError, ConnectionError):
            return False
        return (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _written(authority.issue_cert("localhost", "127.0.0.1"), tmp_path_factory.mktemp("tls"))


def _written(issued: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


class TestTls:
    """TLS, with certificates of an authority made for the test."""

    def options(self, certificate: tuple[Path, Path]) -> list[str]:
        return ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1])]

    def trusting(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def test_queries_over_tls(self, tmp_path: Path, authority: trustme.CA, certificate: tuple[Path, Path]) -> None:
        with serving(tmp_path, {"petals": petals().model}, *self.options(certificate)) as live:
            assert live.url.startswith("https://")
            caller = Caller(live.url, petals(), verify=self.trusting(authority))
            assert caller.put_key().status_code == 201
            assert caller.works(5)
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                httpx.get(f"{live.url}/healthz")
            with pytest.raises(httpx.HTTPError):
                httpx.get(live.url.replace("https", "http") + "/healthz")
            assert caller.works()

    def test_old_tls_is_refused(self, tmp_path: Path, authority: trustme.CA, certificate: tuple[Path, Path]) -> None:
        context = self.trusting(authority)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the client itself would speak it
        context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with (
            serving(tmp_path, {"petals": petals().model}, *self.options(certificate)) as live,
            pytest.raises(ssl.SSLError),
        ):
            Raw(live.port, context)

    def test_client_certificates(self, tmp_path: Path, authority: trustme.CA, certificate: tuple[Path, Path]) -> None:
        trusted = tmp_path / "clients.pem"
        trusted.write_bytes(authority.cert_pem.bytes())
        options = [*self.options(certificate), "--tls-client-ca", str(trusted)]
        with serving(tmp_path, {"petals": petals().model}, *options) as live:
            context = self.trusting(authority)
            authority.issue_cert("client.example.org").configure_cert(context)
            assert httpx.get(f"{live.url}/healthz", verify=context).status_code == 200
            with pytest.raises(httpx.HTTPError):
                httpx.get(f"{live.url}/healthz", verify=self.trusting(authority))

    def test_a_renewed_certificate_is_used_without_a_restart(self, tmp_path: Path, authority: trustme.CA) -> None:
        files = _written(authority.issue_cert("localhost"), tmp_path)
        options = [*self.options(files), "--rescan", "0.3"]
        with serving(tmp_path, {"petals": petals().model}, *options) as live:

            def serial() -> object:
                with Raw(live.port, self.trusting(authority)) as raw:
                    return raw.socket.getpeercert()["serialNumber"]  # type: ignore[union-attr, index]

            first = serial()
            _written(authority.issue_cert("localhost"), tmp_path)
            until(lambda: serial() != first)
            renewed = serial()
            files[0].write_text("not a certificate")
            until(lambda: [entry for entry in live.log if entry.get("event") == "certificate_refused"])
            assert serial() == renewed

    def test_a_key_of_another_certificate_is_refused(self, tmp_path: Path, authority: trustme.CA) -> None:
        one, other = (tmp_path / "one"), (tmp_path / "other")
        one.mkdir()
        other.mkdir()
        chain, _ = _written(authority.issue_cert("localhost"), one)
        _, key = _written(authority.issue_cert("localhost"), other)
        with (
            pytest.raises(RuntimeError, match="must be PEM files that belong together"),
            serving(tmp_path, {"petals": petals().model}, *self.options((chain, key))),
        ):
            pass

    def test_a_silent_handshake_leaves_the_service_alone(
        self, tmp_path: Path, authority: trustme.CA, certificate: tuple[Path, Path]
    ) -> None:
        with (
            serving(tmp_path, {"petals": petals().model}, *self.options(certificate)) as live,
            contextlib.ExitStack() as stack,
        ):
            for _ in range(20):
                stack.enter_context(Raw(live.port)).send(b"\x16\x03\x01")
            assert httpx.get(f"{live.url}/healthz", verify=self.trusting(authority)).status_code == 200
