"""Which leaf of every tree a sample is in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import BlockDefaults, Numbers, whole_number

MAX_SLOTS = 1 << 17
MAX_WORDS = 1 << 20
MAX_LEAVES = 1 << 20
MAX_NUMBERS = 1 << 26
_MAX_BITS = 1 << 30
_BLOCK = 1 << 24

_FIELDS = ("trees", "condition_words", "condition_inputs", "run_conditions", "runs", "cut_words", "cuts", "tested")


@dataclass(frozen=True, eq=False)
class Leaves(BlockDefaults):
    """One-hot leaves of trees: a linear map of them is any sum of trees with these splits. Public: every split.

    It takes bins: features that say, one-hot, in which interval, or *slot*, each input is. A *word* is a part of a tree
    that tests one input only; it is reached where every condition on its path holds. A condition says which slots of
    one input lead on, as runs start <= slot < end. Where a word tests an input, cuts divide its slots into leaves.

    One feature is 1 for every tree, and all others are 0. All words are looked at together, as sets of bits, by one
    look at every input: Lucchese et al., *QuickScorer*, SIGIR 2015.

    Parameters
    ----------
    widths
        The slots of each input (i,).
    trees
        The tree of every word (w,), 0, 0, 1, ….
    condition_words, condition_inputs
        The word and the input of every condition (q,), no two of which have both in common.
    run_conditions, runs
        The condition of every run (r,), and its start and end (r, 2). Runs of a condition rise, slots between them.
    cut_words, cuts
        The word of every cut (c,), and the slot at which another leaf begins (c,).
    tested
        The input that each word tests (w,), -1 for none.

    Raises
    ------
    ParameterError
        For numbers that are out of range or out of order, or more of them than 2^30 bits of sets hold.
    """

    widths: Numbers
    trees: Numbers
    condition_words: Numbers
    condition_inputs: Numbers
    run_conditions: Numbers
    runs: npt.NDArray[np.intp]
    cut_words: Numbers
    cuts: Numbers
    tested: Numbers
    kind: ClassVar[str] = "leaves"
    whole: ClassVar[bool] = True

    def __post_init__(self) -> None:
        i, w, q = len(self.widths), len(self.trees), len(self.condition_words)
        _check("widths", self.widths, 1, MAX_SLOTS)
        whole_number(self.inputs, 1, MAX_SLOTS, "the slots of all inputs")
        whole_number(w, 1, MAX_WORDS, "the number of words")
        whole_number(self.inputs * w, 1, _MAX_BITS, "slots times words")
        whole_number(self.outputs, 1, MAX_LEAVES, "the number of leaves")
        for name, most in (("trees", w), ("condition_words", w), ("run_conditions", q), ("cut_words", w)):
            values = _check(name, getattr(self, name), 0, most - 1)
            if (np.diff(values) < 0).any():
                raise ParameterError(f"{name} must not fall. Some do.")
        if self.trees[0] != 0 or (np.diff(self.trees) > 1).any():
            raise ParameterError("trees must count 0, 1, …. They do not.")
        _check("condition_inputs", self.condition_inputs, 0, i - 1)
        _check("tested", self.tested, -1, i - 1)
        for name, one, count in (
            ("condition_inputs", self.condition_inputs, q),
            ("tested", self.tested, w),
            ("cuts", self.cuts, len(self.cut_words)),
            ("runs", self.runs, len(self.run_conditions)),
        ):
            if len(one) != count:
                raise ParameterError(f"{name} must be {count} of them. Got {len(one)} instead.")
        pairs = self.condition_words * i + self.condition_inputs
        if len(np.unique(pairs)) < len(pairs):
            raise ParameterError("a word must have one condition on an input. One has several.")
        self._check_slots()

    def _check_slots(self) -> None:
        start, end = self.runs.reshape(-1, 2).T
        if ((start < 0) | (start >= end) | (end > self.widths[self.condition_inputs[self.run_conditions]])).any():
            raise ParameterError("runs must start before they end, among the slots of their input. Some do not.")
        if ((start[1:] <= end[:-1]) & (np.diff(self.run_conditions) == 0)).any():
            raise ParameterError("the runs of a condition must rise, with slots between them. Some do not.")
        tested = self.tested[self.cut_words]
        if (tested < 0).any() or ((self.cuts < 1) | (self.cuts >= self.widths[tested])).any():
            raise ParameterError("cuts must be among the slots of the input that their word tests. Some are not.")
        if ((np.diff(self.cuts) <= 0) & (np.diff(self.cut_words) == 0)).any():
            raise ParameterError("the cuts of a word must rise. Some do not.")

    @property
    def inputs(self) -> int:
        return int(self.widths.sum())

    @property
    def outputs(self) -> int:
        return len(self.trees) + len(self.cuts)

    @property
    def groups(self) -> Numbers:
        return np.repeat(self.trees, self._leaves_of_words)

    @property
    def _leaves_of_words(self) -> Numbers:
        return 1 + np.bincount(self.cut_words, minlength=len(self.trees))

    def limits(self, lower: Reals, upper: Reals) -> tuple[Reals, Reals]:
        return np.zeros(self.outputs), np.ones(self.outputs)

    @cached_property
    def _starts(self) -> Numbers:
        """The first slot of every input among all slots (i,)."""
        return np.cumsum(self.widths) - self.widths

    @cached_property
    def _reached(self) -> npt.NDArray[np.uint8]:
        """For every slot of every input, the set of words that it leads to or does not matter for: (slots, bytes)."""
        words = len(self.trees)
        found = np.empty((self.inputs, -(-words // 8)), dtype=np.uint8)
        turning, turns = self._turns
        order = np.argsort(self.condition_inputs, kind="stable")
        ends = np.searchsorted(self.condition_inputs[order], np.arange(len(self.widths) + 1))
        for number, (start, width) in enumerate(zip(self._starts, self.widths, strict=True)):
            reached = np.ones(words, dtype=np.bool_)
            reached[self.condition_words[order[ends[number] : ends[number + 1]]]] = False
            for slot in range(start, start + width):
                reached[turning[turns[slot] : turns[slot + 1]]] ^= True
                found[slot] = np.packbits(reached)
        return found

    @property
    def _turns(self) -> tuple[Numbers, Numbers]:
        """The words that a run starts or ends to lead to at a slot, slot by slot, and where those of a slot begin."""
        numbers = self.condition_inputs[self.run_conditions]
        slots = self._starts[numbers][:, None] + self.runs
        inside = self.runs < self.widths[numbers][:, None]
        words = np.repeat(self.condition_words[self.run_conditions], 2).reshape(-1, 2)[inside]
        order = np.argsort(slots[inside], kind="stable")
        return words[order], np.searchsorted(slots[inside][order], np.arange(self.inputs + 1))

    def apply(self, values: Reals) -> Reals:
        step = max(1, _BLOCK // max(len(self.trees), self.outputs))
        return np.concatenate([self._apply(values[i : i + step]) for i in range(0, max(1, len(values)), step)])

    def _apply(self, values: Reals) -> Reals:
        numbers = np.arange(self.inputs) - np.repeat(self._starts, self.widths)
        slots = np.add.reduceat(values * numbers, self._starts, axis=1).astype(np.intp)
        sets = np.full((len(values), self._reached.shape[1]), 255, dtype=np.uint8)
        for start, column in zip(self._starts, slots.T, strict=True):
            sets &= self._reached[start + column]
        rows, words = np.nonzero(np.unpackbits(sets, axis=1, count=len(self.trees)))
        features = np.zeros((len(values), self.outputs))
        features[rows, self._leaf(words, slots[rows, self.tested[words]])] = 1.0
        return features

    def _leaf(self, words: Numbers, slots: Numbers) -> Numbers:
        """The leaf of a word at a slot of the input that it tests: cuts of all words are in one order, word by word."""
        widest = int(self.widths.max()) + 1
        keys = self.cut_words * widest + self.cuts
        return words + np.searchsorted(keys, words * widest + slots, side="right")

    def document(self) -> dict[str, Any]:
        found = {name: getattr(self, name).reshape(-1).tolist() for name in _FIELDS}
        return {"kind": self.kind, "widths": self.widths.tolist(), **found}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Leaves:
        """Read what :meth:`document` wrote. Raises :class:`ParameterError`."""
        read = {name: _whole_numbers(document[name], name) for name in ("widths", *_FIELDS)}
        if len(read["runs"]) % 2:
            raise ParameterError("runs must have a start and an end each. One has not.")
        return cls(**{**read, "runs": read["runs"].reshape(-1, 2)})


def _whole_numbers(value: Any, name: str) -> Numbers:
    if not isinstance(value, list) or len(value) > MAX_NUMBERS:
        raise ParameterError(f"{name} must be a list of at most {MAX_NUMBERS} whole numbers.")
    if not all(type(one) is int and -1 <= one <= MAX_NUMBERS for one in value):
        raise ParameterError(f"{name} must be whole numbers from -1 to {MAX_NUMBERS}. Some are not.")
    return np.array(value, dtype=np.intp)


def _check(name: str, values: Numbers, low: int, high: int) -> Numbers:
    if values.ndim != 1 or (len(values) and (values.min() < low or values.max() > high)):
        raise ParameterError(f"{name} must be from {low} to {high}. Some are not.")
    return values
