"""Rates, quotas, sizes and queues: what one caller may take from the others, and what it is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from asking import Caller, binary_request, metric, until
from hypothesis import given
from hypothesis import strategies as st
from raw import Raw

from fitted import Fitted, digits, petals, progression, tumours
from hermetic import Query, Result
from hermetic.circuits.query import Batch
from hermetic.serve.access import new_token, token_line
from hermetic.serve.limits import MAX_ANSWER_BYTES, NANOSECONDS, BodySizes, MemoryBudget, Meter, Rate
from known_weights import compiled
from live import Live, serving

SECOND, DAY = Rate(10, 1), Rate(100, 86400)
PERIODS = st.sampled_from(["second", "minute", "hour", "day"])
AMOUNTS = st.one_of(st.integers(1, 1000), st.integers(1, 10**12 - 1))
RATES = st.builds(lambda amount, period: Rate.parse(f"{amount}/{period}"), AMOUNTS, PERIODS)


class Clock:
    """Time that tests move, in seconds; it shows nanoseconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> int:
        return round(Fraction(self.now) * NANOSECONDS)


class TestMeter:
    """Rates over time."""

    def test_an_amount_may_be_spent_at_once_and_comes_back_evenly(self) -> None:
        clock = Clock()
        meter = Meter(clock)
        assert meter.charge("acme", (SECOND,), 10) == 0
        assert meter.charge("acme", (SECOND,), 1) == pytest.approx(0.1)
        clock.now += 0.11
        assert meter.charge("acme", (SECOND,), 1) == 0
        assert meter.charge("acme", (SECOND,), 5) == pytest.approx(0.49)

    def test_the_told_wait_is_exactly_long_enough(self) -> None:
        clock = Clock()
        meter = Meter(clock)
        meter.charge("acme", (SECOND, DAY), 10)
        wait = meter.wait("acme", (SECOND, DAY), 7)
        clock.now += wait - 0.001
        assert meter.charge("acme", (SECOND, DAY), 7) > 0
        clock.now += 0.002
        assert meter.charge("acme", (SECOND, DAY), 7) == 0

    def test_every_limit_counts_and_a_refused_request_is_not_charged(self) -> None:
        clock = Clock()
        meter = Meter(clock)
        for _ in range(10):
            assert meter.charge("acme", (SECOND, DAY), 10) == 0
            clock.now += 1
        assert meter.charge("acme", (SECOND, DAY), 10) == pytest.approx(10 * 864, abs=20)
        assert meter.charge("acme", (SECOND,), 10) == 0  # the refusal above took nothing from this one

    def test_a_rate_and_a_quota_that_are_equal_are_one_limit(self) -> None:
        meter = Meter(Clock())
        assert [meter.charge("acme", (SECOND, SECOND), 1) for _ in range(10)] == [0] * 10
        assert meter.charge("acme", (SECOND, SECOND), 1) > 0

    def test_tenants_do_not_share(self) -> None:
        meter = Meter(Clock())
        assert meter.charge("acme", (SECOND,), 10) == 0
        assert meter.charge("other", (SECOND,), 10) == 0

    def test_what_never_fits_waits_for_ever(self) -> None:
        assert math.isinf(Meter(Clock()).charge("acme", (SECOND,), 11))

    @given(st.floats(0, 2**40), RATES)
    def test_an_untouched_limit_gives_its_whole_amount_at_any_moment(self, now: float, rate: Rate) -> None:
        """At once, or one by one, or in two parts; and not one more. However long the machine has been running."""
        clock = Clock(now)
        assert Meter(clock).charge("acme", (rate,), rate.amount) == 0
        meter, half = Meter(clock), rate.amount // 2
        assert meter.charge("acme", (rate,), rate.amount - half) == 0
        assert not half or meter.charge("acme", (rate,), half) == 0
        assert 0 < meter.charge("acme", (rate,), 1) <= rate.seconds

    @given(st.integers(0, 2**50), st.lists(RATES, min_size=1, max_size=3), st.data())
    def test_the_told_wait_is_enough_for_every_rate(self, start: int, rates: list[Rate], data: st.DataObject) -> None:
        """To the nanosecond, as whole seconds are told; and after a period nothing is left of the past."""
        clock, limits = Clock(float(start)), tuple(rates)
        meter, least = Meter(clock), min(one.amount for one in rates)
        for _ in range(3):
            cost = data.draw(st.integers(1, least))
            wait = meter.charge("acme", limits, cost)
            clock.now += math.ceil(wait)
            assert meter.wait("acme", limits, cost) == 0 or not wait
        clock.now += 2 * max(one.seconds for one in rates)
        assert meter.charge("acme", limits, least) == 0

    @given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 10)), max_size=60))
    def test_no_period_gets_more_than_twice_the_amount(self, steps: list[tuple[float, int]]) -> None:
        clock = Clock()
        meter, spent = Meter(clock), []
        for pause, cost in steps:
            clock.now += pause
            if meter.charge("acme", (SECOND,), cost) <= 0:
                spent.append((clock.now, cost))
        for start, _ in spent:
            assert sum(cost for at, cost in spent if start <= at < start + 1) <= 20


class TestSizes:
    """Exact body sizes from a signature."""

    @pytest.mark.parametrize("fitted", [petals, digits, tumours, progression])
    def test_what_clients_send_is_allowed(self, fitted: Callable[[], Fitted]) -> None:
        signature = fitted().signature
        sizes = BodySizes.of(signature, 4096)
        for samples in (1, 2, 3, 7, 16, 100, 1000, 4095, 4096):
            size = Query.size(signature, signature.layout_for(samples), samples)
            assert sizes.allow(size), samples
            assert size <= sizes.largest
            assert not sizes.allow(size - 1)
            assert not sizes.allow(size + 1)

    @pytest.mark.parametrize("fitted", [petals, digits, tumours, progression])
    def test_no_allowed_size_costs_more_than_the_largest_batch(self, fitted: Callable[[], Fitted]) -> None:
        """Nobody may send thousands of samples one ciphertext each."""
        signature = fitted().signature
        budget = signature.cost(4096).estimated_ms
        single = signature.layout_for(1)
        worst = max(count for unit, count in BodySizes.of(signature, 4096).units)
        assert worst * signature.cost(1).estimated_ms <= budget + signature.cost(1).estimated_ms
        assert not BodySizes.of(signature, 4096).allow(Query.size(signature, single, 4096))

    def test_no_allowed_size_has_an_enormous_answer(self) -> None:
        """Where there is more than one chunk; tall models answer few samples a request."""
        rng = np.random.default_rng(0)
        signature = compiled(rng.normal(size=(5000, 8)), np.zeros(5000), input_range=(-1, 1)).signature
        sizes = BodySizes.of(signature, 1 << 16)
        assert sizes.allow(Query.size(signature, signature.layout_for(1), 1))
        for layout, (_, chunks) in zip(signature.layouts, sizes.units, strict=True):
            assert chunks == 1 or Result.size(signature, layout, chunks * layout.samples) < MAX_ANSWER_BYTES + 1000

    @pytest.mark.parametrize("fitted", [petals, digits, tumours, progression])
    @pytest.mark.parametrize("most", [1, 64, 4096])
    def test_more_samples_than_are_allowed_are_too_many(self, fitted: Callable[[], Fitted], most: int) -> None:
        """Whatever other layouts' largest queries are: a client that sends fewer samples then gets through."""
        circuit = fitted().signature.circuit
        sizes = BodySizes.of(fitted().signature, most)
        for size in (circuit.query_bytes(samples) for samples in (1, 65, 700, 2500, 5000, 50_000)):
            assert sizes.allow(size) != sizes.too_many(size)
            assert not sizes.allow(size + 1)
            assert sizes.too_many(size + 1) == (size + 1 > sizes.largest)

    def test_the_largest_is_a_size(self) -> None:
        sizes = BodySizes.of(digits().signature, 4096)
        assert sizes.allow(sizes.largest)
        assert not sizes.allow(0)
        assert not sizes.allow(-1)
        assert not sizes.allow(sizes.fixed)

    def test_a_layout_counts_in_full(self) -> None:
        """A client can use every place of a layout, whatever number of samples it declares."""
        layout = digits().signature.layouts[-1]
        batch = Batch(bytes(32), bytes(32), bytes(32), 1, layout, False)
        assert layout.samples > 1
        assert batch.places == layout.samples


def test_the_memory_for_bodies_is_bounded_and_shared_fairly() -> None:
    budget = MemoryBudget(100)
    assert budget.take("acme", 50)
    assert not budget.take("acme", 1)
    assert budget.take("other", 50)
    assert not budget.take("third", 1)
    budget.give_back("acme", 50)
    assert budget.take("third", 30)
    assert budget.used == 80


class TestOverHttp:
    """The same over a socket."""

    def test_a_rate_is_kept_and_the_wait_is_told(self, tmp_path: Path) -> None:
        with serving(tmp_path, {"petals": petals().model}, "--rate", "5/day", "--quota", "1000/day") as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            answers = [caller.infer(caller.query()) for _ in range(6)]
            assert [one.status_code for one in answers] == [200] * 5 + [429]
            assert answers[-1].json()["code"] == "over_limit"
            assert 0 < int(answers[-1].headers["retry-after"]) <= 86400 / 5

    def test_a_daily_quota_counts_whole_layouts(self, tmp_path: Path) -> None:
        with serving(tmp_path, {"petals": petals().model}, "--quota", "100/day") as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            batch = caller.query(60)
            cost = batch.batch.places
            assert caller.works(60)
            answer = caller.infer(caller.query(60))
            assert (answer.status_code, answer.json()["code"]) == (429, "over_limit")
            missing = 2 * cost - 100
            assert int(answer.headers["retry-after"]) == pytest.approx(missing * 864, abs=600)

    def test_what_a_limit_never_allows_is_too_large(self, tmp_path: Path) -> None:
        with serving(tmp_path, {"petals": petals().model}, "--rate", "5/second") as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            answer = caller.infer(caller.query(64))
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
            assert "retry-after" not in answer.headers

    def test_a_token_may_state_its_own_limits(self, tmp_path: Path) -> None:
        small, large = new_token(), new_token()
        lines = [token_line("small", small, quota="2/day"), token_line("large", large, quota="1000/day")]
        (tmp_path / "tokens").write_text("\n".join(lines))
        options = ("--tokens", str(tmp_path / "tokens"), "--quota", "1/day")
        with serving(tmp_path, {"petals": petals().model}, *options) as live:
            statuses = {}
            for token in (small, large):
                caller = Caller(live.url, petals(), token=token)
                caller.put_key()
                statuses[token] = [caller.infer(caller.query()).status_code for _ in range(4)]
            assert statuses[small] == [200, 200, 429, 429]
            assert statuses[large] == [200] * 4

    @pytest.mark.parametrize(("change", "status"), [(1, 422), (-1, 422), (1 << 40, 413), (1 << 70, 400)])
    def test_other_sizes_are_refused_by_their_declared_length(
        self, known: Caller, service: Live, change: int, status: int
    ) -> None:
        """All but the start of the body is never sent here, and the answer comes all the same."""
        body, headers = binary_request(known.query().to_bytes())
        length = {"Content-Length": str(len(body) + change)}
        with Raw(service.port) as raw:
            raw.send_head("POST", "/v2/models/digits/infer", {**headers, **length})
            raw.send(body[:1000])
            assert raw.read_answer().status == status

    def test_a_json_body_may_not_be_large(self, known: Caller) -> None:
        answer = known.http.post("/v2/models/digits/infer", content=b"[" + b"0," * (2 << 20))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "binary tensor" in answer.json()["error"]

    def test_a_body_without_a_length_is_refused(self, known: Caller) -> None:
        for address in ("/v2/models/digits/infer", "/score"):
            answer = known.http.post(address, content=iter([b"abc", b"def"]))
            assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def inside(live: Live, token: str | None = None) -> float:
    """How many requests are in the evaluation process, or wait for it."""
    return sum(metric(live.url, name, token) for name in ("hermetic_queue", "hermetic_running"))


class TestBackPressure:
    """More requests than evaluation processes."""

    def test_the_queue_is_short_then_503(self, tmp_path: Path) -> None:
        """The only process stands still: few are with it, few wait, and the others are told to come back."""
        options = ("--workers", "1", "--queue", "2", "--queue-timeout", "600", "--evaluation-timeout", "600")
        with serving(tmp_path, {"digits": digits().model}, *options) as live:
            caller = Caller(live.url, digits())
            caller.put_key()
            query = caller.query().to_bytes()
            (worker,) = psutil.Process(live.process.pid).children()
            worker.suspend()
            with ThreadPoolExecutor(24) as threads:
                pending = [threads.submit(caller.infer, query) for _ in range(24)]
                until(lambda: sum(one.done() for one in pending) + inside(live) == 24)
                worker.resume()
            answers = [one.result() for one in pending]
            assert {one.status_code for one in answers} == {200, 503}
            busy = next(one for one in answers if one.status_code == 503)
            assert busy.json()["code"] == "busy"
            assert int(busy.headers["retry-after"]) >= 1
            assert all(caller.is_right(one) for one in answers if one.status_code == 200)
            assert caller.works()

    def test_who_waits_too_long_is_told_so(self, tmp_path: Path) -> None:
        options = ("--workers", "1", "--queue", "100", "--queue-timeout", "0.05", "--evaluation-timeout", "600")
        with serving(tmp_path, {"digits": digits().model}, *options) as live:
            caller = Caller(live.url, digits())
            caller.put_key()
            query = caller.query().to_bytes()
            (worker,) = psutil.Process(live.process.pid).children()
            worker.suspend()
            with ThreadPoolExecutor(8) as threads:
                pending = [threads.submit(caller.infer, query) for _ in range(8)]
                until(lambda: sum(one.done() for one in pending) + metric(live.url, "hermetic_running") == 8)
                worker.resume()
            answers = [one.result() for one in pending]
            assert {one.status_code for one in answers} == {200, 503}
            assert all("became free in time" in one.text for one in answers if one.status_code == 503)

    def test_tenants_take_turns(self, tmp_path: Path) -> None:
        """One tenant's flood does not lock another out: its query overtakes the flood that waits."""
        noisy, quiet, watching = new_token(), new_token(), new_token()
        lines = token_line("noisy", noisy), token_line("quiet", quiet), token_line("ops", watching, role="metrics")
        (tmp_path / "tokens").write_text("\n".join(lines))
        options = ("--tokens", str(tmp_path / "tokens"), "--workers", "1", "--queue", "64", "--queue-timeout", "600")
        with serving(tmp_path, {"digits": digits().model}, *options) as live:
            flood, lone = (Caller(live.url, digits(), token=one) for one in (noisy, quiet))
            flood.put_key()
            lone.put_key()
            heavy, light = flood.query(1000).to_bytes(), lone.query().to_bytes()
            (worker,) = psutil.Process(live.process.pid).children()
            worker.suspend()
            with ThreadPoolExecutor(25) as threads:
                for _ in range(24):
                    threads.submit(flood.infer, heavy)
                until(lambda: inside(live, watching) == 24)
                last = threads.submit(lone.infer, light)
                until(lambda: inside(live, watching) == 25)
                running = metric(live.url, "hermetic_running", watching)
                worker.resume()
                assert lone.is_right(last.result())
        answered = [one["tenant"] for one in live.log if one.get("event") == "request" and "evaluation_ms" in one]
        assert len(answered) == 25
        assert answered.index("quiet") <= running + 1, "after those in the process, and one turn of the flood"

    def test_health_never_waits_for_an_evaluation(self, tmp_path: Path) -> None:
        """The only evaluation process stands still in the middle of its work."""
        with serving(tmp_path, {"petals": petals().model}, "--workers", "1") as live:
            caller = Caller(live.url, petals())
            caller.put_key()
            (worker,) = psutil.Process(live.process.pid).children()
            worker.suspend()
            with ThreadPoolExecutor(1) as threads:
                pending = threads.submit(caller.infer, caller.query())
                until(lambda: metric(live.url, "hermetic_running"))
                for address in ("/healthz", "/v2/health/live", "/v2/health/ready", "/models", "/metrics"):
                    assert httpx.get(live.url + address, timeout=60).status_code == 200
                assert not pending.done()
                worker.resume()
                assert caller.is_right(pending.result())
