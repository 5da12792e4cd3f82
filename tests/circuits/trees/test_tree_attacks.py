"""What a dishonest client tries: each attack succeeds once its protection is switched off."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import known_trees as known
import numpy as np
import pytest

from hermetic import Client, CompiledModel, DecryptionError
from hermetic.circuits.trees import bounds, drawing, evaluate, wire

SLOTS = known.all_slots()[40]


def no_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks and scores travel in the clear."""

    def nothing(limbs: Any, query: bytes, number: int, words: int) -> Any:
        return np.zeros(words, dtype=np.int64)

    monkeypatch.setattr(wire, "keystream", nothing)
    monkeypatch.setattr(evaluate, "keystream", nothing)


def zero_checks(client: Client, model: CompiledModel, phases: Any) -> int:
    """How many words seem active."""
    try:
        checks, _ = known.opened_words(client, model, known.forged_query(client, phases))
    except DecryptionError:
        return 0
    return int((checks == 0).all(axis=0).sum())


@pytest.fixture
def model() -> CompiledModel:
    return known.compiled(known.random_words(7))


@pytest.fixture
def trees(model: CompiledModel) -> int:
    return sum(known.circuit_of(model).trees)


def test_the_attackers_own_query_is_answered_as_an_honest_one(model: CompiledModel, trees: int) -> None:
    assert zero_checks(Client(model.signature), model, known.honest_phases(model, SLOTS)) == trees


def test_unused_coefficients_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They meet the weights of neighbouring words: active words whose neighbours test the bit disappear."""
    model = known.compiled(known.random_words(7), strict=False)
    client, phases = Client(model.signature), known.honest_phases(model, SLOTS)
    phases[0, known.circuit_of(model).bits + 1] = known.circuit_of(model).delta
    assert zero_checks(client, model, phases) == 0
    no_seal(monkeypatch)
    counts = [zero_checks(client, model, phases) for _ in range(12)]
    assert max(counts) > 0
    assert min(counts) < sum(known.circuit_of(model).trees)


@pytest.mark.parametrize("offset", [1 << 28, 1 << 32])
def test_small_phases_pass_narrow_tests_alone(
    model: CompiledModel, trees: int, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    client, phases = Client(model.signature), known.honest_phases(model, SLOTS)
    phases[:, -1] = offset
    assert zero_checks(client, model, phases) == 0
    monkeypatch.setattr(bounds, "test_weight_bits", lambda *_: 12)
    assert zero_checks(client, model, phases) == trees


@pytest.mark.parametrize("factor", [2, 3, -1])
def test_bits_that_are_none_open_nothing_but_where_strict_is_off(factor: int) -> None:
    """A bit that is 2 kills both sides of a node: how many words stay tells how many paths test it."""
    words = known.random_words(7)
    strict, loose = known.compiled(words), known.compiled(words, strict=False)
    counts: dict[CompiledModel, list[int]] = {strict: [], loose: []}
    for one, found in counts.items():
        client, circuit = Client(one.signature), known.circuit_of(one)
        for bit in range(circuit.values):
            phases = known.honest_phases(one, SLOTS)
            phases[divmod(bit, circuit.bits)] = factor * circuit.delta
            found.append(zero_checks(client, one, phases))
    assert set(counts[strict]) == {0}
    assert len(set(counts[loose])) > 1


def test_thermometers_that_fall_open_nothing(model: CompiledModel) -> None:
    client, phases = Client(model.signature), known.honest_phases(model, known.all_slots()[0])
    phases[0, 1] = known.circuit_of(model).delta
    assert zero_checks(client, model, phases) == 0


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6, 8])
def test_phases_of_a_small_order_change_nothing_where_the_cofactor_clears_them(
    order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = known.compiled(known.random_words(7), strict=False)
    client, modulus = Client(loose.signature), loose.signature.parameters.query_modulus

    def sums() -> set[int]:
        found = set()
        for _ in range(8):
            phases = known.honest_phases(loose, SLOTS)
            phases[0, :9] += modulus // order
            checks, scores = known.opened_words(client, loose, known.forged_query(client, phases))
            found.add(int(scores[0, (checks == 0).all(axis=0)].sum()) % (1 << bounds.SCORE_BITS))
        return found

    half: Any = loose._half
    expected = {int(half.reference_integers(SLOTS[None])[0, 0]) % (1 << bounds.SCORE_BITS)}
    assert sums() == expected
    monkeypatch.setattr(drawing, "COFACTOR", bounds.COFACTOR + 1)
    monkeypatch.setattr(bounds, "delta", lambda _: modulus // ((bounds.COFACTOR + 1) << bounds.SCORE_BITS))
    assert sums() != expected


@pytest.mark.parametrize("order", [7, 9, 11])
def test_phases_of_other_orders_open_nothing(model: CompiledModel, order: int) -> None:
    """But for a guess in 7^8."""
    client, phases = Client(model.signature), known.honest_phases(model, SLOTS)
    phases[0, 0] += model.signature.parameters.query_modulus // order
    assert zero_checks(client, model, phases) == 0


def test_payloads_of_active_words_are_masked(model: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without masks each active word shows the value of its leaf; with them only their sum means anything."""
    client = Client(model.signature)

    def shown() -> set[int]:
        query = known.forged_query(client, known.honest_phases(model, SLOTS))
        checks, scores = known.opened_words(client, model, query)
        return set(scores[0, (checks == 0).all(axis=0)].tolist())

    assert not shown() & shown()
    real = drawing.uniform

    def no_masks(stream: Any, shape: tuple[int, ...], bits: int) -> Any:
        return real(stream, shape, bits) * (len(shape) == 1)

    monkeypatch.setattr(drawing, "uniform", no_masks)
    assert len(shown() & shown()) >= sum(known.circuit_of(model).trees) - 1


def test_active_words_are_anywhere(model: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(model.signature)

    def places() -> tuple[int, ...]:
        checks, _ = known.opened_words(client, model, known.forged_query(client, known.honest_phases(model, SLOTS)))
        return tuple(np.flatnonzero((checks == 0).all(axis=0)))

    assert len({places() for _ in range(8)}) > 1
    monkeypatch.setattr(evaluate, "permutation", lambda words, _: np.arange(words.count))
    assert len({places() for _ in range(8)}) == 1


def test_checks_of_other_words_are_fresh_in_every_answer(model: CompiledModel, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(model.signature)

    def values() -> set[int]:
        checks, _ = known.opened_words(client, model, known.forged_query(client, known.honest_phases(model, SLOTS)))
        return set(checks[checks != 0].tolist())

    assert len(values() & values()) <= 2
    monkeypatch.setattr(drawing, "uniform", lambda _, shape, bits: np.full(shape, 3 << (bits - 4), dtype=np.int64))
    assert values() == values()


def test_processes_that_were_forked_draw_weights_of_their_own(
    model: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two answers under the same weights, to queries that differ in one bit, tell which paths test it."""
    client = Client(model.signature)
    query = known.forged_query(client, known.honest_phases(model, SLOTS))

    def checks() -> tuple[int, ...]:
        return _in_a_fork(lambda: known.opened_words(client, model, query)[0].reshape(-1))

    assert checks() != checks()
    monkeypatch.setattr("hermetic.rlwe.randomness.os.urandom", bytes)
    assert checks() == checks()


def _in_a_fork(work: Callable[[], Any]) -> tuple[int, ...]:
    """What a process that starts from this one's state gives."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, np.asarray(work(), dtype="<i8").tobytes()[:60_000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return tuple(np.frombuffer(data, dtype="<i8").tolist())


def test_the_work_is_the_same_for_every_model_of_one_public_part(
    model: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hermetic.rlwe.public_ring import PublicRing

    calls: list[tuple[int, ...]] = []
    real = PublicRing.sparse_products

    def counted(ring: PublicRing, ciphertexts: Any, starts: Any, *rest: Any) -> None:
        calls.append((*ciphertexts.shape, *starts.shape))
        real(ring, ciphertexts, starts, *rest)

    monkeypatch.setattr(PublicRing, "sparse_products", counted)
    shapes = []
    for slots in (SLOTS, known.all_slots()[3]):
        client = Client(model.signature)
        calls.clear()
        model.evaluate(known.forged_query(client, known.honest_phases(model, slots)), client.public_key, threads=1)
        shapes.append(list(calls))
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) >= 3
