"""From integer results to scores."""

from __future__ import annotations

import numpy as np

from ...arrays import Integers, Reals
from .public import TreeCircuit


def recombine(circuit: TreeCircuit, results: Integers) -> Reals:
    """Integer results (n, outputs·limbs·columns), output by output and limb by limb, as reals (n, k)."""
    shape = (len(results), len(circuit.words), circuit.limbs, circuit.columns)
    exponents = circuit.limb_bits * np.arange(circuit.limbs) - circuit.scale_exponent
    parts = np.ldexp(results.reshape(shape).astype(np.float64), exponents[:, None])
    return np.asarray(parts.sum(axis=2).reshape(len(results), -1))
