"""What the environment says about the way to a service: proxies, and the certificate authorities to trust.

It is read here and not by the HTTP library, so that loopback never goes through a proxy, and every problem is one error
that names the variable. ``.netrc`` is not read: the token of ``connect`` is the only one that is sent.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ..errors import SettingsError
from .hosts import is_excepted, is_loopback

_SCHEMES = ("http", "https", "socks5", "socks5h")
_SYSTEM = "the system's proxy settings"
_ELSE = "Correct it, unset it, or name the service's host in NO_PROXY."


@dataclass(frozen=True)
class Route:
    """How requests leave this machine.

    Attributes
    ----------
    proxy
        The URL of a proxy, with its password if it has one, or None.
    source
        What says so, and the proxy without a password: for messages.
    """

    proxy: str | None = field(default=None, repr=False)
    source: str = ""

    @property
    def note(self) -> str:
        """A sentence for errors; empty without a proxy."""
        return f"The way there is the proxy of {self.source}." if self.proxy else ""


def route_to(url: str) -> Route:
    """The way to a URL, by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in small letters first, or by the settings
    of Windows and macOS.

    Raises
    ------
    SettingsError
        If a variable that matters for this URL cannot be used.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    proxies = {} if is_loopback(host) else getproxies()
    scheme = next((scheme for scheme in (parts.scheme, "all") if proxies.get(scheme, "").strip()), None)
    if scheme is None:
        return Route()
    variable = _variable(f"{scheme}_proxy")
    if proxy_bypass(host) if variable is None else _is_excepted(parts, proxies.get("no", "")):
        return Route()
    return _checked(variable or _SYSTEM, proxies[scheme])


def _variable(name: str) -> str | None:
    """Which variable it is that is set, in small letters first."""
    return next(
        (
            variable
            for variable in sorted(os.environ, reverse=True)
            if variable.lower() == name and os.environ[variable]
        ),
        None,
    )


def _is_excepted(url: SplitResult, entries: str) -> bool:
    try:
        return is_excepted(url, entries)
    except ValueError as error:
        raise SettingsError(
            f"{_variable('no_proxy')} must hold names, addresses and networks of hosts, with commas between them: "
            f"{error}."
        ) from None


def _checked(source: str, value: str) -> Route:
    """The way through a proxy. Errors show its scheme, host and port alone: anything else may be secret."""
    proxy = value.strip() if "://" in value else f"http://{value.strip()}"
    host = re.split(r"[/?#]", proxy.rpartition("@")[2].rpartition("://")[2])[0]
    shown = f"{proxy.partition('://')[0]}://{host}"
    try:
        url = httpx.URL(proxy)
        usable = url.scheme in _SCHEMES and bool(url.host) and proxy.isprintable() and " " not in proxy
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise SettingsError(
            f"{source} must name a proxy like http://proxy.example.com:3128, or socks5://…. Got {shown!r}. {_ELSE}"
        )
    if url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise SettingsError(
            f"{source} names a SOCKS proxy, {shown}. That needs socksio: pip install 'httpx[socks]'. Or unset it, or "
            "name the service's host in NO_PROXY."
        )
    return Route(proxy, f"{source}, {shown}")
