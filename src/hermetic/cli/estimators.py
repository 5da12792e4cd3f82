"""Fitted models from files: those of skops, ONNX, XGBoost and LightGBM, which hold data alone, and pickles, which run
code.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..compiler.reading import BOOSTERS, load_booster
from ..errors import CompileError
from .console import warn

_PLAIN_TYPES = [
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.utils._bunch.Bunch",
]
"""What supported estimators hold beside the types that skops trusts: records, and functions that are not called."""


def load_estimator(path: Path, *, trust_pickle: bool) -> Any:
    """Load what ``skops.io.dump`` wrote, or ``save_model`` of XGBoost or LightGBM; with ``trust_pickle``, also what
    ``joblib.dump`` or ``pickle.dump`` wrote. An ONNX model is its file, which :func:`hermetic.compile` reads.

    Parameters
    ----------
    path
        The file; ``.skops`` files are read by skops, ``.onnx`` files later, ``.json``, ``.ubj`` and ``.txt`` are those
        of boosters, all others are pickles.
    trust_pickle
        The caller's word that the file may run code.

    Raises
    ------
    CompileError
        If the file is missing, of another kind, not trusted, or does not load.
    """
    if not path.is_file():
        raise CompileError(f"{path} must be the file of a fitted estimator. There is no such file.")
    if path.suffix == ".onnx":
        return path
    if path.suffix.lower() in BOOSTERS:
        return load_booster(path)
    if path.suffix == ".hermetic":
        raise CompileError(f"{path} must be a fitted estimator. It is a compiled model already: see hermetic inspect.")
    if path.suffix == ".skops":
        return _loaded(path, _read_skops)
    if not trust_pickle:
        raise CompileError(
            f"{path} is read as a pickle, and loading a pickle runs any code that is in it. Save the estimator with "
            "skops.io.dump to a .skops file, a booster with save_model to .json, .ubj or .txt, or convert it to .onnx: "
            "these run none. Pass --trust-pickle if you made this file yourself or trust whoever did."
        )
    warn(f"loading {path} runs any code that is in it (--trust-pickle).")
    return _loaded(path, _read_pickle)


def _read_skops(path: Path) -> Any:
    try:
        import skops.io  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise CompileError("reading .skops files needs skops. Install it with: pip install skops") from error
    from ..compiler.ensembles.files_of_trees import TYPES, checked

    trusted = [*_PLAIN_TYPES, *TYPES]
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(trusted))
    if unknown:
        raise CompileError(
            f"{path} must hold types of scikit-learn, NumPy and SciPy alone. Got {', '.join(unknown[:5])} as well: "
            "if you know them, load it with skops.io.load(file, trusted=[...]) and pass it to hermetic.compile."
        )
    with checked():
        return skops.io.load(path, trusted=trusted)


def _read_pickle(path: Path) -> Any:
    try:
        import joblib  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise CompileError("compiling needs scikit-learn. Install it with: pip install 'hermetic[sklearn]'") from error
    return joblib.load(path)


def _loaded(path: Path, read: Callable[[Path], Any]) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = read(path)
        except CompileError:
            raise
        except Exception as error:
            raise CompileError(f"{path} does not load: {type(error).__name__}: {error}") from error
    for message in dict.fromkeys(_in_words(path, warning.message) for warning in caught):
        warn(message)
    return estimator


def _in_words(path: Path, warning: Warning | str) -> str:
    """A warning of loading; that of another scikit-learn version says what it means here."""
    fitted = getattr(warning, "original_sklearn_version", None)
    if fitted is None:
        return str(warning)
    installed = getattr(warning, "current_sklearn_version", "another version")
    return (
        f"{path} must be loaded by the scikit-learn that fitted it, version {fitted}. This is {installed}: it is "
        "compiled if it still computes what its coefficients say, which need not be what it did; fit it again if you "
        "can."
    )
