"""A guard for services without tokens: pages of other web origins may not have them compute or store anything.

A browser sends simple requests for any page it shows, to any address it reaches, and withholds only the answer. A token
would tell such a request from a caller's own. Where there are none, the browser's word does, which no page can change:
``Sec-Fetch-Site``, and ``Origin`` where that is missing. Programs send neither.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from .refusals import RefusalError
from .settings import Settings

OriginCheck = Callable[[Headers], None]

_OWN_SITES = ("same-origin", "none")
_PORTS = {"http": 80, "https": 443}

Place = tuple[str, int]


def origin_check(settings: Settings) -> OriginCheck:
    """A function that takes a request's headers and raises :class:`RefusalError` 403 if another page sent it."""
    if settings.tokens:
        return lambda headers: None
    own = _place(settings.public_url) if settings.public_url else None

    def check(headers: Headers) -> None:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site in _OWN_SITES or (site is None and origin is None):
            return
        if origin is None or not (origin in settings.cors_origins or _is_own(origin, headers.get("host"), own)):
            message = "a page of another origin must be named in cors_origin, or the service have tokens. It is not."
            raise RefusalError(403, "cross_site", message)

    return check


def _is_own(origin: str, host: str | None, public: Place | None) -> bool:
    """Whether a page came from the address that it now calls, or from the one that callers see."""
    page, scheme = _place(origin), origin.partition("://")[0]
    return page is not None and page in (_place(f"{scheme}://{host or ''}"), public)


def _place(url: str) -> Place | None:
    """Name and port of a web address; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port and parts.scheme in _PORTS else None
