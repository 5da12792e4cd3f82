"""Fitted estimators from files. The only files that hold any estimator are pickles, and those run code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from ..errors import CompileError
from .console import warn

_NOT_YET = {
    ".skops": "skops files are not read yet. Load it in Python with skops.io.load",
    ".onnx": "ONNX files are not read yet. Load the original estimator in Python",
}


def load_estimator(path: Path, *, trust_pickle: bool) -> Any:
    """Load what ``joblib.dump`` or ``pickle.dump`` wrote.

    Parameters
    ----------
    path
        The file.
    trust_pickle
        The caller's word that the file may run code.

    Raises
    ------
    CompileError
        If the file is missing, of another kind, not trusted, or does not load.
    """
    if not path.is_file():
        raise CompileError(f"{path} must be the file of a fitted estimator. There is no such file.")
    if path.suffix in _NOT_YET:
        raise CompileError(f"{path}: {_NOT_YET[path.suffix]}, and pass it to hermetic.compile.")
    if path.suffix == ".hermetic":
        raise CompileError(f"{path} must be a fitted estimator. It is a compiled model already: see hermetic inspect.")
    if not trust_pickle:
        raise CompileError(
            f"{path} is read as a pickle, and loading a pickle runs any code that is in it. Pass --trust-pickle if you "
            "made this file yourself or trust whoever did."
        )
    warn(f"loading {path} runs any code that is in it (--trust-pickle).")
    return _unpickle(path)


def _unpickle(path: Path) -> Any:
    try:
        import joblib  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise CompileError("compiling needs scikit-learn. Install it with: pip install 'hermetic[sklearn]'") from error
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = joblib.load(path)
        except Exception as error:
            raise CompileError(f"{path} does not load: {type(error).__name__}: {error}") from error
    for message in dict.fromkeys(str(one.message) for one in caught):
        warn(message)
    return estimator
