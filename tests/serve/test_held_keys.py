"""The front process and an evaluation process agree on which keys the latter holds, whatever fails on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hostile import flipped
from telling_evaluator import HeldKeys, TellHeldKeys

from fitted import digits, progression
from hermetic import Client, CompiledModel
from hermetic.serve.messages import Evaluate, EvaluateLegacy
from hermetic.serve.worker import (
    EvaluationError,
    FaultError,
    PoolOptions,
    Program,
    Worker,
    WorkerLostError,
)

FAILURES = (EvaluationError, FaultError)
SEEDS = range(4)
KEYS = 5


def program() -> Program:
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    return Program("telling_evaluator", {"threads": 1}, environment, depth=2)


@contextlib.asynccontextmanager
async def process(key_memory: int) -> AsyncIterator[Worker]:
    """A worker with two models."""
    options = PoolOptions(workers=1, key_memory=key_memory, timeout=60, queue=0, queue_timeout=1)
    worker = Worker(options, program())
    await worker.start()
    ended = asyncio.create_task(worker.ended())
    try:
        for one in (digits(), progression()):
            await worker.load(one.signature.name, model_bytes(one.model))
        yield worker
    finally:
        worker.kill()
        await ended


def model_bytes(model: CompiledModel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.save(path := Path(folder) / "model.hermetic")
        return path.read_bytes()


async def held(worker: Worker) -> set[str]:
    reply, _ = await worker.ask(TellHeldKeys(), reply=HeldKeys)
    return set(reply.key_ids)


class Person:
    """Someone with a key, who asks rightly and wrongly."""

    def __init__(self) -> None:
        self.client = Client(digits().signature)
        self.key, self.key_id = self.client.public_key.to_bytes(), self.client.public_key.id
        self.query = self.client.encrypt(digits().X[:1]).to_bytes()

    def asks(self, source: random.Random) -> tuple[bool, Callable[[Worker], Awaitable[object]]]:
        """Whether it can be answered, and a message to the process: right, or wrong in one of many ways."""
        name, key, query = digits().signature.name, self.key, self.query
        ways: list[tuple[bool, str, bytes, tuple[bytes, ...], type[Evaluate]]] = [
            (True, name, key, (query,), Evaluate),
            (False, name, key, (flipped(source, query, len(query) - 32),), Evaluate),
            (False, name, key, (query[:100],), Evaluate),
            (False, name, key, (), Evaluate),
            (False, progression().signature.name, key, (query,), Evaluate),
            (False, "no such model", key, (query,), Evaluate),
            (False, name, key[:-1], (query,), Evaluate),
            (False, name, b"\x00" * len(key), (query,), Evaluate),
            (False, name, key, (query,), EvaluateLegacy),
        ]
        right, model, sent, parts, kind = source.choice(ways)
        return right, lambda worker: worker.evaluate(model, self.key_id, sent, *parts, kind=kind)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_fails_both_sides_agree(seed: int) -> None:
    """Messages two at a time, as in service, for more keys than fit, with deletions in between."""
    source = random.Random(seed)
    people = [Person() for _ in range(KEYS)]
    cost = int(Evaluate.key_growth * len(people[0].key))

    async def run() -> None:
        async with process(key_memory=3 * cost) as worker:
            for _ in range(40):
                pair = [source.choice(people) for _ in range(2)]
                answers = await asyncio.gather(
                    *(person.asks(source)[1](worker) for person in pair), return_exceptions=True
                )
                assert all(isinstance(one, FAILURES) for one in answers if isinstance(one, BaseException)), answers
                if source.random() < 0.3:
                    await worker.drop_key(source.choice(people).key_id)
                believed = {one.key_id for one in people if worker.has_key(one.key_id)}
                assert await held(worker) == believed == set(worker._keys)
                assert len(believed) <= 3
            for person in people:  # and nobody is locked out by what others, or they themselves, got wrong
                await worker.evaluate(digits().signature.name, person.key_id, person.key, person.query)

    asyncio.run(run())


STRANGERS = 10


def keys_after_strangers() -> int:
    """Strangers, each wrong once, with a key of its own: how many of the keys stay in the process."""
    source = random.Random(5)

    async def run() -> int:
        async with process(key_memory=1 << 30) as worker:
            for _ in range(STRANGERS):
                person = Person()
                bad = flipped(source, person.query, len(person.query) - 32)
                with pytest.raises(EvaluationError):
                    await worker.evaluate(digits().signature.name, person.key_id, person.key, bad)
            return len(await held(worker))

    return asyncio.run(run())


def test_a_key_that_came_with_a_failing_message_is_given_back() -> None:
    assert keys_after_strangers() == 0


def test_without_that_wrong_queries_fill_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack that the giving back prevents: the front process alone forgets, and so never makes room."""
    monkeypatch.setattr(Worker, "_renounce", lambda worker, key_id: worker._keys.pop(key_id, None))
    assert keys_after_strangers() == STRANGERS


def test_a_failing_message_does_not_take_the_key_from_one_behind_it() -> None:
    """Both are in the process: the second was sent without the key's bytes."""
    source = random.Random(6)

    async def run() -> None:
        async with process(key_memory=1 << 30) as worker:
            person, name = Person(), digits().signature.name
            bad = flipped(source, person.query, len(person.query) - 32)
            wrong, right = await asyncio.gather(
                worker.evaluate(name, person.key_id, person.key, bad),
                worker.evaluate(name, person.key_id, person.key, person.query),
                return_exceptions=True,
            )
            assert isinstance(wrong, EvaluationError)
            assert not isinstance(right, BaseException), right

    asyncio.run(run())


@pytest.mark.parametrize("damage", [0, 1])
def test_who_no_longer_waits_locks_nobody_out(damage: int) -> None:
    """The answer that is not read may be that the key could not be read."""

    async def run() -> None:
        async with process(key_memory=1 << 30) as worker:
            person, name = Person(), digits().signature.name
            key = bytes([person.key[0] ^ damage]) + person.key[1:]
            asked = asyncio.create_task(worker.evaluate(name, person.key_id, key, person.query))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert await held(worker) == set(worker._keys)
            await worker.evaluate(name, person.key_id, person.key, person.query)

    asyncio.run(run())


def test_a_process_that_dies_takes_its_keys_along() -> None:
    async def run() -> None:
        async with process(key_memory=1 << 30) as worker:
            person, name = Person(), digits().signature.name
            assert worker.process
            worker.process.send_signal(signal.SIGSTOP)
            asked = asyncio.create_task(worker.evaluate(name, person.key_id, person.key, person.query))
            await asyncio.sleep(0)
            worker.kill()
            with pytest.raises(WorkerLostError):
                await asked
        with pytest.raises(WorkerLostError):
            await worker.evaluate(name, person.key_id, person.key, person.query)

    asyncio.run(run())
