"""The arrays that modules hand to each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Residues = npt.NDArray[np.int64]
"""Integers modulo a prime p, in [0, p)."""
