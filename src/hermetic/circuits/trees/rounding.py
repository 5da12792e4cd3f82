"""What travels of a residue: its leading bits."""

from __future__ import annotations

import numpy as np

from ...arrays import Integers, Residues


def rounded(residues: Residues, bits: int, modulus: int) -> Integers:
    """round(x·2^bits/q') modulo 2^bits, of x in [0, q'); next to the middle of two integers it may be either."""
    return np.asarray(np.rint(residues * (2.0**bits / modulus)).astype(np.int64) & ((1 << bits) - 1))


def lifted(values: Integers, bits: int, modulus: int) -> Residues:
    """round(v·q'/2^bits) in [0, q'), off by at most one."""
    return np.asarray(np.rint(values * (modulus / 2.0**bits)).astype(np.int64) % modulus)
