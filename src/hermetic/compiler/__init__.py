"""A fitted estimator becomes an :class:`~hermetic.model.EncryptedModel`, in numbered stages."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy.typing as npt

from ..errors import CompileError, WireError
from ..features import FeatureMap
from ..model import EncryptedModel
from ..parameters import PROFILES
from ..signature import Signature
from .inputs import InputRange, Limits
from .inputs import input_range as range_of
from .linear import LinearMap
from .planner import Choice, choose
from .sample import Sample
from .verify import verify

_MAPPED_ROWS = 1000


def compile_model(
    estimator: Any,
    X_sample: npt.ArrayLike | None = None,
    *,
    name: str | None = None,
    features: FeatureMap | None = None,
    input_range: Limits | None = None,
    input_step: npt.ArrayLike | None = None,
    profile: str | None = None,
    tolerance: float | None = None,
    flooding: float | None = None,
) -> EncryptedModel:
    """Compile a fitted estimator. Exported as ``hermetic.compile``.

    Parameters
    ----------
    estimator
        A fitted scikit-learn estimator whose private part is linear, such as LogisticRegression, Ridge, SVC with a
        linear kernel, PCA, or a Pipeline of affine steps and one of them; docs/supported-models.md lists all. A
        subclass is refused if it overrides the methods that give scores, labels or probabilities.
    X_sample
        Inputs as clients will send them: an array (n, d) or (d,), a DataFrame or a sparse matrix; a few thousand rows
        suffice. Their range, widened and rounded, becomes public. 8-bit pixels (as integers, or divided by 255) and
        whole numbers are recognised, and encrypted exactly.
    name
        The model's public name; by default the estimator's class in lower case.
    features
        The public map that clients apply to inputs before they encrypt; the estimator was fitted on its outputs, and
        ``X_sample`` are its inputs. Every parameter of it becomes public.
    input_range
        (smallest, largest) of every feature, numbers or arrays (d,), instead of the sample's.
    input_step
        The step of exact inputs, a number or an array (d,), where every input is smallest + a multiple of it; 0 if
        inputs are any real numbers, although those of the sample are not.
    profile
        ``"fast"`` (N=4096) or ``"precise"`` (N=8192). By default ``fast``; with a tolerance, the cheapest that meets
        it.
    tolerance
        Largest acceptable |score - estimator's score|, in units of the score, for every input in range.
    flooding
        Least lambda, in bits, by which answers are flooded (see :mod:`hermetic.bounds`); by default 28 for ``fast`` and
        40 for ``precise``, never below 10. More flooding costs one bit of weight precision for every two bits.

    Returns
    -------
    EncryptedModel
        Integer weights and the public signature, whose ``error`` bounds |decrypted score - estimator's score| for every
        input in range, the estimator computing in float64.

    Raises
    ------
    UnsupportedModelError
        If the estimator, or an option of it, is not supported.
    PrecisionError
        If the tolerance or the flooding cannot be guaranteed; the message says what would fit.
    CompileError
        If the estimator is not fitted or does not compute what its coefficients say, or if the inputs' range is unknown
        or contradicts the sample.

    Notes
    -----
    Public, in the signature: the range and step of the inputs, labels, feature names, error and flooding. Private, in
    the model: the weights, intercepts and all steps before them.
    """
    _check_options(name, profile, tolerance, flooding)
    # 1. The estimator as an affine map over reals, scalers folded in.
    linear = _read(estimator)
    # 2. The public range and step of every input feature.
    sample, inputs = _inputs(linear, X_sample, features, input_range, input_step)
    # 3. Parameters, result bits, limbs and layouts; integer weights with proven bounds.
    choice = choose(linear, inputs, profile=profile, tolerance=tolerance, flooding=flooding)
    # 4. The model and its public signature.
    model = EncryptedModel(
        choice.integers, _signature(linear, choice, name or type(estimator).__name__.lower(), features)
    )
    # 5. The integer reference against the estimator itself.
    verify(model, estimator, sample)
    return model


def _inputs(
    linear: LinearMap,
    X_sample: npt.ArrayLike | None,
    features: FeatureMap | None,
    limits: Limits | None,
    step: npt.ArrayLike | None,
) -> tuple[Sample | None, InputRange]:
    """The sample and the range of what is encrypted: inputs, or the features that are computed from them."""
    d = linear.weights.shape[1]
    if features is None:
        sample = None if X_sample is None else Sample(X_sample, d, linear.feature_names)
        return sample, range_of(d, sample, limits, step)
    if limits is not None or step is not None:
        raise CompileError("input_range and input_step must be left out with features, whose range is known.")
    if features.outputs != d:
        raise CompileError(
            f"the estimator must be fitted on the {features.outputs} features of the feature map. Got one of {d}: fit "
            "it on features.apply(X)."
        )
    inputs = range_of(d, None, features.limits(), 1.0 if features.whole else 0.0)
    if X_sample is None:
        return None, inputs
    rows = Sample(X_sample, features.inputs, None).rows(_MAPPED_ROWS)
    return Sample(features.apply(rows), d, None), inputs


def _check_options(name: str | None, profile: str | None, tolerance: float | None, flooding: float | None) -> None:
    if name == "":
        raise CompileError("name must not be empty. Leave it out to use the estimator's class.")
    if profile is not None and profile not in PROFILES:
        raise CompileError(f"profile must be one of {', '.join(PROFILES)}. Got {profile!r} instead.")
    for option, value in (("tolerance", tolerance), ("flooding", flooding)):
        if value is not None and not _is_positive(value):
            raise CompileError(f"{option} must be a positive number. Got {value!r} instead.")


def _is_positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < math.inf


def _read(estimator: Any) -> LinearMap:
    try:
        from .sklearn import read_estimator
    except ImportError as error:
        raise CompileError("compiling needs scikit-learn. Install it with: pip install 'hermetic[sklearn]'") from error
    return read_estimator(estimator)


def _signature(linear: LinearMap, choice: Choice, name: str, features: FeatureMap | None) -> Signature:
    one = choice.integers
    signature = Signature(
        name=name,
        parameters=choice.parameters,
        grid=choice.grid,
        outputs=len(linear.bias),
        method=linear.method,
        link=linear.link,
        labels=linear.labels,
        squeeze=linear.squeeze,
        feature_names=linear.feature_names if features is None else None,
        result_bits=choice.result_bits,
        scale_exponent=one.scale_exponent,
        limbs=one.limbs,
        limb_bits=one.limb_bits,
        error=choice.error,
        offers=choice.offers,
        feature_map=features,
    )
    try:
        return Signature.from_json(signature.json)
    except (WireError, ValueError) as error:
        raise CompileError(f"the model must have a signature that clients can read: {error}") from error
