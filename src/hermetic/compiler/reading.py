"""Which reader reads a model, by what it is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import CompileError
from .linear import LinearMap
from .torch_modules import is_torch_module, read_torch_module

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
    """

    linear: LinearMap
    estimator: Any
    name: str


def read_model(model: Any, labels: Any = None) -> Read:
    """Read a fitted scikit-learn estimator, a booster, a PyTorch module, or an ONNX model or its file.

    Raises
    ------
    UnsupportedModelError
        For a model, or an option of one, that has no encrypted form here.
    CompileError
        For a model that is not fitted or broken, labels that do not fit, or a library that is not there.
    """
    if isinstance(model, str | Path) or type(model).__name__ == "ModelProto":
        return _read_onnx(model, labels)
    if is_torch_module(model):
        return Read(*read_torch_module(model, labels), type(model).__name__.lower())
    if type(model).__name__ == "Booster":
        return Read(*_read_booster(model, labels), "booster")
    if type(model).__name__ == "NearestNeighbors" and labels is None:
        return Read(*_read_neighbors(model), "nearestneighbors")
    if labels is not None:
        raise CompileError("labels must be left out: an estimator names its classes itself.")
    return Read(_read_estimator(model), model, type(model).__name__.lower())


def _read_onnx(model: Any, labels: Any) -> Read:
    if isinstance(model, str | Path) and Path(model).suffix != ".onnx":
        raise CompileError(
            f"a model must be an estimator, a PyTorch module, or the name of an .onnx file. Got {str(model)!r}: "
            "load a .skops file with skops.io.load, or compile it by hermetic compile."
        )
    linear, own = _onnx().read_onnx(model, labels)
    return Read(linear, own, Path(model).stem if isinstance(model, str | Path) else type(own).__name__.lower())


def _onnx() -> Any:
    try:
        return import_module(".onnx", __package__)
    except ImportError as error:
        raise CompileError("reading ONNX models needs onnx. Install it with: pip install 'hermetic[onnx]'") from error


def _read_booster(booster: Any, labels: Any) -> tuple[LinearMap, Any]:
    try:
        from .additive.boosters import read_booster
    except ImportError as error:
        raise CompileError(_NO_SKLEARN) from error
    return read_booster(booster, labels)


def _read_neighbors(index: Any) -> tuple[LinearMap, Any]:
    from .sklearn.neighbors import read_neighbors
    from .sklearn.registry import with_names

    linear, nearness = read_neighbors(index)
    return with_names(linear, index), nearness


def _read_estimator(estimator: Any) -> LinearMap:
    try:
        from .sklearn import read_estimator
    except ImportError as error:
        raise CompileError(_NO_SKLEARN) from error
    return read_estimator(estimator)
