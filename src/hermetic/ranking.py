"""The largest scores, and whose they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Reals
from .errors import InputError


def largest(scores: Reals, count: int) -> tuple[Reals, npt.NDArray[np.intp]]:
    """The ``count`` largest scores of every sample, largest first, and the numbers of their outputs.

    Parameters
    ----------
    scores
        (k,) or (n, k).
    count
        From 1 to k.

    Returns
    -------
    Two arrays (count,) or (n, count). Of equal scores the first comes first.

    Raises
    ------
    InputError
        If there are not that many.
    """
    if not 1 <= count <= scores.shape[-1]:
        raise InputError(f"count must be from 1 to {scores.shape[-1]}, the number of scores. Got {count} instead.")
    places = np.argsort(-scores, axis=-1, kind="stable")[..., :count]
    return np.take_along_axis(scores, places, axis=-1), places
