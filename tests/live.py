"""The service as an operator runs it: ``hermetic serve`` in a process of its own, and a bad network in front of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hermetic import CompiledModel
from in_process import publish

COMMAND = str(Path(sys.executable).parent / "hermetic")
LONGEST_START = 240


@dataclass
class Live:
    """A running service."""

    process: subprocess.Popen[str]
    url: str
    arguments: list[str]
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def kill(self) -> None:
        """End it at once (SIGKILL): nothing is saved, nobody is told."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again, on the same port."""
        again = _start([*self.arguments, "--port", str(self.port)])
        self.process, self.log = again.process, again.log


def _start(arguments: list[str], command: str = COMMAND, variables: Mapping[str, str] | None = None) -> Live:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HERMETIC_")}
    environment |= variables or {}
    process = subprocess.Popen(
        [command, "serve", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    live = Live(process, "", arguments)
    listening = threading.Event()
    threading.Thread(target=_read_log, args=(live, listening), daemon=True).start()
    if not listening.wait(LONGEST_START) or not live.url:
        process.kill()
        raise RuntimeError(f"the service did not start: {live.log}")
    return live


def _read_log(live: Live, listening: threading.Event) -> None:
    for line in live.process.stdout or ():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"message": line}
        live.log.append(entry)
        if entry.get("event") == "listening":
            live.url = entry["url"]
            listening.set()
    listening.set()


@contextlib.contextmanager
def serving(folder: Path, models: dict[str, CompiledModel], *options: str) -> Iterator[Live]:
    """``hermetic serve`` on a free port, with one evaluation process and keys in memory unless the options differ."""
    repository = folder / "models"
    for name, model in models.items():
        publish(repository, name, model)
    live = _start([str(repository), "--workers", "1", "--store", "memory://", *options, "--port", "0"])
    live.arguments = live.arguments[:-2]
    with _ended(live):
        yield live


@contextlib.contextmanager
def serving_script(
    script: Path, *options: str, command: str = COMMAND, variables: Mapping[str, str] | None = None
) -> Iterator[Live]:
    """``hermetic serve --entry-script`` on a free port, with one evaluation process unless the options differ."""
    live = _start(["--entry-script", str(script), "--workers", "1", *options, "--port", "0"], command, variables)
    with _ended(live):
        yield live


@contextlib.contextmanager
def _ended(live: Live) -> Iterator[None]:
    """End the service with the block."""
    try:
        yield
    finally:
        if live.process.poll() is None:
            live.process.terminate()
            try:
                live.process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                live.kill()


Carry = Callable[[socket.socket, socket.socket], None]
"""Carries one connection: (client's socket, service's socket)."""


def whole(client: socket.socket, service: socket.socket) -> None:
    """Carry everything both ways."""
    up = threading.Thread(target=_copy, args=(client, service), daemon=True)
    up.start()
    _copy(service, client)


def cut_answer_after(count: int) -> Carry:
    """Close the connection when that many bytes of answers have come back."""

    def carry(client: socket.socket, service: socket.socket) -> None:
        threading.Thread(target=_copy, args=(client, service), daemon=True).start()
        _copy(service, client, limit=count)

    return carry


def refuse_at_once(client: socket.socket, service: socket.socket) -> None:
    """Close the connection before anything is carried."""


def trickle(count: int, seconds: float) -> Carry:
    """Carry answers a few bytes at a time: every read makes progress, the whole takes for ever."""

    def carry(client: socket.socket, service: socket.socket) -> None:
        threading.Thread(target=_copy, args=(client, service), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := service.recv(count):
                client.sendall(data)
                time.sleep(seconds)

    return carry


def stall_after(count: int) -> Carry:
    """Carry that many bytes of requests, and then few at a time: every write makes progress, the whole hardly any."""

    def carry(client: socket.socket, service: socket.socket) -> None:
        threading.Thread(target=_copy, args=(service, client), daemon=True).start()
        _copy(client, service, limit=count)
        with contextlib.suppress(OSError):
            while data := client.recv(16384):
                service.sendall(data)
                time.sleep(0.2)

    return carry


def _copy(source: socket.socket, target: socket.socket, limit: int | None = None) -> None:
    with contextlib.suppress(OSError):
        while limit is None or limit > 0:
            data = source.recv(65536 if limit is None else min(limit, 65536))
            if not data:
                break
            target.sendall(data)
            limit = None if limit is None else limit - len(data)


class Network:
    """A TCP proxy before a service: connections are carried as planned, and wholly once the plan is used up."""

    def __init__(self, port: int) -> None:
        self._service = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.plan: list[Carry] = []
        self.carried = 0
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                self.carried += 1
                self.open.append(client)
                carry = self.plan.pop(0) if self.plan else whole
                threading.Thread(target=self._carry, args=(carry, client), daemon=True).start()

    def _carry(self, carry: Carry, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._service)) as service:
            carry(client, service)
            for one in (client, service):  # closing alone says nothing while another thread reads
                one.shutdown(socket.SHUT_RDWR)
