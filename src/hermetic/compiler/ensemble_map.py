"""A sum of trees of several inputs, whose splits and leaves stay private."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..arrays import Reals
from ..circuits.trees.slots import Slots
from ..circuits.trees.words import Words
from ..errors import UnsupportedModelError
from .linear import LinearMap


@dataclass(frozen=True, eq=False)
class EnsembleMap(LinearMap):
    """scores = the sum of trees of the slots of x, which the public features say.

    It is a map of public features as others are, with weights that are 0: what counts are the ``words`` on ``slots``.
    ``step`` is the estimator's class in lower case.
    """

    words: Words = field(kw_only=True)
    slots: Slots = field(kw_only=True)
    step: str = field(kw_only=True)
    knows_rounding: ClassVar[bool] = True

    def scores(self, features: Reals) -> Reals:
        """The scores (n, k) of features (n, d)."""
        return np.asarray(self.words.apply(self.slots.to_bits(features.astype(np.int64))))

    @property
    def own_rounding(self) -> Reals:
        """What the estimator itself may round (k,)."""
        return np.asarray(self.own_error + np.asarray(self.relative) * _reach(self.words))

    def check_linear(self) -> NoReturn:
        """Refuse what takes scores together with others, or makes public features of them."""
        raise UnsupportedModelError(
            "what other parts follow, or stand beside, must be linear, or trees that split on one input each. Got "
            f"{len(self.words.outputs)} trees that split on several inputs: compile that part alone, or fit it with "
            "max_depth=1 or interaction constraints that keep all inputs apart."
        )

    def _before(self, last: LinearMap) -> LinearMap:
        """``last``, which is affine, of the scores."""
        weights: Any = last.weights.toarray() if hasattr(last.weights, "toarray") else last.weights
        terms: Any = last.terms.toarray() if hasattr(last.terms, "toarray") else last.terms
        words = _combined(self.words, weights, last.bias)
        relative = 4 * 2.0**-53 + last.roundings * last.precision
        rounding = relative * (terms @ _reach(self.words) + np.abs(last.bias) + last.folded)
        return replace(
            self,
            weights=np.zeros((len(last.bias), self.weights.shape[1])),
            words=words,
            bias=words.bias,
            head=last.head,
            feature_names=None,
            own_error=last.own_error + terms @ np.broadcast_to(self.own_rounding, self.bias.shape) + rounding,
            relative=last.relative,
            public=self.public + last.public,
            hidden=self.hidden + last.hidden,
            raw_scores=last.raw_scores,
        )


def _combined(words: Words, weights: Reals, bias: Reals) -> Words:
    """Words whose scores are weights (m, k) times those of ``words``, + bias (m,).

    The trees of outputs that are mixed become those of one output with m values.
    """
    outputs, columns = len(words.trees_of_output), words.columns
    moved = weights @ words.bias + bias
    if columns == 1 and weights.shape == (outputs, outputs) and not (weights - np.diag(np.diag(weights))).any():
        scale = np.diag(weights)[words.word_outputs][:, None]
        return replace(words, base=words.base * scale, jumps=words.jumps * scale[words.jump_words], bias=moved)
    if columns > 1 or outputs == 1:
        return replace(words, base=words.base @ weights.T, jumps=words.jumps @ weights.T, bias=moved)
    rows = weights.T[words.word_outputs]
    zero = np.zeros_like(words.outputs)
    return replace(words, outputs=zero, base=words.base * rows, jumps=words.jumps * rows[words.jump_words], bias=moved)


def _reach(words: Words) -> Reals:
    """A bound (k,) on the sum of the absolute values of all trees and of the bias."""
    largest = np.zeros((len(words.outputs), words.columns))
    highest = np.abs(words.base)
    np.add.at(highest, words.jump_words, np.abs(words.jumps))
    np.maximum.at(largest, words.trees, highest)
    sums = np.zeros((len(words.trees_of_output), words.columns))
    np.add.at(sums, words.outputs, largest)
    return np.asarray(sums.reshape(-1) + np.abs(words.bias))
