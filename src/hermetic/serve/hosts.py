"""A guard for services without tokens on this machine: they answer to the machine's own names alone.

A page that someone here visits can point its own name at 127.0.0.1 (DNS rebinding) and would then be of the service's
origin. Its requests still carry that name as their ``Host``.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from .refusals import RefusalError
from .settings import Settings

HostCheck = Callable[[str | None], None]


def host_check(settings: Settings) -> HostCheck:
    """A function that takes a ``Host`` header and raises :class:`RefusalError` 421 if it names someone else."""
    if settings.tokens or not settings.is_loopback:
        return lambda header: None
    known: set[str | None] = {"localhost", "127.0.0.1", "::1", settings.host.lower()}
    if settings.public_url:
        known.add(_name(urlsplit(settings.public_url).netloc))

    def check(header: str | None) -> None:
        if header is not None and _name(header) not in known:
            message = f"the Host header must be localhost, {settings.host} or the name in public_url. It is another."
            raise RefusalError(421, "wrong_host", message)

    return check


def _name(host: str) -> str | None:
    """The name in ``name:port``; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
