"""Ports for services that must be told theirs."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One that nothing listens on now. The kernel gives it to no connection and to no other service meanwhile: it is
    outside the range that it takes such ports from.
    """
    low, high = map(int, _GIVEN.read_text(encoding="ascii").split()) if _GIVEN.exists() else (49152, 65535)
    candidates = [port for port in range(1024, 65536) if not low <= port <= high]
    while True:
        port = secrets.choice(candidates)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
