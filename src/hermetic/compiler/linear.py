"""What a compiled model is made from: an affine map over reals and its public head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from ..errors import CompileError
from ..features import Block, FeatureMap
from ..head import Head
from .codes import without_codes
from .passed import Passes, chained, merged, moved, of_weights
from .polynomials import Substitution, centred, substitute
from .public_block import affine_block, joined
from .published import Publication

MAX_WEIGHTS = 1 << 27
"""The most weights of a model: compiling holds a few arrays of so many float64 (1 GiB each)."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """scores = weights (k, d) · features(x) + bias (k,), with what the client needs to read them.

    ``feature_map`` is the public map from inputs to the d features, ``public`` what it publishes; without one the
    inputs are the features. ``hidden`` is what would become public too if this map had to be a public block.

    ``weights`` of a step may be a SciPy sparse array; those of a model are dense. ``head`` says what the scores mean;
    ``feature_names`` are those of :class:`hermetic.signature.Signature`.

    The float64 rounding of the estimator's own computation is proportional to the sizes of the terms that it adds, and
    these are larger than their sum where they cancel. ``reach`` (k, d) is the sum over all ways from a feature to a
    score of the absolute product of the weights along it, |weights| by default; ``folded`` (k,) that of the constants
    which were folded into the bias. ``own_error``, a number or (k,), bounds further rounding of the estimator's own
    method, such as sums in float32. An estimator that computes in a ``precision`` (unit roundoff) below float64's
    rounds every term at most ``roundings`` times.

    ``block`` is the map as a public block that rounds as the estimator does, where there is one. ``passes``
    are the values that are inputs as they come; by default those that the weights say. ``uses`` are the inputs
    (inputs,) that it takes, whatever it learned of them; all by default. ``raw_scores`` are the options with which the
    estimator's ``predict`` gives the scores, where it has no ``decision_function``.

    Raises
    ------
    CompileError
        If the shapes do not fit each other or a signature, dense weights are more than :data:`MAX_WEIGHTS`, or a value
        is NaN or infinite.
    """

    weights: Any
    bias: Reals
    head: Head
    feature_names: tuple[str, ...] | None = None
    reach: Any = None
    folded: Reals | float = 0.0
    feature_map: FeatureMap | None = None
    public: tuple[Publication, ...] = ()
    hidden: tuple[Publication, ...] = ()
    own_error: Reals | float = 0.0
    block: Block | None = None
    passes: Passes | None = None
    uses: npt.NDArray[np.bool_] | None = None
    raw_scores: Mapping[str, bool] | None = None
    precision: float = 2.0**-53
    roundings: int = 0

    def __post_init__(self) -> None:
        k, d = self.weights.shape
        if not 1 <= k <= MAX_OUTPUTS or not 1 <= d <= MAX_FEATURES or self.bias.shape != (k,):
            raise CompileError(
                f"the model must have 1 to {MAX_FEATURES} features and 1 to {MAX_OUTPUTS} outputs, with an intercept "
                f"each. Got coefficients of shape {self.weights.shape}, intercepts of shape {self.bias.shape} instead."
            )
        if not hasattr(self.weights, "toarray"):
            _check_size(k, d)
        for name, values in (("coefficients", _stored(self.weights)), ("intercepts", self.bias)):
            if not np.isfinite(values).all():
                raise CompileError(
                    f"the {name} must be finite. {np.count_nonzero(~np.isfinite(values))} of them are NaN or infinite, "
                    "scalers included: fit the estimator again, on data of a reasonable scale."
                )

    @property
    def inputs(self) -> int:
        """Values of one sample that the map starts from."""
        return int(self.weights.shape[1]) if self.feature_map is None else self.feature_map.inputs

    @property
    def taken(self) -> npt.NDArray[np.bool_]:
        """``uses``, or all inputs."""
        return np.ones(self.inputs, dtype=np.bool_) if self.uses is None else self.uses

    @property
    def passed(self) -> Passes:
        """``passes``, or what the weights say."""
        if self.passes is not None or self.feature_map is not None:
            return self.passes or {}
        return of_weights(self.weights, self.bias)

    @property
    def terms(self) -> Any:
        """``reach``, or |weights| where nothing was folded."""
        return abs(self.weights) if self.reach is None else self.reach

    def own_rounding(self, reach: Reals) -> Reals | float:
        """``own_error``, and what ``roundings`` make where features reach up to ``reach`` (d,), to first order."""
        if not self.roundings:
            return self.own_error
        largest = self.terms @ reach + np.abs(self.bias) + self.folded
        return np.asarray(self.own_error + self.roundings * self.precision * largest)

    def after(self, first: LinearMap) -> LinearMap:
        """The map of x that applies ``first`` to x and then this one.

        The head is this one's; its names of features do not name those of x. An affine ``first`` before a feature map
        becomes public, unless the features are polynomials.

        Raises
        ------
        CompileError
            If ``first`` does not give as many values as this one takes.
        """
        middle, d = first.weights.shape
        if middle != self.inputs:
            raise CompileError(
                f"every step must give the {self.inputs} features that the next one takes. Got one of "
                f"{middle} instead: fit the pipeline again."
            )
        if self.feature_map is not None:
            found = None
            if first.feature_map is None:
                found = substitute(self.feature_map, first.weights, first.bias, first.terms, first.folded)
            if found is None:
                return self._after_public(self.feature_map, first)
            passes = self._passes_after(first)
            public, hidden = first.public + self.public, first.hidden + self.hidden
            found_map = replace(self._of(found), public=public, hidden=hidden)
            return replace(found_map, feature_names=None, passes=passes, uses=first.uses)
        # Sums of more terms round more often than the d of a plain model.
        longer = max(1.0, middle / d)
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(
                self,
                feature_names=None,
                weights=self.weights @ first.weights,
                bias=self.bias + self.weights @ first.bias,
                reach=self.terms @ first.terms * longer,
                folded=self.folded + self.terms @ (np.abs(first.bias) + first.folded),
                own_error=self.own_error + self.terms @ np.broadcast_to(first.own_error, first.bias.shape),
                feature_map=first.feature_map,
                public=first.public + self.public,
                hidden=first.hidden + self.hidden,
                block=None,
                passes=self._passes_after(first),
                uses=first.uses,
            )

    def centred(self, middle: Reals) -> LinearMap:
        """The same scores from features of x - middle (inputs,), where they are polynomials: these are smaller."""
        found = None if self.feature_map is None else centred(self.feature_map, middle)
        return self if found is None else self._of(found)

    def _of(self, found: Substitution) -> LinearMap:
        """The same scores from other monomials."""
        step = replace(affine(found.weights, found.bias), reach=found.reach, folded=found.folded, passes={})
        plain = replace(self, feature_map=None).after(step)
        names, public = self.feature_names, self.public
        return replace(plain, feature_map=found.features, feature_names=names, public=public, passes=self.passes)

    def _after_public(self, features: FeatureMap, first: LinearMap) -> LinearMap:
        block, hidden = first.as_block()
        passes = first.passed if features.categories else {}
        if block is None:
            features = without_codes(features, first.feature_map)
        categories = moved(features.categories, passes)
        blocks = [] if block is None else [block]
        if first.feature_map is not None:
            categories = merged(first.feature_map.categories, categories)
            blocks.insert(0, first.feature_map.block)
        return replace(
            self,
            feature_names=None,
            feature_map=FeatureMap(*joined(blocks, features, passes), categories=categories),
            public=first.public + hidden + self.public,
            passes=self._passes_after(first),
            uses=first.uses,
        )

    def _passes_after(self, first: LinearMap) -> Passes | None:
        """What both pass on; None is what the weights say."""
        if self.passes is None and first.passes is None and self.feature_map is first.feature_map is None:
            return None
        before = first.passed
        return chained(before, self.passed) if before else {}

    def as_block(self) -> tuple[Block | None, tuple[Publication, ...]]:
        """The affine map as a public block, and what that publishes; the identity is None."""
        block = affine_block(self.weights, self.bias) if self.block is None else self.block
        return block, () if block is None else self.hidden

    def dense(self) -> LinearMap:
        """The same with dense arrays.

        Raises
        ------
        CompileError
            If they would have more than :data:`MAX_WEIGHTS` numbers.
        """
        _check_size(*self.weights.shape)
        weights, reach = (one.toarray() if hasattr(one, "toarray") else one for one in (self.weights, self.reach))
        return replace(self, weights=weights, reach=reach)


def affine(weights: Any, bias: npt.ArrayLike | None = None) -> LinearMap:
    """The step x -> weights·x + bias; no bias is zero."""
    shift = np.zeros(weights.shape[0]) if bias is None else np.asarray(bias, dtype=np.float64)
    return LinearMap(weights, shift, Head("transform"))


def _check_size(k: int, d: int) -> None:
    if k * d > MAX_WEIGHTS:
        raise CompileError(
            f"the model must have at most {MAX_WEIGHTS:,} weights. Got {k} outputs of {d} features, {k * d:,} "
            f"weights, instead: split it by outputs into {-(-k * d // MAX_WEIGHTS)} models or more."
        )


def _stored(weights: Any) -> Reals:
    return np.asarray(weights.data if hasattr(weights, "toarray") else weights)
