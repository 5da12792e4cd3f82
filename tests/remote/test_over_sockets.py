"""The client against ``hermetic serve`` in another process: TLS, restarts, and networks that fail half-way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import trustme

import hermetic
from fitted import digits
from hermetic import ProtocolError, RemoteError, RemoteTimeoutError, TLSError, UnreachableError
from hermetic.serve.access import token_line
from live import (
    Carry,
    Live,
    Network,
    cut_answer_after,
    refuse_at_once,
    serving,
    stall_after,
    trickle,
)

TOKEN = "hermetic_a-token-nobody-should-see"
X = digits().X[:30]
LABELS = digits().estimator.predict(X)
ALL_LABELS = digits().estimator.predict(digits().X)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "tokens").write_text(token_line("ours", TOKEN))
    with serving(folder, {"digits": digits().model}, "--tokens", str(folder / "tokens")) as service:
        yield service


@pytest.fixture
def network(live: Live) -> Iterator[Network]:
    with Network(live.port) as network:
        yield network


def connect(url: str, **options: Any) -> hermetic.RemoteModel:
    return hermetic.connect(url, model="digits", token=TOKEN, **options)


def test_the_whole_way(live: Live) -> None:
    with connect(live.url, batch_size=100) as remote:
        np.testing.assert_array_equal(remote.predict(digits().X), ALL_LABELS)
        assert remote.score(digits().X, digits().y) == digits().estimator.score(digits().X, digits().y)


def test_the_whole_way_asynchronously(live: Live) -> None:
    async def ask() -> Any:
        async with hermetic.aconnect(live.url, model="digits", token=TOKEN, batch_size=100) as remote:
            return await remote.predict(digits().X)

    np.testing.assert_array_equal(asyncio.run(ask()), ALL_LABELS)


@pytest.mark.parametrize("missing", ["sklearn", "pandas", "rich", "typer"])
def test_what_a_client_can_do_without(missing: str, live: Live, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    code = (
        f"import sys; sys.modules[{missing!r}] = None; import hermetic, numpy; X = numpy.load(sys.argv[2]); "
        "print(*hermetic.connect(sys.argv[1], model='digits', token=sys.argv[3]).predict(X))"
    )
    command = [sys.executable, "-c", code, live.url, str(tmp_path / "X.npy"), TOKEN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(map(str, LABELS))


def test_without_httpx_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx'] = None; import hermetic; hermetic.connect"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("Install it with: pip install 'hermetic[remote]'\n")


# Networks


@pytest.mark.parametrize(
    "trouble", [refuse_at_once, cut_answer_after(0), cut_answer_after(300), cut_answer_after(5000)]
)
def test_a_connection_that_breaks_is_made_again(trouble: Carry, network: Network) -> None:
    remote = connect(network.url)
    remote.predict(X)
    remote.close()
    network.plan = [trouble, trouble]
    np.testing.assert_array_equal(connect(network.url).predict(X), LABELS)
    assert not network.plan


def test_a_connection_that_always_breaks(network: Network) -> None:
    network.plan = [cut_answer_after(100)] * 9
    with pytest.raises(UnreachableError, match="must be reachable"):
        connect(network.url, retries=2)
    assert network.carried == 3


def test_a_connection_closed_while_idle_is_made_again(live: Live) -> None:
    """Load balancers close idle connections; the client learns it when it sends."""
    remote = connect(live.url, retries=1)
    remote.predict(X)
    driver: Any = remote._driver
    (transport,) = driver._here().http._transport._ways.all()
    (connection,) = transport._pool.connections
    connection._connection._network_stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    np.testing.assert_array_equal(remote.predict(X), LABELS)


def say_nothing(client: socket.socket, service: socket.socket) -> None:
    """Read what is asked until the client leaves, and answer nothing."""
    while client.recv(65536):
        pass


def in_time(call: Callable[[], object]) -> None:
    """The call ends by itself; what it asks would not."""
    with pytest.raises(RemoteTimeoutError, match="must answer in time"):
        call()


@pytest.mark.parametrize("trouble", [trickle(10, 0.2), say_nothing])
def test_an_answer_that_takes_for_ever(trouble: Carry, network: Network) -> None:
    network.plan = [trouble]
    in_time(lambda: connect(network.url, timeout=5))

    async def ask() -> None:
        await hermetic.aconnect(network.url, model="digits", token=TOKEN, timeout=5)

    network.plan = [trouble]
    in_time(lambda: asyncio.run(ask()))


def test_a_query_that_is_taken_for_ever(network: Network) -> None:
    small: Any = {"socket_options": [(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)]}  # or the kernel would take it all
    many = np.concatenate([digits().X] * 2)  # some 3 MB up
    network.plan = [stall_after(200_000)]
    remote = connect(network.url, timeout=5, batch_size=4000, transport=httpx.HTTPTransport(**small))
    remote.predict(X[:1])
    in_time(lambda: remote.predict(many))

    async def ask() -> None:
        transport = httpx.AsyncHTTPTransport(**small)
        remote = await hermetic.aconnect(
            network.url, model="digits", token=TOKEN, timeout=5, batch_size=4000, transport=transport
        )
        await remote.predict(many)

    network.plan = [stall_after(200_000)]
    in_time(lambda: asyncio.run(ask()))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{port} must be reachable.*refused"):
        connect(f"http://127.0.0.1:{port}", retries=1)
    with pytest.raises(UnreachableError, match="must be reachable"):
        connect("https://no-such-host.invalid", retries=0)


@contextlib.contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Whatever this writes is the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, contextlib.suppress(OSError):
                        client.recv(65536)
                        answer(client)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def endless(head: bytes) -> Callable[[socket.socket], None]:
    def answer(client: socket.socket) -> None:
        client.sendall(head)
        while True:
            client.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")

    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    ],
)
def test_endless_answers_are_cut_off(head: bytes) -> None:
    with raw_server(endless(head)) as url, pytest.raises((ProtocolError, UnreachableError)):
        hermetic.connect(url, model="digits", timeout=30, retries=0)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02\x00", b"HTTP/1.1 \xff\r\n\r\n"])
def test_what_is_not_http(greeting: bytes) -> None:
    with raw_server(lambda client: client.sendall(greeting)) as url, pytest.raises(UnreachableError) as refused:
        hermetic.connect(url, model="digits", retries=0)
    assert str(refused.value).isprintable()


# Restarts


def test_a_restart_that_loses_every_key(tmp_path: Path) -> None:
    with serving(tmp_path, {"digits": digits().model}) as service:
        remote = hermetic.connect(service.url, model="digits")
        np.testing.assert_array_equal(remote.predict(X), LABELS)
        service.kill()
        with pytest.raises(UnreachableError):
            remote.set_params(retries=0).predict(X)
        service.restart()
        np.testing.assert_array_equal(remote.predict(X), LABELS)


def test_a_restart_in_the_middle_of_a_call(tmp_path: Path) -> None:
    with serving(tmp_path, {"digits": digits().model}) as service:
        restarted = threading.Event()

        def restart() -> None:
            service.kill()
            service.restart()
            restarted.set()

        def progress(done: int, total: int) -> None:
            if done == 200:
                threading.Thread(target=restart).start()

        remote = hermetic.connect(service.url, model="digits", batch_size=20, retries=30, progress=progress)
        np.testing.assert_array_equal(remote.predict(digits().X), ALL_LABELS)
        assert restarted.wait(60)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("secure")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    options = ["--tls-certificate", str(folder / "certificate.pem"), "--tls-key", str(folder / "key.pem")]
    with serving(folder, {"digits": digits().model}, *options) as service:
        yield service


def test_tls_with_a_private_authority(secure: Live, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    remote = hermetic.connect(secure.url, model="digits", verify=str(tmp_path / "ca.pem"))
    assert secure.url.startswith("https://")
    np.testing.assert_array_equal(remote.predict(X), LABELS)


def test_a_certificate_nobody_knows(secure: Live) -> None:
    with pytest.raises(TLSError, match=r"must be trusted.*verify='ca.pem'"):
        hermetic.connect(secure.url, model="digits")

    async def ask() -> None:
        await hermetic.aconnect(secure.url, model="digits")

    with pytest.raises(TLSError, match="must be trusted"):
        asyncio.run(ask())


def test_a_certificate_of_another_host(secure: Live, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with pytest.raises(TLSError, match="localhost"):
        hermetic.connect(f"https://localhost:{secure.port}", model="digits", verify=str(tmp_path / "ca.pem"))


def test_the_wrong_scheme(secure: Live, live: Live) -> None:
    with pytest.raises(UnreachableError):
        hermetic.connect(f"http://127.0.0.1:{secure.port}", model="digits", retries=0)
    with pytest.raises(TLSError):
        hermetic.connect(f"https://127.0.0.1:{live.port}", model="digits", retries=0)


# Secrets


def test_no_log_holds_a_secret(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        remote = connect(live.url)
        remote.predict(X)
        with pytest.raises(RemoteError):
            hermetic.connect(live.url, model="other", token=TOKEN)
    assert caplog.records
    assert TOKEN not in caplog.text
    assert all(TOKEN not in repr(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("trouble", [cut_answer_after(0), cut_answer_after(300), refuse_at_once])
def test_no_error_holds_a_secret(trouble: Carry, network: Network) -> None:
    """Neither in its text, nor in what hangs on it, nor in the local variables that error trackers collect."""
    network.plan = [trouble] * 9
    with pytest.raises(RemoteError) as refused:
        connect(network.url, retries=1)
    error: BaseException | None = refused.value
    while error is not None:
        assert type(error).__module__.startswith("hermetic"), "an error of the HTTP library holds the request"
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in shown.stack if "hermetic" in frame.filename and "/tests/" not in frame.filename]
        assert ours
        assert all(TOKEN not in str(frame.locals) for frame in ours[1:])  # the first is connect(token=…) itself
        error = error.__cause__ or error.__context__
