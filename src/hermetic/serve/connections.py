"""Who is connected, and who has to go when there are too many.

A connection that waits for its client can be closed without harm: the oldest goes when another needs its place. First
those go whose clients never showed that they may call, then idle ones, then those whose requests do not come to their
end. Connections that the service works for stay. So whoever opens thousands closes their own, and an honest caller, who
sends a request at once, gets its answer, from the same address too.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict, defaultdict
from enum import IntEnum
from typing import Protocol

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SITE_BITS = 64
_ANYWHERE = ""


class Waiting(IntEnum):
    """What a connection waits for; the first go first."""

    STRANGER = 0
    IDLE = 1
    SENDING = 2


class Connection(Protocol):
    """What the table needs of a connection."""

    address: str
    """What it is counted by, from :func:`counted_by`."""

    def dismiss(self) -> None:
        """Close it; it has left the table."""


class ConnectionTable:
    """Every open connection.

    Parameters
    ----------
    total, per_address
        Connections at once, of everyone and of one address.
    half_open
        Connections at once whose request line and headers have begun and are not complete.
    """

    def __init__(self, total: int, per_address: int, half_open: int) -> None:
        self._total = total
        self._per_address = per_address
        self._most_half_open = half_open
        self._counts: Counter[str] = Counter()
        self._places: dict[Connection, Waiting | None] = {}
        self._lines: defaultdict[tuple[str, Waiting], OrderedDict[Connection, None]] = defaultdict(OrderedDict)
        self._half_open: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._places)

    def admit(self, connection: Connection) -> bool:
        """Let a connection in, as a stranger; False if there is no place, and none can be made."""
        if (
            connection.address
            and self._counts[connection.address] >= self._per_address
            and not self._dismiss_oldest(connection.address)
        ):
            return False
        if len(self) >= self._total and not self._dismiss_oldest(_ANYWHERE):
            return False
        self._counts[connection.address] += 1
        self._places[connection] = None
        self.wait(connection, Waiting.STRANGER)
        return True

    def wait(self, connection: Connection, what: Waiting) -> None:
        """From now on the connection waits for its client."""
        if connection in self._places:
            self.work(connection)
            self._places[connection] = what
            for where in {connection.address, _ANYWHERE}:
                self._lines[where, what][connection] = None

    def begin_headers(self, connection: Connection) -> None:
        """A request's headers have begun. The oldest such connection goes if there are too many."""
        if connection in self._places:
            self._half_open[connection] = None
            if len(self._half_open) > self._most_half_open:
                self._dismiss(next(iter(self._half_open)))

    def end_headers(self, connection: Connection) -> None:
        """The request's headers are complete."""
        self._half_open.pop(connection, None)

    def work(self, connection: Connection) -> None:
        """From now on the connection's client waits for the service."""
        what = self._places.get(connection)
        if what is None:
            return
        self._places[connection] = None
        for where in {connection.address, _ANYWHERE}:
            line = self._lines[where, what]
            del line[connection]
            if not line:
                del self._lines[where, what]

    def leave(self, connection: Connection) -> None:
        """The connection is closed, or about to be."""
        self.end_headers(connection)
        self.work(connection)
        if connection in self._places:
            del self._places[connection]
            self._counts[connection.address] -= 1
            if not self._counts[connection.address]:
                del self._counts[connection.address]

    def _dismiss_oldest(self, where: str) -> bool:
        for what in Waiting:
            if line := self._lines.get((where, what)):
                self._dismiss(next(iter(line)))
                return True
        return False

    def _dismiss(self, connection: Connection) -> None:
        self.leave(connection)
        connection.dismiss()


def counted_by(host: str | None, proxies: tuple[Network, ...]) -> str:
    """What a client's connections are counted by: its address, or its network of 64 bits, which one IPv6 client has to
    itself; empty for a proxy, whose connections are those of many clients, and where there is no address.
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return _ANYWHERE
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if any(address in network for network in proxies):
        return _ANYWHERE
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), _SITE_BITS), strict=False))
