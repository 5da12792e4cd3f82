"""A fitted estimator becomes a :class:`~hermetic.model.CompiledModel`, in numbered stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import check_data, shown
from ..circuits.networks.planner import NetworkChoice
from ..circuits.trees.planner import TreeChoice
from ..errors import CompileError, InputError, WireError
from ..features import Backbone, FeatureMap, backbone_name, computed
from ..model import CompiledModel
from ..rlwe.parameters import KNOWN, NETWORK_PROFILES, PROFILES
from ..signature import Signature
from .agreement import agreement_of
from .disclosure import check_disclosed
from .ensemble_map import EnsembleMap
from .input_domain import InputDomain
from .inputs import InputRange, Limits
from .linear import LinearMap, affine
from .network_map import NetworkMap
from .network_planner import choose as choose_for_networks
from .planner import Choice, choose
from .reading import read_model
from .sample import in_model_order
from .spread import MAX_PRODUCTS, spread_of, warn_of_error
from .tree_planner import choose as choose_for_trees
from .unused_columns import without_unused_texts
from .verify import rows_to_verify, verify

Chosen = Choice | TreeChoice | NetworkChoice

PRIVATE, PUBLIC = "private", "public"
"""What becomes of the splits of trees."""

_CALIBRATED = 50_000
"""Rows of the sample that the range of a network is calibrated on."""

_SAMPLED = 200
"""Rows of the sample that tell the spread of scores."""


def compile_model(  # noqa: PLR0913
    estimator: Any,
    X_sample: npt.ArrayLike | None = None,
    *,
    name: str | None = None,
    features: FeatureMap | Backbone | None = None,
    labels: npt.ArrayLike | None = None,
    public: Sequence[str] = (),
    input_range: Limits | None = None,
    input_step: npt.ArrayLike | None = None,
    profile: str | None = None,
    tolerance: float | None = None,
    flooding: float | None = None,
    splits: str = PRIVATE,
    strict: bool = True,
    hidden_range: str | None = None,
) -> CompiledModel:
    """Compile a fitted estimator. Exported as ``hermetic.compile``.

    Parameters
    ----------
    estimator
        A fitted scikit-learn estimator whose private part is linear, such as LogisticRegression, Ridge, SVC with a
        linear kernel, PCA, or a Pipeline of affine steps and one of them; trees and forests, boosted ones of
        scikit-learn, XGBoost or LightGBM too; networks of few hidden layers, MLPClassifier or MLPRegressor; or an
        explainable boosting machine. docs/supported-models.md lists all. A subclass is refused if it overrides the
        methods that give scores, labels or probabilities. Or a PyTorch module in eval mode, of Linear layers, with one
        activation between them or none; or an ONNX model or the name of its file, affine up to its scores or trees; or
        the name of the file that ``save_model`` of XGBoost (.json, .ubj) or LightGBM (.txt) wrote. Or
        :class:`hermetic.Rules`, or the name of their .json file.
    X_sample
        Inputs as clients will send them: an array (n, d) or (d,), a DataFrame or a sparse matrix; a few thousand rows
        suffice. Columns with the names of fitting may be in any order, others among them. Their range, widened and
        rounded, becomes public. 8-bit pixels (as integers, or divided by 255) and whole numbers are recognised, and
        encrypted exactly.
    name
        The model's public name; by default the estimator's class in lower case.
    features
        The public map that clients apply to inputs before they encrypt; the estimator was fitted on its outputs, and
        ``X_sample`` are its inputs. Every parameter of it becomes public. Or a *backbone*: any public function of a
        batch of inputs, such as a neural network without its last layer, that gives an array (n, d) or a PyTorch
        tensor. The signature only names it: clients have it already, and pass it as ``features=``. ``X_sample`` is a
        list or an array of what it takes, and ``input_range`` that of the features.
    labels
        Names of the classes, in the order of the scores, for a booster, an ONNX model or a PyTorch module that has
        none; without them one that ends with scores is a regression, and one that ends with softmax has 0, 1, ….
    public
        Names of steps, or of their classes, whose learned parameters may become public. Non-linear steps, such as
        KBinsDiscretizer, are computed by clients, who must know their parameters; what learns nothing from data, such
        as PolynomialFeatures, needs no word.
    input_range
        (smallest, largest) of every input, instead of the sample's: numbers, arrays (inputs,), or Series and mappings
        by the names of columns; or (smallest, largest) under each name. Names decide, not the order.
    input_step
        The step of exact inputs, a number, an array (d,), or a Series or mapping by the names of columns, where every
        input is smallest + a multiple of it; 0 if inputs are any real numbers, although those of the sample are not.
    profile
        ``"fast"`` (N=4096) or ``"precise"`` (N=8192); for networks ``"network"`` (N=8192), ``"deep"`` or
        ``"deeper"`` (N=16384). By default ``fast``, or the cheapest whose error is at most a fiftieth of the spread of
        scores on the sample; with a tolerance, the cheapest that meets it.
    tolerance
        Largest acceptable |score - estimator's score|, in units of the score, for every input in range.
    flooding
        Least lambda, in bits, by which answers are flooded (see
        :mod:`hermetic.circuits.linear.bounds`); by default 28 for ``fast`` and 40 for ``precise``, never below 10. More
        flooding costs one bit of weight precision for every two bits.
    splits
        For trees that split on several inputs: ``"private"``, or ``"public"``, where every split becomes public,
        clients find their leaves themselves, and the values of leaves alone are private. Any forest is answered in
        about a millisecond then, and batches in bulk.
    strict
        For trees that split on several inputs, whether queries that no input has stay without an answer. False answers
        queries whose bits are not bits too: answers are smaller, and a dishonest client learns which thresholds are on
        a path, see docs/security.md.
    hidden_range
        For networks, what bounds hidden values: ``"proved"``, all inputs in range, or ``"calibrated"``, the sample,
        widened by a tenth. Clients refuse an answer whose input was so far from the sample that it may be wrong. By
        default proved where it fits; activations that are no polynomials are always calibrated.

    Warns
    -----
    PrecisionWarning
        If the error is more than a fiftieth of the spread of scores on the sample, and no tolerance was asked for.

    Returns
    -------
    CompiledModel
        Integer weights and the public signature, whose ``error`` bounds |decrypted score - estimator's score| for every
        input in range, the rounding of the estimator's own arithmetic included. That of an estimator fitted in float32
        or float16 is the estimator asked in that type.

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
    if splits not in (PRIVATE, PUBLIC):
        raise CompileError(f"splits must be {PRIVATE} or {PUBLIC}. Got {shown(splits)} instead.")
    if X_sample is not None and (features is None or isinstance(features, FeatureMap)):
        check_data(X_sample, "X_sample", CompileError)
    # 1. The estimator as an affine map over reals, scalers folded in, of public features where it has non-linear steps.
    backbone_sample = cache(partial(_backbone_sample, features, X_sample))
    ranges = partial(_range_of, features, X_sample, backbone_sample, input_range, input_step)
    read = read_model(estimator, labels, X_sample if features is None else None, ranges)
    if splits == PUBLIC:
        from .ensembles.public_trees import with_public_splits  # loads scikit-learn, which not every model needs

        read = replace(read, linear=with_public_splits(read.linear, read.name))
    if features is None:
        X_sample = in_model_order(X_sample, read.linear.feature_names, "X_sample")
    own = without_unused_texts(read.linear, X_sample)
    features, backbone, X_sample = _public_part(features, X_sample, backbone_sample, own.inputs)
    linear = own if features is None else _on(features, own, read.cast)
    # 2. What becomes public, and that nothing learned does so without a word.
    check_disclosed(linear.public, public)
    # 3. The public range and step of every value that is encrypted: inputs, or features.
    cast = read.cast if features is None or own.feature_map is None else ()
    options = input_range, input_step, cast
    domain = InputDomain(linear, X_sample, *options, centre=features is None, share=backbone is not None)
    linear = domain.linear
    # 4. Parameters, result bits, limbs and layouts; integer weights with proven bounds.
    spread = spread_of(linear, domain.sampled(max(1, min(_SAMPLED, MAX_PRODUCTS // linear.weights.size))))
    wanted = {"profile": profile, "tolerance": tolerance, "flooding": flooding, "spread": spread}
    _check_profile(linear, profile)
    choice = _chosen(linear, domain, wanted, strict=strict, hidden_range=hidden_range)
    # 5. The model and its public signature.
    model = CompiledModel(choice.integers, _signature(linear, choice, name or read.name, backbone))
    model.spread = spread
    # 6. The integer reference against the estimator itself.
    count, corners = rows_to_verify(model), not _is_calibrated(choice)
    if own.feature_map is None:
        values = asked = domain.encrypted_values(count, model.signature.grid, corners=corners)
    else:
        asked, values = domain.probes(count, corners=corners)
        asked = asked if features is None else features.apply(asked)
    if isinstance(linear, NetworkMap):
        model.agreement = agreement_of(model, linear, domain.sampled(_CALIBRATED))
    elif tolerance is None:
        warn_of_error(choice.error, float(np.max(choice.own_rounding)), spread)
    verify(model, read.estimator, asked, values, linear.raw_scores, read.types)
    return model


def _chosen(
    linear: LinearMap, domain: InputDomain, wanted: dict[str, Any], *, strict: bool, hidden_range: str | None
) -> Chosen:
    """How the map is run."""
    if isinstance(linear, NetworkMap):
        sample = domain.sampled(_CALIBRATED)
        return choose_for_networks(linear, domain.encrypted, sample, **wanted, hidden_range=hidden_range)
    if hidden_range is not None:
        raise CompileError(f"hidden_range must be left out but for networks. Got {hidden_range!r} instead.")
    if isinstance(linear, EnsembleMap):
        return choose_for_trees(linear, domain.encrypted, **wanted, strict=strict)
    return choose(linear, domain.encrypted, **wanted)


def _is_calibrated(choice: Chosen) -> bool:
    """Whether errors hold near the sample alone, rather than for every input in range."""
    return isinstance(choice, NetworkChoice) and choice.circuit.range is not None


def _check_profile(linear: LinearMap, profile: str | None) -> None:
    allowed = NETWORK_PROFILES if isinstance(linear, NetworkMap) else PROFILES
    if profile is not None and profile not in allowed:
        raise CompileError(f"profile must be one of {', '.join(allowed)} for this model. Got {profile!r} instead.")


def _range_of(
    features: FeatureMap | Backbone | None,
    X_sample: Any,
    backbone_sample: Callable[[int], Any],
    limits: Limits | None,
    step: Any,
    inputs: int,
    names: tuple[str, ...] | None,
) -> InputRange:
    """The range of so many inputs of an estimator: what clients encrypt where it is a plain affine map."""
    from scipy import sparse  # type: ignore[import-untyped]

    plain = affine(sparse.eye_array(inputs, format="csr"))
    if features is None:
        X_sample = in_model_order(X_sample, names, "X_sample")
        plain = replace(plain, feature_names=names)
    own, backbone, X_sample = _public_part(features, X_sample, backbone_sample, inputs)
    linear = replace(plain, feature_map=own)
    return InputDomain(linear, X_sample, limits, step, centre=False, share=backbone is not None).encrypted


def _public_part(
    features: FeatureMap | Backbone | None, X_sample: Any, backbone_sample: Callable[[int], Any], inputs: int
) -> tuple[FeatureMap | None, str | None, Any]:
    """The feature map, the name of the backbone, and the sample of so many inputs of the model."""
    if features is None or isinstance(features, FeatureMap):
        return features, None, X_sample
    return None, backbone_name(features), backbone_sample(inputs)


def _backbone_sample(backbone: Any, X_sample: Any, outputs: int) -> Any:
    """What the backbone computes of the sample."""
    try:
        return None if X_sample is None else computed(backbone, X_sample, outputs)
    except InputError as error:
        raise CompileError(f"the backbone must work on X_sample, and fit the model: {error}") from error


def _on(features: FeatureMap, linear: LinearMap, cast: Sequence[str]) -> LinearMap:
    """A map of the features, each of which is ``cast`` to its type of float, as one of the inputs."""
    if features.outputs != linear.inputs:
        raise CompileError(
            f"the estimator must be fitted on the {features.outputs} features of the feature map. Got one of "
            f"{linear.inputs}: fit it on features.apply(X)."
        )
    if linear.feature_map is None:
        return replace(linear, feature_map=features, feature_names=None)
    linear = replace(linear, feature_map=linear.feature_map.cast_first(cast))
    # The estimator takes what the client computes.
    own = replace(affine(np.eye(linear.inputs)), feature_map=features, exact=np.ones(linear.inputs, dtype=np.bool_))
    return linear.after(own)


def _check_options(name: str | None, profile: str | None, tolerance: float | None, flooding: float | None) -> None:
    if name is not None and not _is_text(name):
        raise CompileError(
            f"name must not be empty, and a text. Got {shown(name)} instead: leave it out to use the estimator's class."
        )
    if profile is not None and profile not in KNOWN:
        raise CompileError(f"profile must be one of {', '.join(KNOWN)}. Got {shown(profile)} instead.")
    for option, value in (("tolerance", tolerance), ("flooding", flooding)):
        if value is not None and not _is_positive(value):
            raise CompileError(f"{option} must be a positive number. Got {shown(value)} instead.")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_positive(value: Any) -> bool:
    return isinstance(value, Real) and 0 < float(value) < math.inf


def _signature(
    linear: LinearMap, choice: Choice | TreeChoice | NetworkChoice, name: str, backbone: str | None
) -> Signature:
    signature = Signature(
        name=name,
        head=linear.head,
        circuit=choice.circuit,
        error=choice.error,
        feature_names=linear.feature_names,
        feature_map=linear.feature_map,
        backbone=backbone,
    )
    try:
        return Signature.from_json(signature.json)
    except (WireError, ValueError) as error:
        raise CompileError(f"the model must have a signature that clients can read: {error}") from error
