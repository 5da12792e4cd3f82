"""What a compiled model is made from: an affine map over reals and its public head."""

from __future__ import annotations

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

    ``method`` is the estimator's method that the scores equal; ``link``, ``labels``, ``squeeze`` and
    ``feature_names`` are those of :class:`hermetic.signature.Signature`. ``folded`` (k,) is the sum of the absolute
    terms that were folded into the bias: the float64 rounding of the estimator's own steps is proportional to it.

    Raises
    ------
    CompileError
        If the shapes do not fit each other or a signature, or a value is NaN or infinite.
    """

    weights: Reals
    bias: Reals
    method: str
    link: str | None = None
    labels: npt.NDArray[Any] | None = None
    squeeze: bool = False
    feature_names: tuple[str, ...] | None = None
    folded: Reals | float = 0.0

    def __post_init__(self) -> None:
        k, d = self.weights.shape
        if not 1 <= k <= MAX_OUTPUTS or not 1 <= d <= MAX_FEATURES or self.bias.shape != (k,):
            raise CompileError(
                f"the model must have 1 to {MAX_FEATURES} features and 1 to {MAX_OUTPUTS} outputs, with an intercept "
                f"each. Got coefficients of shape {self.weights.shape}, intercepts of shape {self.bias.shape} instead."
            )
        for name, values in (("coefficients", self.weights), ("intercepts", self.bias)):
            if not np.isfinite(values).all():
                raise CompileError(
                    f"the {name} must be finite. {np.count_nonzero(~np.isfinite(values))} of them are NaN or infinite, "
                    "scalers included: fit the estimator again, on data of a reasonable scale."
                )

    def after_affine(self, scale: Reals, shift: Reals) -> LinearMap:
        """The map of x that applies this one to scale·x + shift; scale and shift (d,) stay private.

        Raises
        ------
        CompileError
            If scale or shift is not of shape (d,).
        """
        d = self.weights.shape[1]
        if scale.shape != (d,) or shift.shape != (d,):
            raise CompileError(
                f"every step of a pipeline must have the model's {d} features. Got one of shape {scale.shape} instead: "
                "fit the pipeline again."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(
                self,
                weights=self.weights * scale,
                bias=self.bias + self.weights @ shift,
                folded=self.folded + np.abs(self.weights) @ np.abs(shift),
            )
