"""Spans: bits that have a pattern in each are the bits of a slot, and no others are."""

from __future__ import annotations

import itertools
from typing import Any

import known_trees as known
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic.circuits.trees import spans
from hermetic.circuits.trees.slots import Slots
from hermetic.circuits.trees.spans import Spans


def patterns_of(slots: Slots, found: Spans) -> list[tuple[list[int], list[tuple[bool, ...]]]]:
    """The bits of each span, and its patterns."""
    patterns, bits, expected = found.tests(slots)
    out: list[Any] = []
    for start, end in itertools.pairwise(found.starts):
        rows = [patterns == one for one in range(start, end)]
        out.append((bits[rows[0]].tolist(), [tuple(expected[row].tolist()) for row in rows]))
    return out


def opens(bits: npt.NDArray[Any], parts: list[tuple[list[int], list[tuple[bool, ...]]]]) -> bool:
    return all(tuple(bool(bits[one]) for one in tested) in patterns for tested, patterns in parts)


@given(
    edges=st.lists(st.integers(0, 6), min_size=1, max_size=3),
    missing=st.lists(st.booleans(), min_size=3, max_size=3),
    most=st.integers(2, 4),
)
def test_exactly_the_bits_of_slots_have_a_pattern_in_every_span(
    edges: list[int], missing: list[bool], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spans, "MAX_BITS", most)
        slots = known.slots_of([[0.0] * one for one in edges], missing[: len(edges)])
        found = Spans.of(slots)
        assert found.length.max(initial=0) <= most
        parts = patterns_of(slots, found)
        for number in range(slots.inputs):
            first, end = slots.first_bits[number : number + 2]
            own = [part for part, owner in zip(parts, found.inputs, strict=True) if owner == number]
            columns = np.arange(first, end)
            real = {tuple(slots.bits_at(columns, np.array([one]))) for one in range(slots.widths[number])}
            for bits in itertools.product((0, 1), repeat=int(end - first)):
                whole = np.zeros(slots.bits, dtype=np.int64)
                whole[first:end] = bits
                assert opens(whole, own) == (bits in real)


@given(st.integers(0, 2**32 - 1))
def test_an_echo_is_the_number_of_the_pattern(seed: int) -> None:
    random = np.random.default_rng(seed)
    slots = known.slots_of([[0.0] * random.integers(0, 70) for _ in range(3)], random.random(3) < 0.5)
    found = Spans.of(slots)
    numbers = random.integers(0, slots.widths)
    bits = slots.bits_at(np.arange(slots.bits), numbers[slots.bit_inputs])
    owners, chosen, adds = found.bits(slots)
    echoed = np.zeros(found.count, dtype=np.int64)
    np.add.at(echoed, owners, bits[chosen] * adds)
    for (tested, patterns), number in zip(patterns_of(slots, found), echoed, strict=True):
        assert patterns[number] == tuple(bits[tested].astype(bool))


def test_work_grows_with_the_number_of_thresholds() -> None:
    few, many = (known.slots_of([[0.0] * edges], [False]) for edges in (1_000, 10_000))
    tests = [len(Spans.of(one).tests(one)[0]) for one in (few, many)]
    assert tests[1] < 10.1 * tests[0]
    assert Spans.of(many).patterns.sum() < 1.15 * many.slots
