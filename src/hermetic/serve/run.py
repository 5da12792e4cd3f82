"""Starting and ending the server, and trying out whether it would start."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import ssl
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp

from ..errors import SettingsError
from .app import create_app
from .base_service import BaseService, Facts
from .logs import configure, log
from .model_service import ModelService
from .protocol import ConnectionLimits, bounded_protocol
from .script_service import ScriptService
from .settings import Settings
from .telemetry import traced
from .tls import reload_certificate, tls_context

T = TypeVar("T")

_OTHER_FILES = 1024
"""Files besides connections: models, keys, evaluation processes, and connections that are just being closed."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what was accepted and return.

    Raises
    ------
    SettingsError
        If the settings are unsafe, or the service cannot start with them.
    """
    service, tls = _prepared(settings)
    app, flush = create_app(service), None
    if settings.telemetry:
        app, flush = traced(app)
    config = _config(app, settings, tls)
    try:
        with contextlib.suppress(asyncio.CancelledError):  # a signal, before it listened
            _run(_served(service, config), config)
        log.info("stopped", extra={"event": "stopped"})
    except SystemExit:
        where = f"{settings.host}:{settings.port}"
        named = f"{settings.origin('host')}, {settings.origin('port')}"
        raise SettingsError(
            f"the service must be able to listen on {where} ({named}). It is not, see the log."
        ) from None
    finally:
        if flush:
            flush()


def check(settings: Settings) -> Facts:
    """Do everything that :func:`serve` does before it listens, and stop; gives what would be served.

    Raises
    ------
    SettingsError
        If the service would not start, or a model file would not be served.
    """
    service, tls = _prepared(settings)

    async def tried() -> Facts:
        await _can_listen(settings)
        async with service.running():
            service.check()
            return service.facts()

    return _run(tried(), _config(create_app(service), settings, tls))


def _prepared(settings: Settings) -> tuple[BaseService, ssl.SSLContext | None]:
    settings.check_exposure()
    configure(settings.log_level)
    _allow_files(settings.max_connections)
    service = ScriptService(settings) if settings.entry_script else ModelService(settings)
    return service, tls_context(settings)


def _allow_files(connections: int) -> None:
    """Raise the process's limit of open files, as far as it may, so that connections do not meet it first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _run(work: Coroutine[Any, Any, T], config: uvicorn.Config) -> T:
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(work)


async def _served(service: BaseService, config: uvicorn.Config) -> None:
    server = Server(config, service)
    server.watch_signals()
    async with service.running():
        reloading = asyncio.create_task(reload_certificate(config.ssl, service.settings)) if config.ssl else None
        await server.serve()
        if reloading:
            reloading.cancel()


async def _can_listen(settings: Settings) -> None:
    """Whether the address is one of this machine's; its port may be taken by the service that runs."""
    try:
        listener = await asyncio.get_running_loop().create_server(asyncio.Protocol, settings.host, 0)
    except OSError as error:
        reason = (error.strerror or "").rpartition(": ")[2]
        must = f"{settings.origin('host')} must be an address of this machine"
        raise SettingsError(f"{must}. {settings.host} is not: {reason}.") from None
    listener.close()


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


class Server(uvicorn.Server):
    """uvicorn's server: says where it listens and what stops it, and returns after SIGTERM instead of dying of it."""

    def __init__(self, config: uvicorn.Config, service: BaseService) -> None:
        super().__init__(config)
        self._service = service

    def watch_signals(self) -> None:
        """Stop on a signal, also while the service is still starting. Call it in the task that starts it."""
        loop, starting = asyncio.get_running_loop(), asyncio.current_task()

        def stop(number: signal.Signals) -> None:
            log.info("stopping", extra={"event": "stopping", "reason": number.name})
            self.handle_exit(number, None)
            if not self.started and starting:
                starting.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                loop.add_signal_handler(number, stop, number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        scheme = "https" if self.config.ssl else "http"
        shown = f"[{host}]" if ":" in host else host
        told = {"event": "listening", "url": f"{scheme}://{shown}:{port}", **self._service.facts()}
        log.info("listening", extra=told)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are watched since the start."""
        yield
