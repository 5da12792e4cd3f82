"""Trees whose splits are public and whose leaves are not: a linear map of the leaves that clients find themselves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from ...circuits.trees.slots import Slots
from ...circuits.trees.words import Words
from ...errors import CompileError, ParameterError
from ...features import Chain, FeatureMap, Leaves
from ..disclosure import Disclosure
from ..ensemble_map import EnsembleMap
from ..linear import LinearMap

Mask = npt.NDArray[np.bool_]


def with_public_splits(linear: LinearMap, model: str) -> LinearMap:
    """The same scores, of leaves.

    Raises
    ------
    CompileError
        For anything but trees that split on several inputs, or trees with too many splits.
    """
    if not isinstance(linear, EnsembleMap) or linear.feature_map is None:
        raise CompileError(
            f"splits='public' must come with trees that split on several inputs. {model} has none whose splits are "
            "private: leave it out."
        )
    words, slots = linear.words, linear.slots
    values = _Values(words, slots)
    try:
        leaves = _leaves(words, slots, values)
    except ParameterError as error:
        raise CompileError(f"trees with public splits must be smaller: {error} Fit fewer, or on fewer bins.") from None
    weights, moved = _weights(words, leaves, np.concatenate(values.of_leaves))
    splits = len(leaves.condition_words) + len(leaves.cuts)
    what = f"the splits of {len(words.outputs)} trees, {splits} conditions on their paths"
    return LinearMap(
        weights,
        words.bias + moved,
        linear.head,
        feature_names=linear.feature_names,
        feature_map=FeatureMap(Chain(linear.feature_map.block, leaves), categories=linear.feature_map.categories),
        public=(*linear.public, Disclosure(linear.step, what, True)),
        hidden=linear.hidden,
        own_error=linear.own_rounding,
        uses=linear.uses,
        raw_scores=linear.raw_scores,
    )


@dataclass(eq=False)
class _Values:
    """The leaves of every word: the slots of the input that it tests at which another value begins, and all values."""

    words: Words
    slots: Slots
    tested: Integers = field(init=False)
    cuts: list[Integers] = field(init=False)
    of_leaves: list[Reals] = field(init=False)

    def __post_init__(self) -> None:
        words = self.words
        starts = np.searchsorted(words.jump_words, np.arange(words.count + 1))
        self.tested = np.full(words.count, -1)
        self.cuts, self.of_leaves = [], []
        for word, (start, end) in enumerate(itertools.pairwise(starts)):
            values = words.base[word][None]
            if end > start:
                bits, jumps = words.jump_bits[start:end], words.jumps[start:end]
                self.tested[word] = number = int(self.slots.bit_inputs[bits[0]])
                values = self.slots.values(number, words.base[word], bits, jumps)
            changes = np.flatnonzero((values[1:] != values[:-1]).any(axis=1)) + 1
            self.cuts.append(changes)
            self.of_leaves.append(values[np.append(0, changes)])


def _leaves(words: Words, slots: Slots, values: _Values) -> Leaves:
    runs, owners = _runs(words, slots)
    first_terms = np.searchsorted(words.term_conditions, np.arange(len(words.condition_words)))
    return Leaves(
        widths=slots.widths,
        trees=words.trees,
        condition_words=words.condition_words,
        condition_inputs=slots.bit_inputs[words.term_bits[first_terms]],
        run_conditions=owners,
        runs=runs,
        cut_words=np.repeat(np.arange(words.count), [len(cuts) for cuts in values.cuts]),
        cuts=np.concatenate(values.cuts),
        tested=values.tested,
    )


def _runs(words: Words, slots: Slots) -> tuple[Integers, Integers]:
    """The runs of slots (r, 2) that every condition lets pass, and whose they are (r,)."""
    starts = np.searchsorted(words.term_conditions, np.arange(len(words.condition_words) + 1))
    found, owners = [], []
    for condition, (start, end) in enumerate(itertools.pairwise(starts)):
        bits, signs = words.term_bits[start:end], words.term_signs[start:end]
        wrong = slots.values(int(slots.bit_inputs[bits[0]]), words.condition_constants[condition], bits, signs)
        runs = _runs_of(wrong == 0)
        found.append(runs)
        owners.append(np.full(len(runs), condition))
    empty = np.zeros((0, 2), dtype=np.int64)
    return np.concatenate([empty, *found]), np.concatenate([empty[:, 0], *owners])


def _runs_of(allowed: Mask) -> Integers:
    changes = np.flatnonzero(np.diff(np.concatenate([[False], allowed, [False]]).astype(np.int8)))
    return np.asarray(changes.reshape(-1, 2))


def _weights(words: Words, leaves: Leaves, values: Reals) -> tuple[Reals, Reals]:
    """The weights (k, leaves), and what goes to the bias (k,): the middle of every tree, so that weights are small."""
    trees = leaves.groups
    ends = np.searchsorted(trees, np.arange(len(words.outputs) + 1))
    middles = np.array([np.median(values[start:end], axis=0) for start, end in itertools.pairwise(ends)])
    values = values - middles[trees]
    outputs = len(words.trees_of_output)
    if words.columns > 1:
        return np.ascontiguousarray(values.T), middles.sum(axis=0)
    weights, moved = np.zeros((outputs, len(values))), np.zeros(outputs)
    weights[words.outputs[trees], np.arange(len(values))] = values[:, 0]
    np.add.at(moved, words.outputs, middles[:, 0])
    return weights, moved
