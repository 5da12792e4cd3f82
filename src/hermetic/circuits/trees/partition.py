"""That words are those of trees: whatever the input, exactly one word of every tree is active.

Give the slots of every input random measures that sum to 1, modulo a prime. The measure of a condition is linear in
those of its bits, and that of a word is the product of its conditions'. The words of a tree sum to the sum over all
combinations of slots of (active words)·(product of measures), a polynomial of degree i in random numbers, which is 1
where one word is active everywhere, and otherwise with probability i/2^31 at most: J. T. Schwartz, *Fast probabilistic
algorithms for verification of polynomial identities*, Journal of the ACM, 1980.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Integers
from ...errors import ModelFileError
from .slots import Slots
from .words import Words

_PRIME = (1 << 31) - 1
_INSTEAD = "the file was changed. Compile the model again."


def check_partition(words: Words, slots: Slots) -> None:
    """Raise :class:`ModelFileError` for words whose indices are in range, but that are no trees'."""
    if not _of_one_input(words.jump_words, words.jump_bits, slots):
        raise ModelFileError(f"the values of every word must test one input. Some test several: {_INSTEAD}")
    if not _are_flags(words, slots):
        raise ModelFileError(f"every condition must say yes or no about one input. Some do not: {_INSTEAD}")
    sums = np.zeros(len(words.outputs), dtype=np.int64)
    np.add.at(sums, words.trees, _products(words.condition_words, _measures(words, slots), words.count))
    wrong = np.flatnonzero(sums % _PRIME != 1)
    if len(wrong):
        raise ModelFileError(
            "of the words of every tree exactly one must be active, whatever the input. Those of tree "
            f"{wrong[0]} are not: {_INSTEAD}"
        )


def _of_one_input(owners: Integers, bits: Integers, slots: Slots) -> bool:
    """Whether all bits of every owner are of the same input."""
    order = np.argsort(owners, kind="stable")
    same = np.diff(owners[order]) == 0
    return not (np.diff(slots.bit_inputs[bits[order]]) != 0)[same].any()


def _are_flags(words: Words, slots: Slots) -> bool:
    """Whether every condition is 0 or 1 in every slot of its one input: along the thermometer, and at NaN."""
    if not _of_one_input(words.term_conditions, words.term_bits, slots):
        return False
    order = np.lexsort((words.term_bits, words.term_conditions))
    conditions, bits, signs = (one[order] for one in (words.term_conditions, words.term_bits, words.term_signs))
    if ((np.diff(conditions) == 0) & (np.diff(bits) == 0)).any():
        return False
    # The bit of NaN is the last of its input, and no other is 1 with it.
    sums = np.cumsum(signs)
    starts = np.searchsorted(conditions, conditions)
    before = np.where(starts > 0, sums[np.maximum(starts - 1, 0)], 0)
    values = words.condition_constants[conditions] + np.where(slots.of_nan[bits], signs, sums - before)
    return bool(np.isin(values, (0, 1)).all())


def _measures(words: Words, slots: Slots) -> Integers:
    """The measure of the slots where each condition holds (q,), modulo the prime."""
    random = np.random.default_rng().integers(_PRIME, size=slots.slots)
    starts = slots.starts[:-1]
    random[starts] = 0
    random[starts] = (1 - np.add.reduceat(random, starts)) % _PRIME
    sums = np.concatenate([[0], np.cumsum(random)])
    owners = slots.bit_inputs
    # A bit of the thermometer is 1 from its own slot to the last of numbers, that of NaN in its own alone.
    first = np.arange(slots.bits) - slots.first_bits[owners] + 1 + starts[owners]
    last = np.where(slots.of_nan, first, (starts + slots.edges)[owners])
    of_bits = (sums[last + 1] - sums[first]) % _PRIME
    wrong = words.condition_constants.copy()
    np.add.at(wrong, words.term_conditions, words.term_signs * of_bits[words.term_bits])
    return np.asarray((1 - wrong) % _PRIME)


def _products(owners: Integers, values: Integers, count: int) -> Integers:
    """The product of the values of each of some owners, which do not fall, modulo the prime; of none it is 1."""
    while (owners[1:] == owners[:-1]).any():
        odd = (np.arange(len(owners)) - np.searchsorted(owners, owners)) % 2 == 1
        factors = np.append(np.where(odd, values, 1)[1:], 1)
        values, owners = (values * factors % _PRIME)[~odd], owners[~odd]
    found = np.ones(count, dtype=np.int64)
    found[owners] = values
    return found
