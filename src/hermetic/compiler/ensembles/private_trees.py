"""From trees to words, the pieces that a private circuit of trees is made of (:mod:`hermetic.circuits.trees.words`).

A tree is walked from its root with the slots of every input that lead there. Splits that all of these pass one way are
none. What then tests one input only, or none, is a word: its value is a function of that input's slot, and its
conditions are the slots of the path, one condition an input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...arrays import Integers, Reals
from ...circuits.trees.words import Numbers, Words
from .slot_masks import Axes, Mask, SplitMasks
from .trees import Tree

_MIXED, _CONSTANT = -2, -1
"""What a subtree tests in place of one input: several, none."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A word before its slots are numbered.

    Attributes
    ----------
    conditions
        The slots that lead to it, of every input on the path to it by its number.
    column
        The input that it tests, or :data:`_CONSTANT`.
    values
        The value at every slot (width, c) of this input, or (1, c).
    """

    conditions: dict[int, Mask]
    column: int
    values: Reals


@dataclass(eq=False)
class _Node:
    """A split that sends some values each way, or a leaf; ``tests`` is what its subtree tests."""

    path: dict[int, Mask]
    values: Reals
    column: int = _CONSTANT
    goes_left: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    left: int = 0
    right: int = 0
    tests: int = _CONSTANT


def words_of(trees: Sequence[Tree], bias: Reals) -> tuple[Axes, Words]:
    """The inputs' edges that matter, and the words: scores are bias (k,) + the sum of all trees.

    Trees that test one input only are added, those of each output and input to one. All trees have one value, or all
    have one of each score.
    """
    axes = Axes.of(split for one in trees for node in one.reachable if (split := one.splits[node]) is not None)
    masks = SplitMasks(axes)
    columns = trees[0].values.shape[1] if trees else 1
    found: list[list[list[Piece]]] = [[] for _ in range(len(bias) // columns)]
    sums: dict[tuple[int, int], Reals] = {}
    for one in trees:
        pieces = list(_pieces(one, masks))
        if len(pieces) > 1:
            found[one.output].append(pieces)
        else:
            place = one.output, pieces[0].column
            sums[place] = sums.get(place, 0.0) + pieces[0].values
    moved = bias.reshape(-1, columns).copy()
    for (output, column), values in sums.items():
        if column == _CONSTANT:
            moved[output] += values[0]
        else:
            found[output].append([Piece({}, column, values)])
    return _numbered([one or [[_nothing(columns)]] for one in found], moved.reshape(-1), axes, masks)


def _nothing(columns: int) -> Piece:
    return Piece({}, _CONSTANT, np.zeros((1, columns)))


def _pieces(tree: Tree, masks: SplitMasks) -> Iterator[Piece]:
    nodes = _without_idle_splits(tree, masks)
    _join_single(nodes, masks)
    waiting = [0]
    while waiting:
        node = nodes[waiting.pop()]
        if node.tests == _MIXED:
            waiting += [node.right, node.left]
        else:
            yield _piece(node, masks)


def _without_idle_splits(tree: Tree, masks: SplitMasks) -> list[_Node]:
    """The nodes that some slots of the path lead to, each before its children."""
    nodes: list[_Node] = []
    waiting: list[tuple[int, dict[int, Mask], _Node | None]] = [(0, {}, None)]
    while waiting:
        number, path, parent = waiting.pop()
        split = tree.splits[number]
        if split is None:
            nodes.append(_Node(path, tree.values[number][None]))
        else:
            goes_left = masks.goes_left(split)
            allowed = path.get(split.column, np.ones(len(goes_left), dtype=np.bool_))
            lefts, rights = allowed & goes_left, allowed & ~goes_left
            if not lefts.any() or not rights.any():
                waiting.append((tree.left[number] if lefts.any() else tree.right[number], path, parent))
                continue
            node = _Node(path, np.zeros((0, 0)), split.column, goes_left, -1, -1)
            nodes.append(node)
            waiting.append((tree.right[number], {**path, split.column: rights}, node))
            waiting.append((tree.left[number], {**path, split.column: lefts}, node))
        if parent is not None:
            # A left child is reached first.
            parent.left, parent.right = (parent.left, len(nodes) - 1) if parent.left >= 0 else (len(nodes) - 1, -1)
    return nodes


def _join_single(nodes: list[_Node], masks: SplitMasks) -> None:
    """Find what each subtree tests, and the values of those that test one input."""
    for node in reversed(nodes):
        if node.column == _CONSTANT:
            continue
        left, right = nodes[node.left], nodes[node.right]
        tests = {left.tests, right.tests} - {_CONSTANT}
        if tests <= {node.column}:
            node.values = np.where(node.goes_left[:, None], left.values, right.values)
            node.tests = node.column
            allowed = node.path.get(node.column, np.ones(masks.width(node.column), dtype=np.bool_))
            reached = node.values[allowed]
            if (reached == reached[0]).all():
                node.values, node.tests = reached[:1], _CONSTANT
        else:
            node.tests = _MIXED


def _piece(node: _Node, masks: SplitMasks) -> Piece:
    """A word; where it is not active any value will do: there it does not change."""
    values = node.values
    if node.tests != _CONSTANT and node.tests in node.path:
        values = masks.filled(node.tests, values, node.path[node.tests])
    return Piece(node.path, node.tests, values)


def _numbered(
    trees: Sequence[Sequence[Sequence[Piece]]], bias: Reals, axes: Axes, masks: SplitMasks
) -> tuple[Axes, Words]:
    """Words of the pieces of every tree of every output."""
    changes = {column: np.zeros(masks.width(column) - 1, dtype=np.bool_) for column in axes.columns}
    seen: set[int] = set()
    flat = [piece for output in trees for tree in output for piece in tree]
    for piece in flat:
        tested = [] if piece.column == _CONSTANT else [(piece.column, piece.values)]
        for column, values in [*piece.conditions.items(), *tested]:
            if id(values) not in seen:
                seen.add(id(values))
                changes[column] |= masks.changes(column, values)
    kept, stay = axes.kept([changes[column] for column in axes.columns])
    writer = _Writer(kept, stay)
    count = 0
    for output, of_output in enumerate(trees):
        for tree in of_output:
            for piece in tree:
                writer.add(count, piece)
            writer.outputs.append(output)
            count += 1
    return kept, writer.words(bias, flat[0].values.shape[1])


class _Writer:
    """Collects the arrays of :class:`~hermetic.circuits.trees.words.Words`."""

    def __init__(self, axes: Axes, stay: dict[int, Mask]) -> None:
        self._stay, self._slots = stay, axes.slots
        self._numbers = {column: number for number, column in enumerate(axes.columns)}
        self.outputs: list[int] = []
        self._trees: list[int] = []
        self._base: list[Reals] = []
        self._condition_words: list[int] = []
        self._constants: list[int] = []
        self._terms: list[tuple[int, Integers, Numbers]] = []
        self._jumps: list[tuple[int, Integers, Numbers]] = []

    def add(self, tree: int, piece: Piece) -> None:
        """One word of a tree."""
        word = len(self._trees)
        self._trees.append(tree)
        for column, allowed in piece.conditions.items():
            constant, bits, signs = self._linear(column, (~allowed).astype(np.int64))
            self._terms.append((len(self._constants), bits, signs))
            self._constants.append(int(constant))
            self._condition_words.append(word)
        if piece.column == _CONSTANT:
            self._base.append(piece.values[0])
        else:
            base, bits, jumps = self._linear(piece.column, piece.values)
            self._base.append(base)
            self._jumps.append((word, bits, jumps))

    def _linear(self, column: int, values: Numbers) -> tuple[Numbers, Integers, Numbers]:
        """A function of an input's slots as a constant, and the bits that have a coefficient, with these."""
        number = self._numbers[column]
        constant, jumps = self._slots.linear(number, values[self._stay[column]])
        acts = np.flatnonzero(jumps.reshape(len(jumps), -1).any(axis=1))
        return constant, acts + self._slots.first_bits[number], jumps[acts]

    def words(self, bias: Reals, columns: int) -> Words:
        conditions, bits, signs = _joined(self._terms, np.zeros(0, dtype=np.int64))
        jump_words, jump_bits, jumps = _joined(self._jumps, np.zeros((0, columns)))
        return Words(
            outputs=np.array(self.outputs, dtype=np.int64),
            trees=np.array(self._trees, dtype=np.int64),
            base=np.array(self._base, dtype=np.float64),
            bias=bias,
            condition_words=np.array(self._condition_words, dtype=np.int64),
            condition_constants=np.array(self._constants, dtype=np.int64),
            term_conditions=conditions,
            term_bits=bits,
            term_signs=signs,
            jump_words=jump_words,
            jump_bits=jump_bits,
            jumps=jumps,
        )


def _joined(parts: Sequence[tuple[int, Integers, Numbers]], nothing: Numbers) -> tuple[Integers, Integers, Numbers]:
    """Owners, bits and coefficients of all parts."""
    none = np.zeros(0, dtype=np.int64)
    owners = np.repeat(np.array([one for one, _, _ in parts], dtype=np.int64), [len(bits) for _, bits, _ in parts])
    bits = np.concatenate([none, *(bits for _, bits, _ in parts)])
    return owners, bits, np.concatenate([nothing, *(values for _, _, values in parts)])
