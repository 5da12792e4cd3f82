"""Fifty thousand requests that nobody honest sends: each is refused as it should be, and nothing is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from asking import Caller, metric
from hostile import Attack, Material, Outcome, attacks, besiege

from fitted import digits
from live import Live, serving

WARM_UP = 5_000
COUNT = 50_000
GROWTH_MB = 16
MAX_KEYS = 40


@dataclass(frozen=True)
class Siege:
    """A service under attack: what it answered, and what its processes were before and after."""

    live: Live
    caller: Caller
    outcome: Outcome
    processes: tuple[int, ...]
    processes_after: tuple[int, ...]
    memory: dict[int, float]
    memory_after: dict[int, float]


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    folder = tmp_path_factory.mktemp("hostile")
    options = ("--workers", "2", "--store", str(folder / "keys"), "--max-keys", str(MAX_KEYS))
    with serving(folder, {"digits": digits().model}, *options) as live:
        caller = Caller(live.url, digits())
        assert caller.put_key().status_code == 201
        material = _material(caller)
        warm_up = besiege(live.port, attacks(material, WARM_UP, seed=1))
        processes, memory = _processes(live), _memory(live)
        outcome = besiege(live.port, attacks(material, COUNT, seed=2))
        outcome.wrong += warm_up.wrong
        yield Siege(live, caller, outcome, processes, _processes(live), memory, _memory(live))


def _material(caller: Caller) -> Material:
    query = caller.query()
    return Material(
        caller.model,
        query.to_bytes(),
        caller.key_id,
        caller.client.public_key.to_bytes(),
        caller.fitted.signature.to_bytes(),
        caller.result(caller.infer(query)).to_bytes(),
    )


def _all(live: Live) -> list[psutil.Process]:
    front = psutil.Process(live.process.pid)
    return [front, *front.children()]


def _processes(live: Live) -> tuple[int, ...]:
    return tuple(sorted(one.pid for one in _all(live)))


def _memory(live: Live) -> dict[int, float]:
    """Resident MB of each process."""
    return {one.pid: one.memory_info().rss / 1e6 for one in _all(live)}


def test_every_request_gets_the_refusal_it_deserves(siege: Siege) -> None:
    assert not siege.outcome.wrong, "\n".join(siege.outcome.wrong[:20])
    assert siege.outcome.sent == COUNT


def test_nothing_fails(siege: Siege) -> None:
    """No 5xx but deliberate back-pressure, and hardly any of that: the service keeps up with eight connections."""
    by_status = siege.outcome.by_status
    assert {status for status in by_status if status >= 500} <= {503}
    assert by_status[503] < COUNT / 100
    assert not [entry for entry in siege.live.log if entry.get("event") in ("fault", "worker_lost")]


def test_every_kind_is_answered(siege: Siege) -> None:
    """Only what cannot be answered is not: a request that never came to its end."""
    answered = {kind for kind, _ in siege.outcome.statuses}
    assert set(siege.outcome.unanswered) - answered <= {"cut off", "enormous query"}
    assert sum(siege.outcome.by_status.values()) > 0.95 * COUNT


def test_replays_are_answered(siege: Siege) -> None:
    """They are what the service is for: the load was real."""
    assert siege.outcome.statuses["replayed", 200] > COUNT / 1000


def test_no_process_dies(siege: Siege) -> None:
    assert siege.processes_after == siege.processes
    assert metric(siege.live.url, "hermetic_worker_restarts") == 0


def test_memory_does_not_grow(siege: Siege) -> None:
    growth = {pid: siege.memory_after[pid] - before for pid, before in siege.memory.items()}
    assert max(growth.values()) < GROWTH_MB, growth


def test_nothing_is_left_behind(siege: Siege) -> None:
    """No request waits, no memory is held, no connection is open, and no more keys are stored than may be."""
    for name in ("queue", "running", "body_bytes"):
        assert metric(siege.live.url, f"hermetic_{name}") == 0
    stored = [file for file in (Path(siege.live.arguments[4])).rglob("*") if file.is_file()]
    assert len(stored) <= MAX_KEYS


def test_honest_callers_are_served_as_before(siege: Siege) -> None:
    assert siege.caller.works()
    assert siege.caller.works(3)
    assert Caller(siege.live.url, digits()).http.get("/healthz").json()["ready"]


def test_a_single_attack_more_or_less_is_noticed() -> None:
    """The judge itself: a status that an attack may not get, an answer without a message, no answer at all."""
    outcome = Outcome()
    attack = Attack("some", b"x", frozenset({422}))
    outcome.note(attack, 422, b'{"error": "so", "code": "malformed"}')
    outcome.note(attack, 503, b'{"error": "so", "code": "busy"}')
    assert not outcome.wrong
    outcome.note(attack, 500, b'{"error": "so", "code": "internal"}')
    outcome.note(attack, 200, b"[]")
    outcome.note(attack, 422, b"sorry")
    outcome.note_unanswered(attack)
    assert len(outcome.wrong) == 4
