"""(weights, public key, query) -> sanitised result. No input or output, no secret key.

A bare product (c0·W, c1·W) hands every weight to the client, who knows c1. So every answer

1. gets a fresh encryption of zero under the client's public key, which makes its c1 a fresh RLWE sample; where many
   target words come with it, a sum of several, see :func:`hermetic.circuits.linear.bounds.mask_digits`;
2. is flooded: uniform integers from the operating system's generator are added at the target coefficients of c0;
3. is rescaled and cut down to c1 and the target words of c0. Nothing else is released.

The order matters: flooding is added before rescaling, so what is released is a function of flooded words alone. The
bounds are in :mod:`hermetic.circuits.linear.bounds`; what is left over is in ``docs/security.md``.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Residues
from ...errors import MismatchError
from ...keys.public import PublicKey
from ...rlwe import modular
from ...rlwe.parameters import Parameters
from ...rlwe.ring import Ring, ZeroEncryptor
from ...rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, expand, expand_range
from ...signature import Signature
from . import bounds
from .integers import IntegerMap
from .packing import Layout, released
from .weights import EncodedWeights
from .wire import Query, Result


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
        Encryptions of zero under the query's public key; one is used for every digit of a result polynomial's mask.

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
    c1, words = [], []
    for chunk, indices in enumerate(released(batch.layout, batch.samples, signature.circuit.integer_outputs)):
        for first, product in encoded(batch.layout).products(query_polynomials(query, chunk, signature)):
            groups = slice(first, first + len(product))
            outputs = slice(first * batch.layout.outputs, groups.stop * batch.layout.outputs)
            coefficients = _masked(product, query, zeros, signature)
            c1.append(_rescale(coefficients[:, 1], parameters))
            words.append(_target_words(coefficients[:, 0], indices[groups], integers.bias[outputs], signature))
    return Result(parameters, batch, np.concatenate(c1), np.concatenate(words, axis=1))


def query_polynomials(query: Query, chunk: int, signature: Signature) -> Residues:
    """The ciphertexts (m, 2, L, N) of one chunk of a query."""
    parameters = query.parameters
    blocks = query.batch.layout.query_polynomials(signature.features)
    chosen = range(chunk * blocks, (chunk + 1) * blocks)
    c1 = expand_range(QUERY_DOMAIN, query.batch.query, chosen, parameters, parameters.data_primes)
    return np.stack([query.c0[chosen.start : chosen.stop], c1], axis=1)


def _masked(product: Residues, query: Query, zeros: ZeroPool, signature: Signature) -> Residues:
    """Products (G, 2, L, N) with fresh encryptions of zero added, as coefficients."""
    parameters, batch = signature.parameters, query.batch
    digits = 1
    if batch.samples <= signature.features:
        digits = bounds.mask_digits(parameters, batch.layout, signature.flood_bits)
    for group in range(len(product)):
        product[group] = modular.add(product[group], _mask(zeros, digits, parameters), parameters.data_primes)
    return Ring.of(parameters).intt(product.reshape(-1, *product.shape[2:])).reshape(product.shape)


def _mask(zeros: ZeroPool, digits: int, parameters: Parameters) -> Residues:
    """An encryption of zero (2, L, N) whose u is uniform among 3^digits values at every coefficient."""
    total = zeros.take()
    for _ in range(digits - 1):
        total = modular.add(modular.scale(total, 3, parameters.data_primes), zeros.take(), parameters.data_primes)
    return total


def _target_words(c0: Residues, indices: list[npt.NDArray[np.intp]], bias: Integers, signature: Signature) -> Residues:
    """Bias and flooding added at the target coefficients of every c0 (G, L, N), then rescaled: (l, targets)."""
    parameters = signature.parameters
    primes = parameters.data_primes
    chosen = np.concatenate([one[:, index.reshape(-1)] for one, index in zip(c0, indices, strict=True)], axis=1)
    offsets = modular.from_integers(np.repeat(bias, indices[0].shape[1]), primes)
    encoded = modular.scale(offsets, signature.circuit.delta * parameters.rescale_factor, primes)
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
