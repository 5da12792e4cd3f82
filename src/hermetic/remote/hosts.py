"""Hosts by name and by address: which are this machine, and which a list of exceptions names."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}
_NUMBERS = re.compile(r"[0-9a-fA-FxX.]*[0-9a-fA-F]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether a host, by name or by address in any spelling, is this machine."""
    address = _address(host)
    if address is None:
        return host.lower().rstrip(".") == "localhost"
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def is_excepted(url: SplitResult, entries: str) -> bool:
    """Whether a list like that of NO_PROXY names the host of a URL.

    An entry is a name, which stands for its subdomains as well, an address, a network, or ``*`` for all hosts; a port
    or a scheme limits it.

    Raises
    ------
    ValueError
        For an entry that is none of these.
    """
    return any(_fits(entry, url) for entry in re.split(r"[,\s]+", entries) if entry)


def _fits(entry: str, url: SplitResult) -> bool:
    scheme, _, rest = entry.rpartition("://")
    host, network, port = _read(rest.rstrip("/") if scheme else rest, entry)
    if scheme not in ("", "all", url.scheme) or port not in (None, url.port or _PORTS.get(url.scheme)):
        return False
    wanted = (url.hostname or "").rstrip(".")
    if network is not None:
        address = _address(wanted)
        return address is not None and address in network
    suffix = host.removeprefix("*").strip(".")
    return f".{wanted}".endswith(f".{suffix}" if suffix else "")


def _read(text: str, entry: str) -> tuple[str, Network | None, int | None]:
    """A host, or a network of one address or more, and its port."""
    network = _network(text)
    if network is not None:
        return text, network, None
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or parts.query or parts.username is not None:
        raise ValueError(f"{entry!r} is none of these")
    return parts.hostname, _network(parts.hostname), parts.port


def _network(text: str) -> Network | None:
    address, slash, length = text.partition("/")
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        return ipaddress.ip_network(bare + slash + length, strict=False)
    except ValueError:
        return None


def _address(host: str) -> Address | None:
    """An IP address in any spelling that the operating system takes, such as 127.1."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host)) if _NUMBERS.fullmatch(host) else None
    except OSError:
        return None
