"""The integers of an evaluation without encryption: ciphertexts whose c1 is zero, which no key changes.

Every plaintext, product, rotation and rescaling is that of an encrypted answer; errors, masks and flooding are not
there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...arrays import Integers, Reals, Residues
from ...rlwe import modular
from ...rlwe.levels import RELINEARISE, Level, LoadedKey, permutation
from ...rlwe.parameters import Parameters
from ...rlwe.public_ring import Lanes
from . import embedding
from .evaluate import Program
from .public import RELEASE_LEVEL


class _NoKeys:
    """Switching keys of nothing."""

    def __init__(self, parameters: Parameters) -> None:
        self._degree = parameters.ring_degree

    def of(self, step: int, level: int) -> LoadedKey:
        moved = None if step == RELINEARISE else permutation(step, self._degree)
        return LoadedKey(_zeros(level, self._degree), moved)


@lru_cache(maxsize=8)
def _zeros(level: int, ring_degree: int) -> Lanes:
    return np.zeros((level, 2, level + 1, ring_degree))


def simulated(program: Program, units: Reals) -> Integers:
    """The words (n, words) of inputs (n, d) in [-1, 1], in units of 2^-score_exponent and of the range word."""
    keys = _NoKeys(program.circuit.parameters)
    return np.stack([_words(program, keys, row) for row in units])


def _words(program: Program, keys: _NoKeys, row: Reals) -> Integers:
    circuit = program.circuit
    primes, dropped = circuit.release_parameters.data_primes, circuit.release_parameters.rescale_factor
    whole = modular.to_centred_integers(modular.add(_sums(program, keys, row), program.offsets.T, primes), primes)
    return np.array([(2 * int(word) + dropped) // (2 * dropped) for word in whole], dtype=np.int64)


def _sums(program: Program, keys: _NoKeys, row: Reals) -> Residues:
    """The words (l, words) before constants are added and they are divided."""
    circuit = program.circuit
    level = Level.of(circuit.parameters, circuit.parameters.levels)
    integers, _ = embedding.rounded(circuit.arrangement.spread(row), level.degree, embedding.INTEGER_BITS)
    query = np.zeros((len(integers), 2, level.level + 1, level.degree))
    query[:, 0] = level.encode(integers, 1 << (circuit.query_exponent - embedding.INTEGER_BITS))
    last = Level.of(circuit.parameters, RELEASE_LEVEL)
    found: Residues = last.coefficients(program.scores(query, keys)[0])[:, : circuit.words]
    return found
