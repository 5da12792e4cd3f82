"""(weights, public key, query) -> sanitised result. No input or output, no secret key.

A bare product (c0·W, c1·W) hands every weight to the client, who knows c1. So every answer

1. gets a fresh encryption of zero under the client's public key, which makes its c1 a fresh RLWE sample;
2. is flooded: uniform integers from the operating system's generator are added at the target coefficients of c0;
3. is rescaled and cut down to c1 and the target words of c0. Nothing else is released.

The order matters: flooding is added before rescaling, so what is released is a function of flooded words alone. The
bounds are in :mod:`hermetic.bounds`; what is left over is in ``docs/security.md``.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from functools import reduce

import numpy as np
import numpy.typing as npt

from . import modular
from .errors import MismatchError
from .modular import ModularMatrix, Residues
from .packing import Layout, pack_weights, released
from .parameters import Parameters
from .quantize import IntegerMap, Integers
from .ring import Ring, ZeroEncryptor
from .seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand, expand_range
from .signature import Signature
from .wire import PublicKey, Query, Result

_BLOCK = 128
_FEW_POINTS = 64


class ZeroPool:
    """Encryptions of zero under one client's public key, made ahead of time. Each is handed out once. Thread-safe.

    Parameters
    ----------
    public_key
        The client's key; it may be forged, see ``docs/security.md``.
    """

    def __init__(self, public_key: PublicKey) -> None:
        parameters = public_key.parameters
        a = expand(PUBLIC_KEY_DOMAIN, public_key.seed, 0, parameters, parameters.key_primes)
        self.key_id = public_key.id
        self._encryptor = ZeroEncryptor(Ring.of(parameters), public_key.b, a)
        self._ready: deque[Residues] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ready)

    def fill(self, count: int) -> None:
        """Make encryptions of zero until ``count`` are ready."""
        while len(self._ready) < count:
            self._ready.append(self._encryptor.sample())

    def take(self) -> Residues:
        """An encryption of zero (2, L, N) that nobody had before: a ready one, or a fresh one."""
        with self._lock:
            if self._ready:
                return self._ready.popleft()
        return self._encryptor.sample()


class EncodedWeights:
    """A model's integer weights in one layout, in evaluation form: one :class:`ModularMatrix` a prime."""

    def __init__(self, integers: IntegerMap, parameters: Parameters, layout: Layout) -> None:
        self.layout = layout
        coefficients = pack_weights(integers.weights, layout)
        primes = parameters.data_primes
        values = _evaluate_polynomials(coefficients, parameters, layout)
        self._matrices = [
            ModularMatrix(np.ascontiguousarray(rows.transpose(2, 0, 1)), prime, layout.samples)
            for rows, prime in zip(np.moveaxis(values, 2, 0), primes, strict=True)
        ]

    def product(self, polynomials: Residues, start: int) -> Residues:
        """The c0, or the c1, of the query's ciphertexts ``start, …`` times their weights: (b, L, N) -> (G, L, N)."""
        b, _, n = polynomials.shape
        shape = (b, 1, self.layout.points, self.layout.samples)
        rows = [
            matrix.product(polynomials[:, i].reshape(shape), start).reshape(-1, n)
            for i, matrix in enumerate(self._matrices)
        ]
        return np.stack(rows, axis=1)


def _evaluate_polynomials(coefficients: Integers, parameters: Parameters, layout: Layout) -> Residues:
    """Polynomials in X^B, (G, m, N/B), as their N/B distinct values, (G, m, L, N/B)."""
    if layout.points == 1:
        return np.repeat(coefficients[:, :, None], len(parameters.data_primes), axis=2)
    if layout.points <= _FEW_POINTS:
        return _evaluate_at_few_points(coefficients, parameters, layout)
    groups, blocks, points = coefficients.shape
    values = np.empty((groups, blocks, len(parameters.data_primes), points), dtype=np.int64)
    for g, row in enumerate(coefficients):
        values[g] = _transform(row, parameters, layout)
    return values


def _transform(coefficients: Integers, parameters: Parameters, layout: Layout) -> Residues:
    """Polynomials in X^B, (n, N/B), as values (n, L, N/B), by a transform of length N each."""
    polynomials = np.zeros((len(coefficients), parameters.ring_degree), dtype=np.int64)
    polynomials[:, :: layout.samples] = coefficients
    residues = modular.from_integers(polynomials, parameters.data_primes)
    return Ring.of(parameters).ntt(residues)[..., :: layout.samples]


def _evaluate_at_few_points(coefficients: Integers, parameters: Parameters, layout: Layout) -> Residues:
    """As :func:`_evaluate_polynomials`, by one product with the values of the monomials: N/B transforms in all."""
    groups, blocks, points = coefficients.shape
    monomials = _transform(np.eye(points, dtype=np.int64), parameters, layout)
    columns = coefficients.reshape(-1, points).T
    rows = []
    for i, prime in enumerate(parameters.data_primes):
        matrix = ModularMatrix(monomials[:, i].T[None], prime, columns.shape[1])
        rows.append(matrix.product(modular.reduce(columns, prime)[:, None, None], 0)[:, 0, 0])
    return np.stack(rows).transpose(2, 0, 1).reshape(groups, blocks, len(rows), points)


def evaluate(
    integers: IntegerMap,
    signature: Signature,
    encoded: Callable[[Layout], EncodedWeights],
    query: Query,
    zeros: ZeroPool,
) -> Result:
    """Answer a query.

    Parameters
    ----------
    integers
        The private integer weights.
    signature
        The model's signature.
    encoded
        Gives the weights in the query's layout.
    query
        A query that :meth:`Query.from_bytes` accepted, or a client's own.
    zeros
        Encryptions of zero under the query's public key; one is used for every result polynomial.

    Raises
    ------
    MismatchError
        If the query belongs to another model, or to another key than ``zeros``.
    """
    parameters, batch = signature.parameters, query.batch
    if batch.signature != signature.digest:
        raise MismatchError(f"the query must be made for model {signature.name!r}. It was made for another.")
    if query.key_id != zeros.key_id:
        raise MismatchError(f"the query must name the key {zeros.key_id[:16]}…. It names {query.key_id[:16]}… instead.")
    weights = encoded(batch.layout)
    blocks = batch.layout.query_polynomials(signature.features)
    groups = batch.layout.result_polynomials(signature.integer_outputs)
    c1, words = [], []
    for chunk, indices in enumerate(released(batch.layout, batch.samples, signature.integer_outputs)):
        masked = _product(query, weights, chunk * blocks, blocks)
        for group in range(groups):
            masked[group] = modular.add(masked[group], zeros.take(), parameters.data_primes)
        coefficients = Ring.of(parameters).intt(masked.reshape(-1, *masked.shape[2:])).reshape(masked.shape)
        c1.append(_rescale(coefficients[:, 1], parameters))
        words.append(_target_words(coefficients[:, 0], indices, integers.bias, signature))
    return Result(parameters, batch, np.concatenate(c1), np.concatenate(words, axis=1))


def _product(query: Query, weights: EncodedWeights, first: int, blocks: int) -> Residues:
    """The product of one chunk with the weights, (G, 2, L, N) in evaluation form: not yet fit to be seen."""
    parameters, seed = query.parameters, query.batch.query
    primes = parameters.data_primes

    def part(start: int) -> Residues:
        chosen = range(first + start, first + min(start + _BLOCK, blocks))
        c0 = query.c0[chosen.start : chosen.stop]
        c1 = expand_range(QUERY_DOMAIN, seed, chosen, parameters, primes)
        return np.stack([weights.product(c0, start), weights.product(c1, start)], axis=1)

    return reduce(lambda total, one: modular.add(total, one, primes), map(part, range(0, blocks, _BLOCK)))


def _target_words(c0: Residues, indices: list[npt.NDArray[np.intp]], bias: Integers, signature: Signature) -> Residues:
    """Bias and flooding added at the target coefficients of every c0 (G, L, N), then rescaled: (l, targets)."""
    parameters = signature.parameters
    primes = parameters.data_primes
    chosen = np.concatenate([one[:, index.reshape(-1)] for one, index in zip(c0, indices, strict=True)], axis=1)
    offsets = modular.from_integers(np.repeat(bias, indices[0].shape[1]), primes)
    encoded = modular.scale(offsets, signature.delta * parameters.rescale_factor, primes)
    flood = _uniform_integers(signature.flood_bits, chosen.shape[1], primes)
    return _rescale(modular.add(modular.add(chosen, encoded, primes), flood, primes), parameters)


def _rescale(residues: Residues, parameters: Parameters) -> Residues:
    return modular.divide_and_round(residues, parameters.data_primes, len(parameters.kept_primes))


def _uniform_integers(bits: int, count: int, primes: tuple[int, ...]) -> Residues:
    """Uniform integers in [-2^(bits-1), 2^(bits-1)) from the operating system's generator, as residues (L, count)."""
    limbs = -(-bits // 32)
    words = np.frombuffer(os.urandom(4 * limbs * count), dtype="<u4").reshape(limbs, count).astype(np.int64)
    words[0] &= (1 << (bits - 32 * (limbs - 1))) - 1
    rows = []
    for prime in primes:
        value = np.zeros(count, dtype=np.int64)
        for limb in words:
            value = modular.reduce(modular.multiply(value, (1 << 32) % prime, prime) + limb, prime)
        rows.append(modular.reduce(value - (1 << (bits - 1)) % prime, prime))
    return np.stack(rows)
