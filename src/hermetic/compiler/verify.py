"""The last stage: a compiled model against the estimator it was made from.

Bounds are proven from the coefficients that were read; what no proof covers is whether the estimator computes its
scores from these coefficients. So its own methods are asked: about the sample, and about the corners and random points
of the input range.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import CompileError, InputError
from ..model import CompiledModel
from ..signature import Signature
from .spread import MAX_PRODUCTS

_MAX_ROWS = 1000
_LINK_ERROR = {np.dtype(np.float16): 4e-3, np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-9}
_OTHERWISE = (
    "its attributes were changed after fitting, or a class of its own computes otherwise. Fit it again, with the "
    "classes of its library as they are"
)


def verify(
    model: CompiledModel,
    estimator: Any,
    asked: Any,
    values: Reals,
    raw_scores: Mapping[str, bool] | None = None,
    types: Sequence[np.dtype[Any]] | None = None,
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
    types
        Those of the inputs that it was fitted on, in which it is asked; None is float64.

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
    scores = model.reference(integers)
    own = estimator_answers(estimator, signature, asked, raw_scores, types)
    if signature.method == "predict" and signature.labels is not None:
        _check_chosen(signature, signature.labels, scores, own("predict"))
        return
    linked = max(map(link_error, types or ()), default=0.0)
    _check_response(signature, scores, own(signature.method), linked)
    if signature.labels is not None:
        _check_labels(signature, signature.labels, scores, own, linked)


def link_error(dtype: np.dtype[Any]) -> float:
    """How far a link that is computed in a type may move what an estimator gives."""
    return _LINK_ERROR.get(dtype, 1e-9)


def rows_to_verify(model: CompiledModel) -> int:
    """How many rows of a sample are asked about, so that it takes no longer than a moment."""
    return min(_MAX_ROWS, max(MAX_PRODUCTS // max(model.operations, 1), 1))


def estimator_answers(
    estimator: Any,
    signature: Signature,
    values: Any,
    raw_scores: Mapping[str, bool] | None = None,
    types: Sequence[np.dtype[Any]] | None = None,
) -> Callable[[str], npt.NDArray[Any]]:
    """answer(method): what the estimator's own method gives for values (n, d).

    An estimator that was fitted on named columns is asked with a DataFrame, where pandas is there: it may choose
    columns by name.
    """
    asked = _as_fitted(values, types)
    if signature.feature_names is not None and importlib.util.find_spec("pandas"):
        pandas = importlib.import_module("pandas")
        frame = pandas.DataFrame(values, columns=list(signature.feature_names), dtype=np.asarray(values).dtype)
        columns = [frame[name] for name in frame]
        fitted = [None] * len(columns) if types is None else types
        asked = frame.astype({one.name: _type(one, type_) for one, type_ in zip(columns, fitted, strict=True)})

    def answer(method: str) -> npt.NDArray[Any]:
        with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
            warnings.filterwarnings("ignore", "X (does not have|has) .*feature names")
            warnings.filterwarnings("ignore", "overflow encountered")
            warnings.filterwarnings("ignore", "Found unknown categories")
            if method == "decision_function" and raw_scores is not None:
                own = partial(getattr(estimator, "best_estimator_", estimator).predict, **raw_scores)
            else:
                own = partial(_call, estimator, method)
            found = _answer(own, asked, method)
            return _defined(found) if method == "predict_proba" else found

    return answer


def _defined(probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Probabilities (n, classes), uniform where all were 0: until scikit-learn 1.8 these were normalised to NaN."""
    undefined = np.isnan(probabilities).all(axis=-1, keepdims=True)
    return np.where(undefined, probabilities.dtype.type(1 / probabilities.shape[-1]), probabilities)


def _as_fitted(values: Any, types: Sequence[np.dtype[Any]] | None) -> Any:
    """Values (n, d) in the one type that an estimator was fitted on, where they have one."""
    found = np.asarray(values)
    if types is None or len(set(types)) != 1 or found.dtype.kind not in "biufO":
        return values
    return found.astype(_type(found, types[0]))


def _type(values: Any, fitted: np.dtype[Any] | None) -> np.dtype[Any]:
    """The type in which values are asked about: whole numbers alone fit a type of them, and objects stay objects."""
    if (fitted is not None and fitted.kind == "O") or not all(map(_is_number, np.ravel(values))):
        return np.dtype(object)
    if fitted is None or fitted.kind not in "iuf":
        return np.dtype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        reals = np.asarray(values, dtype=np.float64)
        whole = np.isfinite(reals).all() and np.array_equal(reals.astype(fitted), reals)
    return fitted if fitted.kind == "f" or whole else np.dtype(np.float64)


def _call(estimator: Any, method: str, asked: Any) -> Any:
    return getattr(estimator, method)(asked)


def _answer(own: Callable[[Any], Any], asked: Any, method: str) -> npt.NDArray[Any]:
    """What a method of the estimator gives for all rows; sparse answers become dense."""
    try:
        found = own(asked)
    except CompileError:
        raise
    except Exception as error:  # whatever the estimator's library raises
        raise CompileError(_what_fails(own, asked, method, error)) from error
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found)


def _what_fails(own: Callable[[Any], Any], asked: Any, method: str, error: Exception) -> str:
    """Whether it is the estimator, which fails on every row, or some of the rows."""
    works = [_works(own, asked[i : i + 1]) for i in range(len(asked))]
    why = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not any(works):
        return (
            f"the estimator's own {method} must work. It fails on every input ({why}): it was fitted by another "
            "version of its library, or its attributes were changed. Fit it again, with the installed version."
        )
    row = np.asarray(asked[works.index(False) :][:1]).tolist()[0] if not all(works) else "all of them together"
    return (
        f"the estimator's own {method} must work on every input in range. It fails on {row} ({why}): pass an "
        "input_range in which it works."
    )


def _works(own: Callable[[Any], Any], row: Any) -> bool:
    try:
        own(row)
    except Exception:
        return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _check_response(signature: Signature, scores: Reals, own: npt.NDArray[Any], linked: float) -> None:
    """``linked`` is the link's own rounding in the types of the inputs: means of float32 are often kept in float64."""
    shown = signature.head.shaped(scores)
    expected = signature.head.respond(shown)
    if own.shape != expected.shape:
        raise CompileError(
            f"{signature.method} must give shape {expected.shape}, as its coefficients say. Got {own.shape} instead: "
            f"{_OTHERWISE}."
        )
    with np.errstate(invalid="ignore"):
        apart = np.where(own == expected, 0.0, np.abs(own - expected))
        allowed = signature.head.response_error(shown, signature.error)
    rounding = max(linked, link_error(own.dtype)) * np.maximum(1.0, np.abs(own))
    close = apart <= allowed + (0.0 if signature.link is None else rounding)
    if not close.all():
        raise CompileError(
            f"the compiled model must equal {signature.method} within {signature.error:g}. It differs by "
            f"{apart.flat[close.argmin()]:g}: {_OTHERWISE}."
        )


def _check_labels(
    signature: Signature,
    labels: npt.NDArray[Any],
    scores: Reals,
    own: Callable[[str], npt.NDArray[Any]],
    linked: float,
) -> None:
    response = own(signature.method)
    expected, given = signature.head.choose(response, labels), own("predict")
    if not np.array_equal(expected, given):
        raise CompileError(_what_is_chosen(signature, scores, expected, given))
    if not signature.head.has_probabilities or signature.method == "predict_proba":
        return
    found, expected_proba = signature.head.probabilities(response), own("predict_proba")
    # Of large scores, the link rounds the differences.
    eps = max(np.finfo(one.dtype).eps for one in (response, expected_proba))
    rounding = 8 * float(eps * np.abs(response).max(initial=0.0))
    if not np.allclose(found, expected_proba, rtol=0, atol=max(linked, link_error(expected_proba.dtype)) + rounding):
        raise CompileError(
            f"predict_proba must be the {signature.link} function of the scores. The estimator's is not: {_OTHERWISE}."
        )


def _what_is_chosen(signature: Signature, scores: Reals, expected: npt.NDArray[Any], given: npt.NDArray[Any]) -> str:
    """The first input whose label does not follow from the scores, in words."""
    must = f"predict must choose labels by the scores of {signature.method}"
    if expected.shape != given.shape:
        return f"{must}. The estimator's gives shape {given.shape} for {expected.shape}: {_OTHERWISE}."
    first = int(np.flatnonzero((expected != given).reshape(len(given), -1).any(axis=1))[0])
    tied = len(np.unique(np.rint(scores[first] / signature.error))) < scores.shape[1] or not scores[first].all()
    why = "classes tie there. Fit it on inputs that tell the classes apart" if tied else _OTHERWISE
    return f"{must}. It chooses {given[first].tolist()!r} where these are {scores[first].tolist()}: {why}."


def _check_chosen(signature: Signature, labels: npt.NDArray[Any], scores: Reals, own: npt.NDArray[Any]) -> None:
    """Labels alone, where no score that chooses another is within the error."""
    shown = signature.head.shaped(scores)
    certain = signature.head.certain(shown, signature.error)
    chosen = signature.head.choose(shown, labels)
    if chosen.shape != own.shape or not np.array_equal(chosen[certain], own[certain]):
        raise CompileError(
            "predict must choose labels by the largest scores, or by their signs. The estimator's does not: "
            f"{_OTHERWISE}."
        )
