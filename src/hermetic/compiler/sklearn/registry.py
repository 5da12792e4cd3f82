"""Which classes are read, of scikit-learn and of libraries with its interface, and by what.

Families enter their readers with ``reads`` and ``reads_step``. Classes are known by name, so that a version of a
library need not have all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ...arguments import way_to
from ...errors import CompileError, ParameterError, UnsupportedModelError
from ..disclosure import Disclosure
from ..linear import LinearMap
from .precision import in_own_precision

Reader = TypeVar("Reader", bound=Callable[[Any], LinearMap])
StepReader = TypeVar("StepReader", bound=Callable[[Any], LinearMap | None])
"""None is the identity."""

DOCS = "docs/supported-models.md"

_OF_STEPS = {"ColumnTransformer", "FeatureUnion", "FrozenEstimator", "FunctionTransformer", "Pipeline"}
"""Steps that learn nothing but what the steps in them learn."""

_INNER = ("best_estimator_", "estimator_", "estimators_", "regressor_", "estimator")
"""Where estimators keep the one that they pass their inputs on to."""

_COMPOSED = {"ColumnTransformer", "FeatureUnion", "Pipeline"}
"""What computes nothing but what the steps in it compute."""

_METHODS = ("decision_function", "predict", "predict_proba", "predict_joint_log_proba", "transform")
"""What a subclass must not override: its scores would no longer be what is read here."""

NEAREST = {
    "AdaBoostRegressor": "GradientBoostingRegressor",
    "EllipticEnvelope": "IsolationForest",
    "IterativeImputer": "SimpleImputer",
    "KNNImputer": "SimpleImputer",
    "KNeighborsClassifier": "NearestCentroid",
    "KNeighborsRegressor": "RandomForestRegressor",
    "KernelPCA": "PCA",
    "KernelRidge": "Ridge",
    "LocalOutlierFactor": "IsolationForest",
    "NMF": "TruncatedSVD",
    "QuantileTransformer": "RobustScaler",
    "TfidfVectorizer": "TfidfTransformer",
}


@dataclass(frozen=True)
class Entry:
    """How the classes of one name are read; ``gives`` and ``condition`` are words for the documentation."""

    name: str
    reader: Callable[[Any], Any]
    gives: str
    condition: str
    library: str = "sklearn"


ESTIMATORS: dict[str, Entry] = {}
STEPS: dict[str, Entry] = {}


def reads(*names: str, gives: str, condition: str = "", library: str = "sklearn") -> Callable[[Reader], Reader]:
    """Enter a reader of estimators; ``library`` is the package of their class."""

    def enter(reader: Reader) -> Reader:
        ESTIMATORS.update({name: Entry(name, reader, gives, condition, library) for name in names})
        return reader

    return enter


def reads_step(*names: str, condition: str = "") -> Callable[[StepReader], StepReader]:
    """Enter a reader of steps before a model."""

    def enter(reader: StepReader) -> StepReader:
        STEPS.update({name: Entry(name, reader, "new features", condition) for name in names})
        return reader

    return enter


def read_estimator(estimator: Any) -> LinearMap:
    """A fitted estimator as a dense affine map; a step alone is a model that transforms.

    Raises
    ------
    UnsupportedModelError
        For an estimator, or an option of one, that has no encrypted form here.
    CompileError
        For an estimator that is not fitted, or has weights that are not finite.
    """
    if isinstance(estimator, type):
        raise UnsupportedModelError(
            f"the model must be a fitted estimator. Got the class {estimator.__name__} instead: make one and fit it."
        )
    kind = _kind(ESTIMATORS, estimator)
    if kind is not None:
        linear: LinearMap = _checked(estimator, kind, ESTIMATORS).dense()
    elif _kind(STEPS, estimator) is not None:
        linear = _transformer(estimator)
    else:
        raise UnsupportedModelError(
            "the model must be an estimator whose private part is linear or made of trees, such as LogisticRegression, "
            "Ridge, PCA, RandomForestClassifier or a Pipeline of affine steps and one of them. Got "
            f"{type(estimator).__name__} instead"
            f"{_nearest(estimator, ESTIMATORS | STEPS)}. {DOCS} lists all.{_way(estimator)}"
        )
    if linear.head.method == "predict_joint_log_proba" and not hasattr(estimator, linear.head.method):
        # Pipelines and searches pass probabilities on alone.
        linear = replace(linear, head=replace(linear.head, method="predict_proba"))
    return with_names(linear, estimator)


def with_names(linear: LinearMap, estimator: Any) -> LinearMap:
    """The same map, with the columns seen in fitting."""
    names = column_names_of(estimator)
    return linear if names is None else replace(linear, feature_names=names)


def column_names_of(estimator: Any) -> tuple[str, ...] | None:
    """The columns seen in fitting, which may be known to the part alone that takes the inputs."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        return tuple(map(str, names))
    part = taking_inputs(estimator)
    return None if part is None else column_names_of(part)


def taking_inputs(estimator: Any) -> Any:
    """The part that an estimator passes its inputs on to: the first step of a pipeline, or what it holds; or None."""
    steps = [one for _, one in getattr(estimator, "steps", ()) if hasattr(one, "fit")]
    inner = [getattr(estimator, name) for name in _INNER if hasattr(estimator, name)]
    held: Any = next(iter(steps or inner), None)
    while isinstance(held, list | np.ndarray):
        held = held[0] if len(held) else None
    return held if hasattr(held, "fit") else None


def read_step(name: str, step: Any) -> LinearMap | None:
    """A fitted step before a model; None is the identity.

    Raises
    ------
    UnsupportedModelError
        For a step, or an option of one, that is not affine.
    CompileError
        For a step that is not fitted, or has weights that are not finite.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return None
    kind = _kind(STEPS, step)
    if kind is None:
        raise UnsupportedModelError(
            f"a pipeline's steps before the model must be affine, such as StandardScaler, PCA or SelectKBest. Step "
            f"{name!r} is a {type(step).__name__} instead{_nearest(step, STEPS)}. Take one that is supported, or apply "
            f"it before hermetic, on both sides, and compile the rest. {DOCS} lists all."
        )
    linear: LinearMap | None = _checked(step, kind, STEPS)
    if linear is None or kind.__name__ in _OF_STEPS:
        return linear
    return _named(linear, name, kind.__name__.lower())


def _named(linear: LinearMap, name: str, kind: str) -> LinearMap:
    """A step's map, with what it publishes, or would if it had to, under the step's name."""
    own = (*linear.public, *(linear.hidden or (of_numbers(linear, name, kind),)))
    named = [replace(one, step=name, kind=kind) if one.step == kind else one for one in own]
    count = len(linear.public)
    return replace(linear, public=tuple(named[:count]), hidden=tuple(named[count:]))


def of_numbers(linear: LinearMap, name: str, kind: str = "") -> Disclosure:
    """What publishing a whole map tells."""
    return Disclosure(name, _numbers(linear), learned=True, kind=kind)


def _numbers(linear: LinearMap) -> str:
    k, d = linear.weights.shape
    count = linear.weights.nnz if hasattr(linear.weights, "nnz") else np.count_nonzero(linear.weights)
    return f"{count + np.count_nonzero(linear.bias)} numbers of an affine map from {d} to {k} values"


def refuse(kind: str, must: str, got: object, instead: str) -> NoReturn:
    """Raise UnsupportedModelError about an option of an estimator."""
    raise UnsupportedModelError(f"{kind} must {must}. Got {got} instead: {instead}. {DOCS} lists what is supported.")


def check_finite(kind: str, what: str, values: Any, instead: str) -> None:
    """Refuse an estimator that keeps infinite numbers, or NaN: logarithms of 0, or divisions by it."""
    wrong = np.count_nonzero(~np.isfinite(values))
    if wrong:
        refuse(kind, f"have finite {what}", f"{wrong} that are infinite or NaN", instead)


def _transformer(estimator: Any) -> LinearMap:
    linear = read_step(type(estimator).__name__, estimator)
    if linear is None:
        refuse(type(estimator).__name__, "change its input to be a model", "the identity", "there is nothing to hide")
    return linear.dense()


def _checked(estimator: Any, kind: type, table: Mapping[str, Entry]) -> Any:
    _check_not_overridden(estimator, kind)
    try:
        check_is_fitted(estimator)
        found = table[kind.__name__].reader(estimator)
        return found if found is None or kind.__name__ in _COMPOSED else in_own_precision(found, estimator)
    except NotFittedError as error:
        raise CompileError(f"the {type(estimator).__name__} must be fitted. It is not: call fit first.") from error
    except ParameterError as error:
        raise UnsupportedModelError(
            f"what the {type(estimator).__name__} learned must be numbers that a client computes with: {error} Fit it "
            "on inputs and targets of a size near 1, without constant columns or outliers."
        ) from error
    except AttributeError as error:
        raise CompileError(
            f"the {type(estimator).__name__} must have the attributes that the installed {_library(kind)} gives it in "
            f"fit. It has not ({error}): another version wrote it, or it was changed. Fit it again."
        ) from error


def _library(kind: type) -> str:
    package = kind.__module__.split(".")[0]
    return "scikit-learn" if package == "sklearn" else package


def _kind(table: Mapping[str, Any], instance: object) -> type | None:
    """The library's class in a table that an object is an instance of."""

    def listed(one: type) -> bool:
        entry = table.get(one.__name__)
        return entry is not None and one.__module__.split(".")[0] == entry.library

    return next(filter(listed, type(instance).__mro__), None)


def _nearest(estimator: Any, table: Mapping[str, Entry]) -> str:
    """What of a table comes nearest, in words."""
    found = NEAREST.get(type(estimator).__name__)
    if found is None and isinstance(estimator, ClassifierMixin | RegressorMixin):
        found = "LogisticRegression" if isinstance(estimator, ClassifierMixin) else "Ridge"
    supported = found is not None and found.partition("(")[0] in table
    return f": the nearest that is supported is {found}" if supported else ""


def _way(value: object) -> str:
    """How to get from another object to an estimator, in words."""
    way = way_to("an estimator", value)
    return f" Here, {way}." if way else ""


def _check_not_overridden(instance: Any, kind: type) -> None:
    for method in _METHODS:
        if inspect.getattr_static(instance, method, None) is not inspect.getattr_static(kind, method, None):
            raise UnsupportedModelError(
                f"a subclass of {kind.__name__} must keep its {method}. {type(instance).__name__} overrides it, so its "
                f"coefficients need not say what it computes: convert it to a plain {kind.__name__}."
            )
