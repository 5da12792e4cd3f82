"""The last stage: a compiled model against the estimator it was made from.

Bounds are proven from the coefficients that were read; what no proof covers is whether the estimator computes its
scores from these coefficients. So its own methods are asked: about the sample, and about the corners and random points
of the input range.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError, InputError
from ..links import apply_link, choose_labels
from ..model import EncryptedModel
from ..quantize import Grid, Reals, recombine
from ..signature import Signature
from .sample import Sample

_RANDOM_PROBES = 14
_MAX_ROWS = 1000
_MAX_PRODUCTS = 1 << 26
_LINK_ERROR = 1e-9


def verify(model: EncryptedModel, estimator: Any, sample: Sample | None) -> None:
    """Check that scores, labels and probabilities are the estimator's own.

    Raises
    ------
    CompileError
        If they are not, or if the sample is not in the range of the inputs.
    """
    signature = model.signature
    values = _probes(signature.grid)
    if sample is not None:
        rows = _MAX_PRODUCTS // model.integers.weights.size
        values = np.concatenate([values, sample.rows(min(_MAX_ROWS, max(rows, 1)))])
    try:
        integers = signature.grid.quantize(values)
    except InputError as error:
        raise CompileError(f"X_sample must be inputs that clients may encrypt: {error}") from error
    one = model.integers
    scores = recombine(one.apply(integers), one.limbs, one.limb_bits, one.scale_exponent)
    own = _ask(estimator, signature.method, values)
    _check_scores(signature, scores, own)
    if signature.labels is not None:
        _check_labels(signature, signature.labels, estimator, values, own)


def _probes(grid: Grid) -> Reals:
    """The smallest and largest inputs, and random ones, all on the grid."""
    random = np.random.default_rng(0).integers(grid.low, grid.high, (_RANDOM_PROBES, grid.features), endpoint=True)
    return np.asarray(grid.offset + grid.step * np.vstack([grid.low, grid.high, random]))


def _ask(estimator: Any, method: str, values: Reals) -> npt.NDArray[Any]:
    with warnings.catch_warnings():
        # It may have been fitted with column names, which are checked elsewhere.
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return np.asarray(getattr(estimator, method)(values))


def _check_scores(signature: Signature, scores: Reals, own: npt.NDArray[Any]) -> None:
    expected = scores[:, 0] if signature.squeeze else scores
    if own.shape != expected.shape:
        raise CompileError(
            f"{signature.method} must give shape {expected.shape}, as its coefficients say. Got {own.shape} instead: "
            "the estimator's attributes were changed after fitting."
        )
    worst = float(np.abs(expected - own).max())
    if not worst <= signature.error:
        raise CompileError(
            f"the compiled model must equal {signature.method} within {signature.error:g}. It differs by {worst:g}: "
            "the estimator's attributes were changed after fitting, or it does not compute its scores from them."
        )


def _check_labels(
    signature: Signature, labels: npt.NDArray[Any], estimator: Any, values: Reals, own: npt.NDArray[Any]
) -> None:
    binary = signature.outputs == 1
    if not np.array_equal(choose_labels(own, labels, binary=binary), _ask(estimator, "predict", values)):
        raise CompileError("predict must choose labels by the scores of decision_function. The estimator's does not.")
    if signature.link is None:
        return
    probabilities = apply_link(signature.link, own, binary=binary)
    if not np.allclose(probabilities, _ask(estimator, "predict_proba", values), rtol=0, atol=_LINK_ERROR):
        raise CompileError(
            f"predict_proba must be the {signature.link} function of the scores. The estimator's is not: fit it again "
            "with the installed version of scikit-learn, and without multi_class."
        )
