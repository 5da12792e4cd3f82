"""Leaves of trees: by their definition, the same after JSON, and nothing that does not fit is read."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermetic import ParameterError
from hermetic.features import Bins, Chain, FeatureMap, Leaves
from hermetic.features import leaves as module

# Tree 0: x0 in slots 0 and 2 -> by x1's slot, else one leaf. Tree 1: by x0's slot.
DOCUMENT: dict[str, Any] = {
    "kind": "leaves",
    "widths": [3, 2],
    "trees": [0, 0, 1],
    "condition_words": [0, 1],
    "condition_inputs": [0, 0],
    "run_conditions": [0, 0, 1],
    "runs": [0, 1, 2, 3, 1, 2],
    "cut_words": [0, 2, 2],
    "cuts": [1, 1, 2],
    "tested": [1, -1, 0],
}
BINS = Bins([[0.0, 1.0], [5.0]])


def read(**changes: Any) -> Leaves:
    return Leaves.from_document({**DOCUMENT, **changes})


def test_a_leaf_of_every_tree() -> None:
    features = FeatureMap(Chain(BINS, read()))
    assert features.outputs == 6
    assert features.groups.tolist() == [0, 0, 0, 1, 1, 1]
    found = features.apply([[-1.0, 0.0], [-1.0, 9.0], [0.5, 0.0], [2.0, 5.0]])
    assert found.tolist() == [
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 0, 1, 0, 1, 0],
        [0, 1, 0, 0, 0, 1],
    ]


def test_they_are_the_same_after_json() -> None:
    features = FeatureMap(Chain(BINS, read()))
    again = FeatureMap.from_document(json.loads(json.dumps(features.document())))
    assert again.document() == features.document()
    assert any("leaves: widths (2 numbers)" in one for one in again.parameters)


@given(st.integers(0, 2**32 - 1))
def test_many_words_and_conditions_by_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    widths = random.integers(1, 7, 3)
    words = int(random.integers(1, 20))
    conditions = [(w, i) for w in range(words) for i in range(3) if widths[i] > 1 and random.random() < 0.5]
    runs, owners, allowed = [], [], {}
    for number, (word, one) in enumerate(conditions):
        hold = np.append(random.random(widths[one]) < 0.5, False)
        ends = np.flatnonzero(np.diff(hold, prepend=False))
        runs += ends.reshape(-1, 2).tolist()
        owners += [number] * (len(ends) // 2)
        allowed[word, one] = np.flatnonzero(hold)
    tested = np.array([random.choice([-1, *np.flatnonzero(widths > 1)]) for _ in range(words)])
    cuts = [
        np.flatnonzero(random.random(widths[one] - 1) < 0.5) + 1 if one >= 0 else np.zeros(0, dtype=int)
        for one in tested
    ]
    block = Leaves(
        widths, np.arange(words),
        np.array([w for w, _ in conditions], dtype=int), np.array([i for _, i in conditions], dtype=int),
        np.array(owners, dtype=int), np.array(runs, dtype=int).reshape(-1, 2),
        np.repeat(np.arange(words), [len(one) for one in cuts]), np.concatenate(cuts), tested,
    )  # fmt: skip
    slots = random.integers(0, widths, (5, 3))
    hot = np.concatenate([np.eye(width)[column] for width, column in zip(widths, slots.T, strict=True)], axis=1)
    expected = np.zeros((5, block.outputs))
    for row, slot in enumerate(slots):
        first = 0
        for word in range(words):
            if all(slot[i] in allowed[word, i] for i in range(3) if (word, i) in allowed):
                expected[row, first + sum(slot[tested[word]] >= cut for cut in cuts[word])] = 1
            first += 1 + len(cuts[word])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_BLOCK", int(random.integers(1, 40)))
        assert np.array_equal(block.apply(hot), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": []}, "the slots of all inputs must be a whole number from 1"),
        ({"widths": [0, 2]}, "widths must be from 1"),
        ({"widths": "3"}, "widths must be a list"),
        ({"widths": [1 << 26, 2]}, "widths must be from 1 to 131072"),
        ({"widths": [1 << 17, 1 << 17]}, "the slots of all inputs"),
        ({"trees": [0, 0, 1.0]}, "trees must be whole numbers"),
        ({"trees": [0, 0, True]}, "trees must be whole numbers"),
        ({"trees": [0, 0, 2]}, "trees must count 0, 1"),
        ({"trees": [0, 1, 0]}, "trees must not fall"),
        ({"trees": []}, "the number of words must be a whole number from 1"),
        ({"condition_words": [0, 3]}, "condition_words must be from 0 to 2"),
        ({"condition_inputs": [0]}, "condition_inputs must be 2 of them. Got 1"),
        ({"condition_inputs": [0, 2]}, "condition_inputs must be from 0 to 1"),
        ({"run_conditions": [0, 0, 2]}, "run_conditions must be from 0 to 1"),
        ({"runs": [0, 1, 2]}, "runs must have a start and an end each"),
        ({"runs": [0, 1, 2, 3]}, "runs must be 3 of them. Got 2"),
        ({"runs": [0, 1, 2, 4, 1, 2]}, "among the slots of their input"),
        ({"runs": [1, 1, 2, 3, 1, 2]}, "start before they end"),
        ({"runs": [-1, 1, 2, 3, 1, 2]}, "start before they end"),
        ({"runs": [0, 1, 1, 3, 1, 2]}, "the runs of a condition must rise, with slots between"),
        ({"runs": [2, 3, 0, 1, 1, 2]}, "the runs of a condition must rise, with slots between"),
        ({"condition_words": [1, 1]}, "a word must have one condition on an input"),
        ({"cuts": [1, 1, 3]}, "cuts must be among the slots"),
        ({"cuts": [0, 1, 2]}, "cuts must be among the slots"),
        ({"cuts": [1, 2, 2]}, "cuts of a word must rise"),
        ({"cuts": [1, 2]}, "cuts must be 3 of them"),
        ({"cut_words": [1, 2, 2]}, "cuts must be among the slots of the input that their word tests"),
        ({"tested": [1, -1]}, "tested must be 3 of them"),
        ({"tested": [1, -2, 0]}, "tested must be whole numbers from -1"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        read(**changes)


def test_sets_that_would_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BITS", 14)
    with pytest.raises(ParameterError, match=r"slots times words must be a whole number from 1 to 14. Got 15"):
        read()


def test_sets_take_the_memory_that_they_say() -> None:
    """A hostile document: one input with many slots, and a condition of every word on it."""
    slots, words = 1 << 10, 1 << 12
    every, none = np.arange(words), np.zeros(words, dtype=int)
    runs, empty = np.tile([0, slots], (words, 1)), np.zeros(0, dtype=int)
    block = Leaves(np.array([slots]), none, every, none, every, runs, empty, empty, none - 1)
    tracemalloc.start()
    assert block._reached.nbytes == slots * words // 8
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * slots * words // 8
