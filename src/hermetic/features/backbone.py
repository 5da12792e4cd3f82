"""Features by any function that is public but not data: a neural network without its last layer, a sentence encoder.

Such a *backbone* is not in the signature, which only names it: the model's owner and every client have the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arrays import Reals
from ..errors import InputError

Backbone = Callable[[Any], Any]
"""backbone(X): a batch of n inputs of any kind -> features (n, d), an array or a PyTorch tensor of real numbers."""


def backbone_name(backbone: Backbone) -> str:
    """What to call it in words: the function's name, or the object's class."""
    inner = getattr(backbone, "__self__", getattr(backbone, "func", backbone))
    named = backbone if hasattr(backbone, "__name__") else inner
    name = str(getattr(named, "__name__", type(named).__name__))
    return f"{type(inner).__name__}.{name}" if hasattr(backbone, "__self__") else name


def computed(backbone: Backbone, X: Any, width: int | None = None, batch: int | None = None) -> Reals:
    """The features of a batch of inputs.

    Parameters
    ----------
    backbone
        Called with X, or with ``batch`` inputs of it at a time.
    X
        n inputs: a list, an array, a DataFrame or a tensor, whatever the backbone takes; never one input alone.
    width
        d, where it is known.

    Raises
    ------
    InputError
        If it fails, or gives anything but finite real numbers (n, d).
    """
    if not callable(backbone):
        raise InputError(f"features must be a function of a batch of inputs. Got {type(backbone).__name__} instead.")
    try:
        n = len(X)
    except TypeError as error:
        raise InputError(f"inputs must be a list or an array of them. Got {type(X).__name__} instead.") from error
    if isinstance(X, str | bytes) or not n:
        raise InputError("inputs must be a list or an array of at least one. For a single one, pass [it].")
    found = np.concatenate([_checked(backbone, part, width) for part in _parts(X, n, batch or n)])
    if len(found) != n:
        raise InputError(f"{backbone_name(backbone)} must give one row for each of {n} inputs. Got {len(found)} rows.")
    return found


def _parts(X: Any, n: int, batch: int) -> Iterator[Any]:
    rows = getattr(X, "iloc", X)
    for start in range(0, n, batch):
        yield X if batch >= n else rows[start : start + batch]


def _checked(backbone: Backbone, X: Any, width: int | None) -> Reals:
    name = backbone_name(backbone)
    try:
        given = backbone(X)
        if hasattr(given, "detach"):
            given = given.detach().cpu().double()
        raw = np.asarray(given)
    except Exception as error:  # whatever a function of the caller's raises
        raise InputError(
            f"{name} must compute features from inputs. It fails: {type(error).__name__}: {error}"
        ) from error
    if raw.ndim != 2 or raw.dtype.kind not in "biuf" or width not in (None, raw.shape[1]):
        shape = f"(n, {'features' if width is None else width})"
        raise InputError(f"{name} must give real numbers {shape}. Got shape {raw.shape} of {raw.dtype} instead.")
    if not np.isfinite(raw).all():
        row, column = np.argwhere(~np.isfinite(raw))[0]
        raise InputError(f"{name} must give finite features. Got {raw[row, column]} (input {row}, feature {column}).")
    return raw.astype(np.float64)
