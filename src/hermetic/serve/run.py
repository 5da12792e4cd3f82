"""Starting and ending the server."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from ..errors import SettingsError
from .app import create_app
from .entry import ScriptHouse
from .front import Front
from .house import House
from .logs import configure, log
from .protocol import ConnectionLimits, bounded_protocol
from .settings import Settings
from .telemetry import traced

_OTHER_FILES = 1024
"""Files besides connections: models, keys, evaluation processes, and connections that are just being closed."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what was accepted and return.

    Raises
    ------
    SettingsError
        If the settings are unsafe, or the service cannot start with them.
    """
    settings.check_exposure()
    configure(settings.log_level)
    _allow_files(settings.max_connections)
    tls = _tls(settings)
    house: Front = ScriptHouse(settings) if settings.entry_script else House(settings)
    app, flush = create_app(house), None
    if settings.telemetry:
        app, flush = traced(app)
    config = _config(app, settings, tls)

    async def run() -> None:
        async with house.running():
            reloading = asyncio.create_task(_reload_certificate(tls, settings)) if tls else None
            await Server(config).serve()
            if reloading:
                reloading.cancel()

    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(run())
    except SystemExit:
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"the service must be able to listen on {where}. It is not, see the log.") from None
    finally:
        if flush:
            flush()


def _allow_files(connections: int) -> None:
    """Raise the process's limit of open files, as far as it may, so that connections do not meet it first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _config(app: ASGIApp, settings: Settings, tls: ssl.SSLContext | None) -> uvicorn.Config:
    limits = ConnectionLimits(
        header_bytes=settings.max_header_bytes,
        header_timeout=settings.header_timeout,
        idle_timeout=settings.idle_timeout,
        write_timeout=settings.write_timeout,
        connections=settings.max_connections,
        per_address=settings.max_connections_per_address,
        half_open=settings.max_half_open,
        proxies=settings.proxy_networks,
    )
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    config.load()
    config.ssl = tls
    return config


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load_certificate(context, settings)
        if settings.tls_client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(settings.tls_client_ca)
    except OSError as error:
        raise SettingsError(f"the TLS files must be PEM files that belong together: {error}.") from None
    return context


def _load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    if settings.tls_certificate and settings.tls_key:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)


async def _reload_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Use a renewed certificate for new connections."""
    files = [file for file in (settings.tls_certificate, settings.tls_key) if file]
    seen = [file.stat().st_mtime_ns for file in files]
    while True:
        await asyncio.sleep(settings.rescan)
        try:
            now = [file.stat().st_mtime_ns for file in files]
            if now != seen:
                _load_certificate(context, settings)
                seen = now
                log.info("certificate read", extra={"event": "certificate_read"})
        except OSError as error:
            log.error("certificate refused", extra={"event": "certificate_refused", "reason": str(error)})


class Server(uvicorn.Server):
    """uvicorn's server: says where it listens, and returns after SIGTERM instead of dying of it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        scheme = "https" if self.config.ssl else "http"
        shown = f"[{host}]" if ":" in host else host
        log.info("listening", extra={"event": "listening", "url": f"{scheme}://{shown}:{port}"})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
