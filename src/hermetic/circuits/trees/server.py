"""The model owner's half of a tree circuit: private integer words, and answers to queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import check_kind
from ...arrays import Integers, Reals
from ...errors import ModelFileError
from ...keys.public import PublicKey
from ...signature import Signature
from ..masking import MaskingKey, MaskingKeys
from ..query import Query
from . import bounds
from .drawing import StrictWords
from .evaluate import evaluate
from .partition import check_partition
from .planner import lambda_bits, slot_values
from .public import TreeCircuit
from .scores import recombine
from .seal import coverage
from .wire import TreeResult
from .words import Words


class ServerHalf:
    """Answers queries for one model.

    Parameters
    ----------
    integers
        The private words.
    signature
        The model's.

    Raises
    ------
    ModelFileError
        If words and signature do not fit together, or a bound of :mod:`.bounds` does not hold.
    """

    def __init__(self, integers: Words, signature: Signature) -> None:
        check_kind(integers, Words, "integers")
        self._circuit = signature.circuit_of(TreeCircuit)
        check(integers, self._circuit)
        self.integers = integers
        self._signature = signature
        self._strict = StrictWords(self._circuit.slots, self._circuit.spans) if self._circuit.spans else None
        self._keys = MaskingKeys(signature.parameters)

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, threads: int) -> TreeResult:
        """Answer a query, see :meth:`hermetic.CompiledModel.evaluate`."""
        check_kind(query, Query, "query")
        key = self._keys.of(public_key)
        return evaluate(self._signature, self.integers, self._strict, query, key, threads)

    def prepare(self, samples: int) -> None:
        """Nothing: every answer has weights of its own."""

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """What masks need of a public key; that of the last few keys is kept."""
        check_kind(public_key, PublicKey, "public_key")
        return self._keys.of(public_key)

    def reference(self, values: Integers) -> Reals:
        """The scores (n, k) of slots (n, d) in plain integers: what decryption must give."""
        return recombine(self._circuit, self.reference_integers(values))

    def reference_integers(self, values: Integers) -> Integers:
        """The integer results (n, k·limbs) of slots (n, d): what decryption must give bit for bit."""
        return self.integers.apply(self._circuit.slots.to_bits(values))

    def simulate(self, values: Integers) -> Reals:
        """The reference: an encrypted evaluation gives the same integers."""
        return self.reference(values)

    @property
    def operations(self) -> int:
        """Sums of the plain reference for one sample."""
        return len(self.integers.term_bits) + len(self.integers.jump_bits) + self.integers.count

    @property
    def spread_over_range(self) -> float:
        """The standard deviation of the score over random words of every tree: how far apart scores are."""
        words = self.integers
        values = np.ldexp(words.base.astype(np.float64), -self._circuit.scale_exponent)
        counts = np.bincount(words.trees)[:, None]
        means = np.zeros((len(counts), values.shape[1]))
        squares = means.copy()
        np.add.at(means, words.trees, values)
        np.add.at(squares, words.trees, values**2)
        variance = squares / counts - (means / counts) ** 2
        starts = np.searchsorted(words.outputs, np.arange(len(self._circuit.words)))
        return float(np.sqrt(np.median(np.add.reduceat(variance, starts))))

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of what words are made of."""
        words = self.integers
        return {"words": words.base.shape, "conditions": words.condition_words.shape, "terms": words.term_bits.shape}

    def tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        """What a model file holds beside the signature."""
        return self.integers.arrays()

    @staticmethod
    def read(tensor: Callable[[str], npt.NDArray[Any]], signature: Signature) -> Words:
        """The words of a model file from its tensors, by name. Raises TypeError for tensors of other types."""
        found = {field.name: tensor(field.name) for field in fields(Words)}
        for name, values in found.items():
            if values.dtype != np.int64:
                raise TypeError(f"tensors must be int64. Got {values.dtype} for {name} instead.")
        return Words(**found)


def check(words: Words, circuit: TreeCircuit) -> None:
    """Raise :class:`ModelFileError` for words that do not fit a circuit, or whose bounds do not hold."""
    _check_shapes(words, circuit)
    counts = (tuple(words.words_of_output.tolist()), tuple(words.trees_of_output.tolist()))
    if counts != (circuit.words, circuit.trees):
        raise ModelFileError("words and trees must be as many as the signature says.")
    check_partition(words, circuit.slots)
    _check_values(words, circuit)
    least = int(coverage(circuit.parameters.ring_degree, circuit.bits, circuit.seal).min())
    if least < bounds.COVERAGE:
        raise ModelFileError(
            f"the seal must test every unused coefficient with {bounds.COVERAGE} limbs. Some have {least}."
        )
    if lambda_bits(words, circuit) < circuit.lambda_bits:
        raise ModelFileError(f"answers must be flooded by {circuit.lambda_bits} bits. These words leave less.")


def _check_shapes(words: Words, circuit: TreeCircuit) -> None:
    """Every index in range and in order, so that nothing is read or written elsewhere."""
    w, t, columns = len(words.trees), len(words.outputs), circuit.integer_columns
    q, e, j = len(words.condition_words), len(words.term_conditions), len(words.jump_words)
    shapes = {
        "base": (w, columns),
        "bias": (len(circuit.words) * columns,),
        "condition_constants": (q,),
        "term_bits": (e,),
        "term_signs": (e,),
        "jump_bits": (j,),
        "jumps": (j, columns),
    }
    for name, shape in shapes.items():
        if getattr(words, name).shape != shape:
            raise ModelFileError(f"{name} must have shape {shape}. Got {getattr(words, name).shape} instead.")
    limits = {
        "outputs": len(circuit.words),
        "trees": t,
        "condition_words": w,
        "condition_constants": 2,
        "term_conditions": q,
        "term_bits": circuit.values,
        "jump_words": w,
        "jump_bits": circuit.values,
    }
    for name, limit in limits.items():
        values = getattr(words, name)
        if values.ndim != 1 or (len(values) and (values.min() < 0 or values.max() >= limit)):
            raise ModelFileError(f"{name} must be from 0 to {limit - 1}. Some are not.")
    if not w or not np.isin(words.term_signs, (-1, 1)).all():
        raise ModelFileError("trees must have words, and the signs of terms must be 1 or -1.")
    for name in ("outputs", "trees", "condition_words"):
        if (np.diff(getattr(words, name)) < 0).any():
            raise ModelFileError(f"{name} must not fall.")
    if len(np.unique(words.trees)) != t or len(np.unique(words.outputs)) != len(circuit.words):
        raise ModelFileError("every tree must have a word, and every output a tree.")


def _check_values(words: Words, circuit: TreeCircuit) -> None:
    """That sums of any words, one of each tree, stay below 2^23."""
    limit = 1 << (bounds.SCORE_BITS - 1)
    for name in ("base", "bias", "jumps"):
        values = getattr(words, name)
        if ((values >= 2 * limit) | (values <= -2 * limit)).any():
            raise ModelFileError(f"{name} must stay below {2 * limit}. Some do not.")
    _, values = slot_values(words, circuit.slots)
    largest = np.zeros((len(words.outputs), words.columns), dtype=np.int64)
    np.maximum.at(largest, words.trees, np.abs(words.base))
    np.maximum.at(largest, words.trees[words.jump_words], np.abs(values))
    sums = np.zeros((len(circuit.words), words.columns), dtype=np.int64)
    np.add.at(sums, words.outputs, largest)
    if (sums.reshape(-1) + np.abs(words.bias) >= limit).any():
        raise ModelFileError(f"scores must stay below {limit}: these words exceed it for some input.")
