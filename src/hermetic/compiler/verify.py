"""The last stage: a compiled model against the estimator it was made from.

Bounds are proven from the coefficients that were read; what no proof covers is whether the estimator computes its
scores from these coefficients. So its own methods are asked: about the sample, and about the corners and random points
of the input range.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..circuits.linear.integers import recombine
from ..errors import CompileError, InputError
from ..model import EncryptedModel
from ..signature import Signature

_MAX_ROWS = 1000
_MAX_PRODUCTS = 1 << 24
_LINK_ERROR = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-9}


def verify(
    model: EncryptedModel, estimator: Any, asked: Any, values: Reals, raw_scores: Mapping[str, bool] | None = None
) -> None:
    """Check that scores, labels and probabilities are the estimator's own.

    Parameters
    ----------
    asked
        Inputs as the estimator takes them, n of them.
    values
        Their features (n, d): what clients would encrypt.
    raw_scores
        Options with which ``predict`` gives the scores, where there is no ``decision_function``.

    Raises
    ------
    CompileError
        If they are not, or if values are not in the range of the features.
    """
    signature = model.signature
    try:
        integers = signature.grid.quantize(values)
    except InputError as error:
        raise CompileError(f"X_sample must be inputs that clients may encrypt: {error}") from error
    one = model.integers
    scores = recombine(one.apply(integers), one.limbs, one.limb_bits, one.scale_exponent)
    own = estimator_answers(estimator, signature, asked, raw_scores)
    if signature.method == "predict" and signature.labels is not None:
        _check_chosen(signature, signature.labels, scores, own("predict"))
        return
    _check_response(signature, scores, own(signature.method))
    if signature.labels is not None:
        _check_labels(signature, signature.labels, own)


def link_error(own: npt.NDArray[Any]) -> float:
    """How far the link's own rounding may move what an estimator gives; some give float32."""
    return _LINK_ERROR.get(own.dtype, 1e-9)


def rows_to_verify(model: EncryptedModel) -> int:
    """How many rows of a sample are asked about, so that it takes no longer than a moment."""
    return min(_MAX_ROWS, max(_MAX_PRODUCTS // model.integers.weights.size, 1))


def estimator_answers(
    estimator: Any, signature: Signature, values: Any, raw_scores: Mapping[str, bool] | None = None
) -> Callable[[str], npt.NDArray[Any]]:
    """answer(method): what the estimator's own method gives for values (n, d).

    An estimator that was fitted on named columns is asked with a DataFrame, where pandas is there: it may choose
    columns by name.
    """
    asked: Any = values
    if signature.feature_names is not None and importlib.util.find_spec("pandas"):
        pandas = importlib.import_module("pandas")
        frame = pandas.DataFrame(values, columns=list(signature.feature_names), dtype=np.asarray(values).dtype)
        asked = frame.astype({name: np.float64 for name in frame if all(map(_is_number, frame[name]))})

    def answer(method: str) -> npt.NDArray[Any]:
        with warnings.catch_warnings(), np.errstate(over="ignore"):
            warnings.filterwarnings("ignore", "X (does not have|has) .*feature names")
            warnings.filterwarnings("ignore", "overflow encountered")
            warnings.filterwarnings("ignore", "Found unknown categories")
            try:
                if method == "decision_function" and raw_scores is not None:
                    return np.asarray(getattr(estimator, "best_estimator_", estimator).predict(asked, **raw_scores))
                return np.asarray(getattr(estimator, method)(asked))
            except (AttributeError, TypeError, ValueError) as error:
                raise CompileError(
                    f"the estimator's own {method} must work on inputs in range. It fails ({error}): if another "
                    "version of scikit-learn fitted it, fit it again with this one."
                ) from error

    return answer


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check_response(signature: Signature, scores: Reals, own: npt.NDArray[Any]) -> None:
    shown = signature.head.shaped(scores)
    expected = signature.head.respond(shown)
    if own.shape != expected.shape:
        raise CompileError(
            f"{signature.method} must give shape {expected.shape}, as its coefficients say. Got {own.shape} instead: "
            "the estimator's attributes were changed after fitting."
        )
    with np.errstate(invalid="ignore"):
        apart = np.where(own == expected, 0.0, np.abs(own - expected))
        allowed = signature.head.response_error(shown, signature.error)
    # The link itself rounds.
    close = apart <= allowed + (0.0 if signature.link is None else link_error(own) * np.maximum(1.0, np.abs(own)))
    if not close.all():
        raise CompileError(
            f"the compiled model must equal {signature.method} within {signature.error:g}. It differs by "
            f"{apart.flat[close.argmin()]:g}: the estimator's attributes were changed after fitting, or it does not "
            "compute its scores from them."
        )


def _check_labels(signature: Signature, labels: npt.NDArray[Any], own: Callable[[str], npt.NDArray[Any]]) -> None:
    response = own(signature.method)
    if not np.array_equal(signature.head.choose(response, labels), own("predict")):
        raise CompileError(f"predict must choose labels by the scores of {signature.method}. The estimator's does not.")
    if not signature.head.has_probabilities or signature.method == "predict_proba":
        return
    found = signature.head.probabilities(response)
    expected = own("predict_proba")
    if not np.allclose(found, expected, rtol=0, atol=link_error(expected)):
        raise CompileError(
            f"predict_proba must be the {signature.link} function of the scores. The estimator's is not: fit it again "
            "with the installed version of scikit-learn, and without multi_class."
        )


def _check_chosen(signature: Signature, labels: npt.NDArray[Any], scores: Reals, own: npt.NDArray[Any]) -> None:
    """Labels alone, where no score that chooses another is within the error."""
    shown = signature.head.shaped(scores)
    certain = signature.head.certain(shown, signature.error)
    chosen = signature.head.choose(shown, labels)
    if chosen.shape != own.shape or not np.array_equal(chosen[certain], own[certain]):
        raise CompileError(
            "predict must choose labels by the largest scores, or by their signs. The estimator's does not."
        )
