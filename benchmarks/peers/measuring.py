"""What every peer's script measures with. Each runs in an environment of its own, so NumPy is all that is imported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import ParamSpec, TextIO, TypeVar

import numpy as np
import numpy.typing as npt

P = ParamSpec("P")
T = TypeVar("T")


def silence_stdout() -> TextIO:
    """Send what the library prints, in Python or natively, to nowhere; return the real standard output."""
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return real


def timed(milliseconds: list[float], action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``action(*args, **kwargs)``, whose time is appended to ``milliseconds``."""
    start = time.perf_counter()
    result = action(*args, **kwargs)
    milliseconds.append((time.perf_counter() - start) * 1e3)
    return result


def labels(scores: npt.NDArray[np.float64]) -> list[int]:
    """The class of each row of scores (n, k): the largest, or the sign where there is one score."""
    return [int(i) for i in (scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1))]
