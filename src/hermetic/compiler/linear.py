"""What a compiled model is made from: an affine map over reals and its public head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError
from ..quantize import Reals
from ..signature import MAX_FEATURES, MAX_OUTPUTS


@dataclass(frozen=True, eq=False)
class LinearMap:
    """scores = weights (k, d) · x + bias (k,), with what the client needs to read them.

    ``weights`` of a step may be a SciPy sparse array; those of a model are dense. ``method`` is the estimator's method
    that the scores give; ``link``, ``labels``, ``squeeze`` and ``feature_names`` are those of
    :class:`hermetic.signature.Signature`.

    The float64 rounding of the estimator's own computation is proportional to the sizes of the terms that it adds, and
    these are larger than their sum where they cancel. ``reach`` (k, d) is the sum over all ways from a feature to a
    score of the absolute product of the weights along it, |weights| by default; ``folded`` (k,) that of the constants
    which were folded into the bias.

    Raises
    ------
    CompileError
        If the shapes do not fit each other or a signature, or a value is NaN or infinite.
    """

    weights: Any
    bias: Reals
    method: str
    link: str | None = None
    labels: npt.NDArray[Any] | None = None
    squeeze: bool = False
    feature_names: tuple[str, ...] | None = None
    reach: Any = None
    folded: Reals | float = 0.0

    def __post_init__(self) -> None:
        k, d = self.weights.shape
        if not 1 <= k <= MAX_OUTPUTS or not 1 <= d <= MAX_FEATURES or self.bias.shape != (k,):
            raise CompileError(
                f"the model must have 1 to {MAX_FEATURES} features and 1 to {MAX_OUTPUTS} outputs, with an intercept "
                f"each. Got coefficients of shape {self.weights.shape}, intercepts of shape {self.bias.shape} instead."
            )
        for name, values in (("coefficients", _stored(self.weights)), ("intercepts", self.bias)):
            if not np.isfinite(values).all():
                raise CompileError(
                    f"the {name} must be finite. {np.count_nonzero(~np.isfinite(values))} of them are NaN or infinite, "
                    "scalers included: fit the estimator again, on data of a reasonable scale."
                )

    @property
    def terms(self) -> Any:
        """``reach``, or |weights| where nothing was folded."""
        return abs(self.weights) if self.reach is None else self.reach

    def after(self, first: LinearMap) -> LinearMap:
        """The map of x that applies ``first`` to x and then this one.

        The head is this one's; its names of features do not name those of x.

        Raises
        ------
        CompileError
            If ``first`` does not give as many values as this one takes.
        """
        middle, d = first.weights.shape
        if middle != self.weights.shape[1]:
            raise CompileError(
                f"every step must give the {self.weights.shape[1]} features that the next one takes. Got one of "
                f"{middle} instead: fit the pipeline again."
            )
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
            )

    def dense(self) -> LinearMap:
        """The same with dense arrays."""
        weights, reach = (one.toarray() if hasattr(one, "toarray") else one for one in (self.weights, self.reach))
        return replace(self, weights=weights, reach=reach)


def affine(weights: Any, bias: npt.ArrayLike | None = None) -> LinearMap:
    """The step x -> weights·x + bias; no bias is zero."""
    shift = np.zeros(weights.shape[0]) if bias is None else np.asarray(bias, dtype=np.float64)
    return LinearMap(weights, shift, "transform")


def stacked(maps: Sequence[LinearMap]) -> LinearMap:
    """The step that gives the values of dense maps of the same x, one after the other."""
    return LinearMap(
        np.concatenate([one.weights for one in maps]),
        np.concatenate([one.bias for one in maps]),
        "transform",
        reach=np.concatenate([one.terms for one in maps]),
        folded=np.concatenate([np.broadcast_to(one.folded, one.bias.shape) for one in maps]),
    )


def _stored(weights: Any) -> Reals:
    return np.asarray(weights.data if hasattr(weights, "toarray") else weights)
