"""Proxies, certificate authorities and what else the environment says, against a real service and a real proxy."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

import hermetic
from fitted import petals
from hermetic import AuthenticationError, RefusedError, SettingsError, TLSError, UnreachableError
from hermetic.remote.environment import route_to
from hermetic.remote.hosts import is_excepted, is_loopback
from hermetic.remote.trust import trust
from hermetic.serve.access import token_line
from in_process import InProcess
from live import Live, serving

TOKEN = "hermetic_a-token-nobody-should-see"
PASSWORD = "a-password-nobody-should-see"
HOST = "models.example.com"
NAMES = ["localhost", "LocalHost", "localhost."]
X = petals().X[:5]
LABELS = petals().estimator.predict(X)

Connect = Callable[..., None]


class Proxy:
    """A forward proxy: tunnels every CONNECT to one port of this machine, refuses the rest, and keeps what it is sent
    in the clear.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.seen = b""
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head and (chunk := client.recv(65536)):
                head += chunk
            self.seen += head
            if not head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._port)) as service:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._copy, args=(service, client), daemon=True)
                back.start()
                self._copy(client, service)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "ssl_cert_file",
        "ssl_cert_dir",
        "sslkeylogfile",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _served(folder: Path, *options: str) -> Any:
    (folder / "tokens").write_text(token_line("ours", TOKEN))
    return serving(folder, {"petals": petals().model}, "--tokens", str(folder / "tokens"), *options)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with _served(tmp_path_factory.mktemp("plain")) as service:
        yield service


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("secure")
    certificate = authority.issue_cert(HOST, "127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    options = ("--tls-certificate", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    with _served(folder, *options) as service:
        yield service


@pytest.fixture
def proxy(secure: Live) -> Iterator[Proxy]:
    one = Proxy(secure.port)
    yield one
    one.close()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def blocking(url: str, **options: Any) -> Any:
    with hermetic.connect(url, model="petals", retries=0, **options) as remote:
        return remote.predict(X)


def asynchronous(url: str, **options: Any) -> Any:
    async def ask() -> Any:
        async with hermetic.aconnect(url, model="petals", retries=0, **options) as remote:
            return await remote.predict(X)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [blocking, asynchronous])
every_proxy = pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])


# Loopback


@both
@every_proxy
def test_loopback_never_goes_through_a_proxy(
    ask: Connect, variable: str, live: Live, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    monkeypatch.setenv("NO_PROXY", "[::1, 10.0.0.0/99, ???")
    for host in ("127.0.0.1", "localhost"):
        np.testing.assert_array_equal(ask(f"http://{host}:{live.port}", token=TOKEN), LABELS)
    assert proxy.seen == b""


@every_proxy
def test_a_client_that_leaves_it_to_the_library_sends_its_token_to_the_proxy(
    variable: str, live: Live, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    with httpx.Client() as library:
        transport: Any = library._transport_for_url(httpx.URL(live.url))
        with pytest.raises(hermetic.RemoteError):
            blocking(live.url, token=TOKEN, transport=transport)
    assert f"Bearer {TOKEN}".encode() in proxy.seen


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.8.7",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
        *NAMES,
    ],
)
def test_loopback_in_every_spelling(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.com")
    assert is_loopback(host)
    assert route_to(f"http://{f'[{host}]' if ':' in host else host}:8000").proxy is None


@pytest.mark.parametrize(
    "host",
    ["128.0.0.1", "10.0.0.1", "::2", "fe80::1", "localhost.example.com", "mylocalhost", "127.example.com", "1.27"],
)
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


# Through a proxy


@both
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_tls_goes_through_the_proxy_and_the_token_inside_it(
    ask: Connect, variable: str, proxy: Proxy, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url.replace("//", f"//user:{PASSWORD}@"))
    np.testing.assert_array_equal(ask(f"https://{HOST}", token=TOKEN, verify=ca_file), LABELS)
    assert proxy.seen.startswith(f"CONNECT {HOST}:443 ".encode())
    assert TOKEN.encode() not in proxy.seen


@both
@every_proxy
def test_a_token_never_passes_a_proxy_in_the_clear(
    ask: Connect, variable: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    with pytest.raises(
        SettingsError, match=f"must not travel in the clear. .* proxy of {variable}, {proxy.url}"
    ) as raised:
        ask(f"http://{HOST}", token=TOKEN, allow_http=True)
    assert TOKEN not in str(raised.value)
    assert proxy.seen == b""


@both
def test_what_a_proxy_refuses_is_said_to_have_come_through_it(
    ask: Connect, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with pytest.raises(AuthenticationError, match=f"The way there is the proxy of HTTP_PROXY, {proxy.url}"):
        ask(f"http://{HOST}")


@both
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(ask: Connect, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://user:{PASSWORD}@127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"proxy of ALL_PROXY, http://127\.0\.0\.1:9\.") as raised:
        ask(f"{scheme}://{HOST}")
    assert PASSWORD not in str(raised.value)


@both
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("socks5://127.0.0.1:1080", "SOCKS proxy, socks5://127.0.0.1:1080. That needs socksio: pip install"),
        (f"socks5h://u:{PASSWORD}@proxy", "SOCKS proxy, socks5h://proxy."),
        ("socks4://proxy:1080", "must name a proxy like http://proxy.example.com:3128"),
        ("ftp://proxy", "must name a proxy"),
        ("http://", "must name a proxy"),
        ("http://:3128", "must name a proxy"),
        (f"http://u:{PASSWORD}@proxy:port", "must name a proxy"),
        (f"http://u:{PASSWORD}@pro xy:3128", "must name a proxy"),
        ("http://[::1:3128", "must name a proxy"),
        ("://proxy", "must name a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used(ask: Connect, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    for variable in ("HTTPS_PROXY", "all_proxy"):
        with monkeypatch.context() as one:
            one.setenv(variable, value)
            with pytest.raises(SettingsError, match=message) as raised:
                ask(f"https://{HOST}", token=TOKEN)
        assert str(raised.value).startswith(f"{variable} ")
        assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize(
    "value", ["{0}:{0}@proxy:9", "http://u:{0}@proxy:9/{0}", "http://proxy:9?{0}", "http://u@proxy:9#{0}"]
)
def test_nothing_but_the_place_of_a_proxy_is_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", value.format(PASSWORD))
    assert route_to(f"https://{HOST}").note == "The way there is the proxy of https_proxy, http://proxy:9."


# NO_PROXY


@pytest.mark.parametrize(
    ("entries", "excepted", "others"),
    [
        ("*", "https://a.b https://10.0.0.1 http://[fe80::1]", ""),
        ("a.b", "https://a.b https://A.B https://x.a.b https://a.b.:8443", "https://xa.b https://b https://a.b.c"),
        (".a.b", "https://a.b https://x.a.b", "https://xa.b"),
        ("*.a.b", "https://x.a.b", "https://xa.b"),
        ("x , a.b\tc.d", "https://a.b https://c.d", "https://e.f"),
        ("a.b:8443", "https://a.b:8443", "https://a.b https://a.b:80"),
        ("a.b:443", "https://a.b", "http://a.b"),
        ("https://a.b/", "https://a.b", "http://a.b"),
        ("all://a.b", "https://a.b http://a.b", "https://b"),
        ("10.0.0.1", "https://10.0.0.1:5", "https://10.0.0.2 https://110.0.0.1"),
        ("10.0.0.0/8", "https://10.9.9.9", "https://11.0.0.1 https://a.b http://[a00::1]"),
        ("10.1.2.3/8", "https://10.9.9.9", "https://11.0.0.1"),
        ("10.0.0.1:80", "http://10.0.0.1", "https://10.0.0.1"),
        ("fe80::/10", "https://[fe80::7]", "https://[fd80::7] https://10.0.0.1"),
        ("[fe80::7],fe80::8", "https://[fe80::7] https://[fe80:0::8]:5", "https://[fe80::9]"),
        ("[fe80::7]:443", "https://[fe80::7]", "http://[fe80::7]"),
        ("", "", "https://a.b"),
        (",, ,", "", "https://a.b"),
    ],
)
def test_no_proxy(entries: str, excepted: str, others: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.com")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, entries)
        assert all(route_to(url).proxy is None for url in excepted.split())
        assert all(route_to(url).proxy for url in others.split())


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/99", "[::1", "a.b:port", "a.b:99999", "a.b/c", "u:p@a.b", "<local>/", "http://"]
)
def test_entries_that_name_nothing_are_named(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.com")
    monkeypatch.setenv("NO_PROXY", f"c.d,{entry}")
    with pytest.raises(SettingsError, match=r"^NO_PROXY must hold names, addresses and networks"):
        route_to("https://a.b")


@given(st.text(max_size=30), st.sampled_from(["a.b", "10.0.0.1", "[fe80::1]"]))
def test_any_list_of_exceptions_is_read_or_refused(entries: str, host: str) -> None:
    with suppress(ValueError):
        is_excepted(urlsplit(f"https://{host}"), entries)


# Certificate authorities


@both
@pytest.mark.parametrize("form", [str, Path])
def test_a_file_of_authorities_may_be_a_path(ask: Connect, form: Any, secure: Live, ca_file: Path) -> None:
    np.testing.assert_array_equal(ask(secure.url, token=TOKEN, verify=form(ca_file)), LABELS)


@both
def test_authorities_from_the_environment(
    ask: Connect, secure: Live, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    for verify in (None, True):
        np.testing.assert_array_equal(ask(secure.url, token=TOKEN, verify=verify), LABELS)


@both
@pytest.mark.parametrize("verify", [False, 0, "", b"ca.pem", 1.5])
def test_verification_cannot_be_turned_off(ask: Connect, verify: Any, secure: Live) -> None:
    with pytest.raises(SettingsError, match="verify must be a file of certificates, PEM"):
        ask(secure.url, token=TOKEN, verify=verify)


def _context(hostname: bool, mode: ssl.VerifyMode) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = hostname, mode
    return context


@both
@pytest.mark.parametrize("given", [(False, ssl.CERT_NONE), (False, ssl.CERT_OPTIONAL), (False, ssl.CERT_REQUIRED)])
def test_nor_by_a_context(ask: Connect, given: tuple[bool, ssl.VerifyMode], secure: Live) -> None:
    with pytest.raises(SettingsError, match="must be a context that verifies"):
        ask(secure.url, token=TOKEN, verify=_context(*given))


@both
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("kind", ["gone", "empty", "words", "an empty folder", "a home that is not there"])
def test_authorities_that_cannot_be_read(
    ask: Connect, variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "words").write_text("no certificate")
    (tmp_path / "an empty folder").mkdir()
    path = "~nobody-here/ca.pem" if kind.startswith("a home") else str(tmp_path / kind)
    monkeypatch.setenv(variable, path)
    with pytest.raises(SettingsError, match=f"^{variable} must be a file of certificates, PEM. {path} cannot be used"):
        ask("https://127.0.0.1:9")
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=r"^verify must be a file of certificates, PEM"):
        ask("https://127.0.0.1:9", verify=path)


def test_without_tls_nobody_asks_for_authorities(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/gone")
    np.testing.assert_array_equal(blocking(live.url, token=TOKEN), LABELS)


@both
def test_a_service_they_do_not_know_is_refused_by_their_name(
    ask: Connect, secure: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with pytest.raises(TLSError, match=r"authorities trusted are those of SSL_CERT_FILE, .*other.pem"):
        ask(secure.url, token=TOKEN)


def test_folders_of_authorities_may_be_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "one.0").write_text("")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path / 'gone'}:{tmp_path / 'some'}")
    assert "SSL_CERT_DIR" in trust(None).note


@both
def test_a_log_of_tls_keys_that_cannot_be_written(ask: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", "/gone/keys")
    with pytest.raises(SettingsError, match=r"^SSLKEYLOGFILE must be a file that can be written. /gone/keys cannot"):
        ask("https://127.0.0.1:9")


# Other machinery of the library


@both
def test_netrc_is_not_read(ask: Connect, live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login user password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AuthenticationError, match="None was given"):
        ask(live.url)


def test_another_transport_has_nothing_to_do_with_the_environment(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nothing://")
    monkeypatch.setenv("SSL_CERT_FILE", "/gone")
    with pytest.raises(RefusedError, match="421: the Host header"):  # so it was asked
        blocking(f"https://{HOST}", transport=service.transport)


def test_another_url_is_another_way(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    with hermetic.connect(live.url, model="petals", token=TOKEN) as remote:
        monkeypatch.setenv("HTTPS_PROXY", "socks4://proxy")
        remote.set_params(url=f"https://{HOST}")
        with pytest.raises(SettingsError, match="HTTPS_PROXY"):
            remote.predict(X)
        remote.set_params(url=live.url)
        np.testing.assert_array_equal(remote.predict(X), LABELS)
