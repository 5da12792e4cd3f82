"""Matrices of numbers that travel in a signature, bounded before they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Reals
from ..errors import ParameterError
from .block import real_numbers

MAX_NUMBERS = 1 << 20


def matrix(value: npt.ArrayLike, name: str) -> Reals:
    """A finite matrix of 1 to 2^20 numbers. Raises :class:`ParameterError`."""
    found = np.array(value, dtype=np.float64)
    if found.ndim != 2 or not 1 <= found.size <= MAX_NUMBERS:
        raise ParameterError(f"{name} must be 1 to {MAX_NUMBERS} numbers, in rows and columns. Got {found.shape}.")
    if not np.isfinite(found).all():
        raise ParameterError(f"{name} must be finite. Got NaN or infinity.")
    return found


def matrix_from(value: Any, name: str) -> Reals:
    """A matrix from JSON: a list of rows of the same length. Raises :class:`ParameterError`."""
    lists = isinstance(value, list) and bool(value) and all(isinstance(one, list) for one in value)
    if not lists or len({len(one) for one in value}) != 1 or not 1 <= len(value) * len(value[0]) <= MAX_NUMBERS:
        raise ParameterError(f"{name} must be rows of the same length, 1 to {MAX_NUMBERS} numbers in all.")
    return np.array([real_numbers(one, MAX_NUMBERS, name) for one in value])
