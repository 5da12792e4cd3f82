"""What a compiled model is made from: an affine map over reals and its public head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from ..errors import CompileError
from ..features import Block, Chain, Columns, FeatureMap, Identity
from ..features.affine import MAX_ENTRIES
from ..features.block import Flags
from ..head import Head
from .category_codes import without_codes
from .disclosure import Disclosure
from .exactness import check_jumps, exact_features, exact_sums
from .origin import Origin, of_affine, of_choice
from .pass_through import Passes, chained, merged, moved, of_weights
from .polynomials import Substitution, centred, substitute
from .polynomials import moved as moved_by
from .public_block import affine_block, chosen_columns, joined

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
    rounds every term at most ``roundings`` times. ``relative``, a number or (k,), bounds the relative error of every
    term where some steps of it compute in less than float64.

    ``exact`` (d,) says which public features clients compute to the last digit as the estimator does; by default what
    their blocks say.

    ``origin`` is a point where an affine map is known without cancellation. ``centre`` (inputs,) says that the features
    are monomials of x - centre; it is learned, and must be gone (:meth:`centred`) before the features are public.
    ``compared`` says that scores of a sample are compared with each other although there are no labels.

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
    public: tuple[Disclosure, ...] = ()
    hidden: tuple[Disclosure, ...] = ()
    own_error: Reals | float = 0.0
    block: Block | None = None
    passes: Passes | None = None
    uses: npt.NDArray[np.bool_] | None = None
    raw_scores: Mapping[str, bool] | None = None
    precision: float = 2.0**-53
    roundings: int = 0
    relative: Reals | float = 0.0
    exact: Flags | None = None
    origin: Origin | None = None
    centre: Reals | None = None
    compared: bool = False
    knows_rounding: ClassVar[bool] = False
    """Whether ``own_error`` is all that the estimator rounds, whatever the type of what it takes."""

    def __post_init__(self) -> None:
        k, d = self.weights.shape
        _check_shape(k, d, self.bias.shape)
        if not hasattr(self.weights, "toarray"):
            _check_size(k, d)
        for name, values in (("coefficients", _stored(self.weights)), ("intercepts", self.bias)):
            if not np.isfinite(values).all():
                raise CompileError(
                    f"the {name} must be finite. {np.count_nonzero(~np.isfinite(values))} of them are NaN or infinite, "
                    "those of steps before the model included: fitting diverged, or products of them are too large. "
                    "Fit it on inputs and targets of a size near 1, such as a StandardScaler gives."
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

    def scores(self, features: Reals) -> Reals:
        """The scores (n, k) of features (n, d), from those less their mean, where they cancel least."""
        middle = features.mean(axis=0)
        level = self.bias + self.weights @ middle
        return np.asarray((features - middle) @ self.weights.T + level)

    def rounding_of(self, largest: Callable[[], Reals]) -> Reals | float:
        """``own_error``, and what ``roundings``, to first order, and ``relative`` make where ``largest()`` gives
        the largest sums of absolute terms of features (k,).
        """
        relative = self.roundings * self.precision + self.relative
        if not np.any(relative):
            return self.own_error
        return np.asarray(self.own_error + relative * (largest() + np.abs(self.bias) + self.folded))

    def after(self, first: LinearMap) -> LinearMap:
        """The map of x that applies ``first`` to x and then this one.

        The head is this one's; its names of features do not name those of x. An affine ``first`` before a feature map
        becomes public, unless the features are polynomials.

        Raises
        ------
        CompileError
            If ``first`` does not give as many values as this one takes.
        """
        middle = first.weights.shape[0]
        if middle != self.inputs:
            raise CompileError(
                f"every step must give the {self.inputs} features that the next one takes. Got one of "
                f"{middle} instead: fit the pipeline again."
            )
        if self.feature_map is not None:
            first.check_linear()
            found = None if first.feature_map is not None else self._substituted(self.feature_map, first)
            own = self.centred(np.zeros(self.inputs)) if self.centre is not None else self
            return own._after_public(own.feature_map or self.feature_map, first) if found is None else found
        return first._before(self)

    def check_linear(self) -> None:
        """Raise UnsupportedModelError for scores that are no linear map of features."""

    def _before(self, last: LinearMap) -> LinearMap:
        """``last``, which is affine, of the scores."""
        middle, d = self.weights.shape
        # Sums of more terms round more often than the d of a plain model.
        longer = max(1.0, middle / d)
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(
                last,
                feature_names=None,
                weights=last.weights @ self.weights,
                bias=last.bias + last.weights @ self.bias,
                reach=last.terms @ self.terms * longer,
                folded=last.folded + last.terms @ (np.abs(self.bias) + self.folded),
                own_error=last.own_error + last.terms @ np.broadcast_to(self.own_error, self.bias.shape),
                feature_map=self.feature_map,
                exact=self.exact,
                public=self.public + last.public,
                hidden=self.hidden + last.hidden,
                block=last._block_after(self),
                passes=last._passes_after(self),
                uses=self.uses,
                relative=last._relative_after(self),
                origin=last._origin_after(self),
                centre=self.centre,
            )

    def _substituted(self, features: FeatureMap, first: LinearMap) -> LinearMap | None:
        """Monomials of an affine map, as those of its inputs less their origin."""
        centre = np.zeros(self.inputs) if self.centre is None else self.centre
        at = first.origin_for(centre)
        relative = float(np.max(first.relative))
        constant = at.level - centre
        found = substitute(features, first.weights, constant, first.terms, at.magnitude, relative)
        if found is None:
            return None
        return replace(
            self._of(found),
            public=first.public + self.public,
            hidden=first.hidden + self.hidden,
            relative=self._relative_after(first),
            feature_names=None,
            passes=self._passes_after(first),
            uses=first.uses,
            centre=at.point if at.point.any() else None,
        )

    def origin_for(self, level: Reals) -> Origin:
        """``origin``; without one 0, or where a choice of values gives ``level`` (k,)."""
        if self.origin is not None:
            return self.origin
        if self.block is None and isinstance(self.stepwise, Columns):
            return of_choice(self.weights, level)
        return of_affine(self.weights, self.bias, self.terms, self.folded, np.zeros(self.weights.shape[1]))

    def _origin_after(self, first: LinearMap) -> Origin | None:
        if self.feature_map is not None or first.feature_map is not None or self.origin is first.origin is None:
            return None
        before = first.origin_for(np.zeros(len(first.bias)) if self.origin is None else self.origin.point)
        own = self.origin or of_affine(self.weights, self.bias, self.terms, self.folded, before.level)
        return own.after(before, self.weights, self.terms)

    def _relative_after(self, first: LinearMap) -> Reals | float:
        return np.asarray((1 + self.relative) * (1 + np.max(first.relative)) - 1)

    def _block_after(self, first: LinearMap) -> Block | None:
        """Both maps as one block, where each is one that rounds as the estimator does."""
        if self.feature_map is not None or self.block is first.block is None:
            return None
        before, own = first.exact_block(), self.stepwise
        if before is None or own is None:
            return None
        if first.block is None and isinstance(before, Columns):
            return Columns(own, before.columns, before.inputs)
        return Chain(before, own)

    @property
    def stepwise(self) -> Block | None:
        """``block``, or a choice of values as one."""
        if self.block is not None or not hasattr(self.weights, "tocsr") or self.bias.any():
            return self.block
        return chosen_columns(self.weights)

    def exact_block(self) -> Block | None:
        """The map as a block that gives exact values, where all of them are."""
        if self.stepwise is not None:
            return self.stepwise
        if self.weights.shape[0] * self.weights.shape[1] > MAX_ENTRIES or not self.exact_values().all():
            return None
        return affine_block(self.weights, self.bias) or Identity(len(self.bias))

    def exact_features(self) -> Flags:
        """``exact``, or what the blocks say."""
        plain = np.ones(self.inputs, dtype=np.bool_)
        if self.exact is not None or self.feature_map is None:
            return plain if self.exact is None else self.exact
        return exact_features(self.feature_map.block, plain)

    def exact_values(self) -> Flags:
        """Which values (k,) clients compute to the last digit as the estimator does."""
        if self.stepwise is not None:
            return exact_features(self.stepwise, self.exact_features())
        whole = np.zeros(self.inputs) if self.feature_map is None else self.feature_map.steps(np.zeros(self.inputs))
        return exact_sums(self.weights, self.bias, self.exact_features(), whole == 1)

    def centred(self, middle: Reals) -> LinearMap:
        """The same scores from features of x - middle (inputs,), where they are polynomials: these are smaller."""
        if self.feature_map is None:
            return self
        found = centred(self.feature_map, middle, 0.0 if self.centre is None else self.centre)
        return self if found is None else self._of(found)

    def around(self, point: Reals) -> LinearMap:
        """The same scores from monomials of x - point (inputs,), which stays private; ``centre`` must be there."""
        found = (
            None if self.feature_map is None or self.centre is None else moved_by(self.feature_map, point - self.centre)
        )
        return self.centred(np.zeros(self.inputs)) if found is None else replace(self._of(found), centre=point)

    def _of(self, found: Substitution) -> LinearMap:
        """The same scores from other monomials."""
        step = replace(affine(found.weights, found.bias), reach=found.reach, folded=found.folded, passes={})
        plain = replace(self, feature_map=None, centre=None, origin=None).after(step)
        names, public = self.feature_names, self.public
        return replace(plain, feature_map=found.features, feature_names=names, public=public, passes=self.passes)

    def _after_public(self, features: FeatureMap, first: LinearMap) -> LinearMap:
        block, hidden = first.as_block()
        exact = first.exact_values()
        check_jumps(features, exact, [one.step for one in (*first.public, *first.hidden)])
        if block is not None and np.any(first.relative) and first.stepwise is None:
            refuse_moving(features, block)
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
            exact=exact_features(features.block, exact),
        )

    def _passes_after(self, first: LinearMap) -> Passes | None:
        """What both pass on; None is what the weights say."""
        if self.passes is None and first.passes is None and self.feature_map is first.feature_map is None:
            return None
        before = first.passed
        return chained(before, self.passed) if before else {}

    def as_block(self) -> tuple[Block | None, tuple[Disclosure, ...]]:
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


def refuse_moving(features: FeatureMap, block: Block) -> None:
    """Raise :class:`CompileError` for sums in less than float64 before public features that are not linear."""
    raise CompileError(
        f"what is public and not linear, {features}, must follow values that clients compute as the estimator does. "
        f"Before it are sums ({block.kind}) in less than float64, which every library rounds in its own way: fit the "
        "pipeline on data of float64, with astype(np.float64)."
    )


def _check_shape(k: int, d: int, bias: tuple[int, ...]) -> None:
    if not k or not d:
        raise CompileError(
            f"a model, and every step of it, must take one feature or more and give one or more. Got one that takes "
            f"{d} and gives {k}: leave it out, or fit it so that it keeps some."
        )
    if k > MAX_OUTPUTS or d > MAX_FEATURES:
        raise CompileError(
            f"the model must have at most {MAX_FEATURES:,} features and {MAX_OUTPUTS:,} outputs. Got {d:,} features "
            f"and {k:,} outputs instead: select features before, or split it by outputs."
        )
    if bias != (k,):
        raise CompileError(
            f"the model must have an intercept for each of its {k} outputs. Got intercepts of shape {bias} instead: "
            "its attributes were changed after fitting. Fit it again."
        )


def _check_size(k: int, d: int) -> None:
    if k * d > MAX_WEIGHTS:
        raise CompileError(
            f"the model must have at most {MAX_WEIGHTS:,} weights. Got {k} outputs of {d} features, {k * d:,} "
            f"weights, instead: split it by outputs into {-(-k * d // MAX_WEIGHTS)} models or more."
        )


def _stored(weights: Any) -> Reals:
    return np.asarray(weights.data if hasattr(weights, "toarray") else weights)
