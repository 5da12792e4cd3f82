"""Who has to go when there are too many connections: those that wait for their clients, the oldest first."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hermetic.serve.connections import ConnectionTable, Waiting, counted_by

TOTAL, PER_ADDRESS, HALF_OPEN = 6, 4, 2
ADDRESSES = ("10.0.0.1", "10.0.0.2", "")


@dataclass(eq=False)
class Guest:
    """A connection that notes what becomes of it."""

    address: str
    gone: list[Guest] = field(default_factory=list)

    def dismiss(self) -> None:
        self.gone.append(self)


class Crowd(RuleBasedStateMachine):
    """Connections come, wait, are worked for and leave, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ConnectionTable(TOTAL, PER_ADDRESS, HALF_OPEN)
        self.gone: list[Guest] = []
        self.waiting: dict[Guest, Waiting] = {}  # in the order in which they began to wait
        self.working: dict[Guest, None] = {}  # in an order, for hypothesis to repeat
        self.half_open: list[Guest] = []

    @property
    def inside(self) -> list[Guest]:
        return [*self.waiting, *self.working]

    def oldest(self, address: str) -> Guest | None:
        found = [one for one in self.waiting if address in ("", one.address)]
        return min(found, key=lambda one: self.waiting[one], default=None)  # the first of the least

    def forget(self, one: Guest) -> None:
        self.waiting.pop(one, None)
        self.working.pop(one, None)
        if one in self.half_open:
            self.half_open.remove(one)

    @rule(address=st.sampled_from(ADDRESSES))
    def comes(self, address: str) -> None:
        new, leaving = Guest(address, self.gone), []
        here = Counter(one.address for one in self.inside)
        if address and here[address] >= PER_ADDRESS:
            leaving.append(self.oldest(address))
        elif len(self.inside) >= TOTAL:
            leaving.append(self.oldest(""))
        admitted = self.table.admit(new)
        assert admitted == (None not in leaving)
        assert self.gone == [one for one in leaving if one]
        for one in self.gone:
            self.forget(one)
        self.gone.clear()
        if admitted:
            self.waiting[new] = Waiting.STRANGER

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), what=st.sampled_from([*Waiting, None]))
    def changes(self, data: st.DataObject, what: Waiting | None) -> None:
        one = data.draw(st.sampled_from(self.inside))
        half_open = one in self.half_open
        self.forget(one)
        if half_open:
            self.half_open.append(one)
            self.half_open.sort(key=lambda other: list(self.table._half_open).index(other))
        if what is None:
            self.working[one] = None
            self.table.work(one)
        else:
            self.waiting[one] = what
            self.table.wait(one, what)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def begins_headers(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.waiting)))
        if one in self.half_open:
            return
        self.half_open.append(one)
        first = self.half_open[0]
        self.table.begin_headers(one)
        assert self.gone == ([first] if len(self.half_open) > HALF_OPEN else [])
        for other in self.gone:
            self.forget(other)
        self.gone.clear()

    @precondition(lambda self: self.half_open)
    @rule(data=st.data())
    def ends_headers(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.half_open))
        self.half_open.remove(one)
        self.table.end_headers(one)

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.inside))
        self.forget(one)
        self.table.leave(one)
        self.table.leave(one)
        self.table.wait(one, Waiting.IDLE)
        self.table.begin_headers(one)

    @invariant()
    def holds(self) -> None:
        assert len(self.table) == len(self.inside) <= TOTAL
        here = Counter(one.address for one in self.inside if one.address)
        assert max(here.values(), default=0) <= PER_ADDRESS
        assert len(self.half_open) <= HALF_OPEN
        assert not self.gone

    def teardown(self) -> None:
        for one in self.inside:
            self.table.leave(one)
        assert not self.table._counts and not self.table._lines and not self.table._half_open


TestCrowd = Crowd.TestCase


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("192.168.3.4", ""),
        ("::ffff:192.168.3.4", ""),
        ("2001:db8:ffff::9", ""),
        ("", ""),
        (None, ""),
        ("/run/hermetic.sock", ""),
    ],
)
def test_what_a_connection_is_counted_by(host: str | None, counted: str) -> None:
    proxies = (ipaddress.ip_network("192.168.0.0/16"), ipaddress.ip_network("2001:db8:ffff::/48"))
    assert counted_by(host, proxies) == counted
