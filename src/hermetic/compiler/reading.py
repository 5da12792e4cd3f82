"""Which reader reads a model, by what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CompileError, InputError
from ..features.precision import NARROW
from ..rules import Rules, is_rules
from .inputs import RangeOf
from .linear import LinearMap
from .torch_modules import is_torch_module, read_torch_module

BOOSTERS = {".json": "xgboost_files", ".ubj": "xgboost_files", ".txt": "lightgbm_files"}
"""The endings of the files of boosters, and what reads them."""

_NO_SKLEARN = "compiling needs scikit-learn. Install it with: pip install 'hermetic[sklearn]'"


@dataclass(frozen=True, eq=False)
class Read:
    """A model that was read.

    Attributes
    ----------
    linear
        The affine map that it is.
    estimator
        What has the model's own methods, as a scikit-learn estimator.
    name
        What to call it.
    types
        The types of its inputs, as it was fitted on them; None where it takes float64.
    """

    linear: LinearMap
    estimator: Any
    name: str
    types: Sequence[np.dtype[Any]] | None = None

    @property
    def cast(self) -> list[str]:
        """The type of float that every input is rounded to."""
        return [one.name if one.name in NARROW else "float64" for one in self.types or ()]


def read_model(model: Any, labels: Any = None, X_sample: Any = None, range_of: RangeOf = lambda *_: None) -> Read:
    """Read a fitted scikit-learn estimator, a booster or its file, a PyTorch module, or an ONNX model or its file.

    ``X_sample`` are inputs as an estimator was fitted on them, whose types it may compute in; ``range_of`` tells the
    range of so many inputs with such names, None where that follows later.

    Raises
    ------
    UnsupportedModelError
        For a model, or an option of one, that has no encrypted form here.
    CompileError
        For a model that is not fitted or broken, labels that do not fit, or a library that is not there.
    """
    if isinstance(model, str | Path):
        return replace(_read_file(Path(model), labels, X_sample), name=Path(model).stem)
    if type(model).__name__ == "ModelProto":
        return _read_onnx(model, labels)
    if is_torch_module(model):
        return Read(*read_torch_module(model, labels), type(model).__name__.lower())
    if type(model).__name__ == "Booster":
        return Read(*_read_booster(model, labels, X_sample), "booster")
    if labels is None:
        return _read_named(model, X_sample, range_of)
    raise CompileError("labels must be left out: an estimator names its classes itself.")


def _read_named(model: Any, X_sample: Any, range_of: RangeOf) -> Read:
    """What names its classes itself, if it has any."""
    if isinstance(model, Rules):
        return _read_rules(model, X_sample)
    if type(model).__name__ == "NearestNeighbors":
        return _read_neighbors(model, X_sample, range_of)
    return _read_estimator(model, X_sample)


def _read_rules(rules: Rules, X_sample: Any) -> Read:
    if hasattr(X_sample, "columns"):
        try:
            rules.decision_function(X_sample)
        except InputError as error:
            raise CompileError(f"X_sample must fit the rules: {error}") from None
    try:
        from .ensembles.rule_lists import read_rules
    except ImportError as error:
        raise CompileError(_NO_SKLEARN) from error
    return Read(read_rules(rules), rules, "rules")


def _read_file(path: Path, labels: Any, X_sample: Any) -> Read:
    if path.suffix.lower() == ".onnx":
        return _read_onnx(path, labels)
    if path.suffix.lower() in BOOSTERS:
        return read_model(load_booster(path), labels, X_sample)
    if path.suffix == ".hermetic":
        raise CompileError(f"{path} must not be compiled yet. It is: hermetic.CompiledModel.load reads it.")
    raise CompileError(
        f"a model must be an estimator, a PyTorch module, the name of a booster's file ({', '.join(BOOSTERS)}) or the "
        f"name of an .onnx file. Got {str(path)!r}: load a .skops file with skops.io.load, or compile it by hermetic "
        "compile."
    )


def load_booster(path: Path) -> Any:
    """The booster in a file of XGBoost or LightGBM, told by its name's ending, or rules. Raises
    :class:`CompileError`.
    """
    if path.suffix.lower() == ".json" and is_rules(path):
        return Rules.load(path)
    return import_module(f".ensembles.{BOOSTERS[path.suffix.lower()]}", __package__).load(path)


def _read_onnx(model: Any, labels: Any) -> Read:
    linear, own = _onnx().read_onnx(model, labels)
    return Read(linear, own, type(own).__name__.lower())


def _onnx() -> Any:
    try:
        return import_module(".onnx", __package__)
    except ImportError as error:
        raise CompileError("reading ONNX models needs onnx. Install it with: pip install 'hermetic[onnx]'") from error


def _read_booster(booster: Any, labels: Any, X_sample: Any) -> tuple[LinearMap, Any]:
    try:
        from .ensembles.boosters import read_booster
        from .ensembles.pandas_categories import taking_categories
    except ImportError as error:
        raise CompileError(_NO_SKLEARN) from error
    linear, own = read_booster(booster, labels)
    return linear, taking_categories(own, linear, X_sample)


def _read_neighbors(index: Any, X_sample: Any, range_of: RangeOf) -> Read:
    from .sklearn.fitted_types import example_row
    from .sklearn.neighbors import read_neighbors
    from .sklearn.precision import types_of
    from .sklearn.registry import with_names

    linear, nearness = read_neighbors(index, range_of)
    types = types_of(example_row(index, X_sample))
    return Read(with_names(linear, index), nearness, "nearestneighbors", types)


def _read_estimator(estimator: Any, X_sample: Any) -> Read:
    try:
        from .ensembles.pandas_categories import taking_categories
        from .sklearn import read_estimator
        from .sklearn.fitted_types import example_row
        from .sklearn.precision import taking, types_of
    except ImportError as error:
        raise CompileError(_NO_SKLEARN) from error
    row = example_row(estimator, X_sample)
    with taking(row):
        linear, name = read_estimator(estimator), type(estimator).__name__.lower()
        return Read(linear, taking_categories(estimator, linear, row), name, types_of(row))
