"""How a data owner encrypts integers for any kind of circuit, and what an answer must be for it to be decrypted."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np

from ..arguments import check_kind
from ..arrays import Integers, Residues
from ..errors import MismatchError
from ..keys.public import PublicKey
from ..keys.secret import SecretKey
from ..rlwe import modular
from ..rlwe.public_ring import PublicRing
from ..rlwe.seeds import QUERY_DOMAIN, SEED_BYTES, expand
from ..signature import Signature
from .packing import Layout, pack_samples
from .query import Batch, Query
from .result import Result

Progress = Callable[[int, int], None]
"""Called as progress(done, total) while a long batch is encrypted, in ciphertexts."""


def encrypt(
    signature: Signature,
    secret_key: SecretKey,
    samples: int,
    polynomials: Callable[[int], Integers],
    layout: Layout,
    scale: int,
    *,
    vector: bool,
    progress: Progress | None = None,
) -> Query:
    """Fresh ciphertexts of so many samples times ``scale``, in a layout; ``vector`` says whether they were one sample
    of shape (values,). ``polynomials`` gives the integers (m, N) of a chunk of samples, by its number.
    """
    seed = secrets.token_bytes(SEED_BYTES)
    key_id = bytes.fromhex(_public_key(signature, secret_key).id)
    batch = Batch(signature.digest, key_id, seed, samples, layout, vector)
    parameters = signature.parameters
    blocks = layout.query_polynomials(signature.circuit.values)
    total = blocks * layout.chunks(samples)
    c0 = np.empty((total, len(parameters.query_primes), parameters.ring_degree), dtype=np.int64)
    for chunk in range(layout.chunks(samples)):
        packed = polynomials(chunk)
        for start in range(0, blocks, 2):
            first = chunk * blocks + start
            pair = PublicRing.of(parameters).scaled(packed[start : start + 2], scale)
            for i, message in enumerate(pair, start=first):
                c0[i] = _encrypted(signature, secret_key, seed, i, message)
            if progress:
                progress(first + len(pair), total)
    return Query(parameters, batch, c0)


def packed(integers: Integers, layout: Layout) -> Callable[[int], Integers]:
    """The polynomials of integers (n, values) for :func:`encrypt`: those of the samples of a chunk."""

    def polynomials(chunk: int) -> Integers:
        return pack_samples(integers[chunk * layout.samples : (chunk + 1) * layout.samples], layout)

    return polynomials


def _public_key(signature: Signature, secret_key: SecretKey) -> PublicKey:
    """The public key that answers of this model are masked with."""
    return secret_key.public_key_for(signature.circuit.key_shape)


def _encrypted(signature: Signature, secret_key: SecretKey, seed: bytes, number: int, message: Residues) -> Residues:
    """The c0 (L, N) of a message (l, N), which is zero modulo further primes, in evaluation form."""
    parameters, rows = signature.parameters, len(message)
    c1 = expand(QUERY_DOMAIN, seed, number, parameters, parameters.query_primes)
    c0 = secret_key.ring_key.encrypt_zero(c1).copy()
    c0[:rows] = modular.add(c0[:rows], message, parameters.query_primes[:rows])
    return c0


def check_answers(result: Result, kind: type[Result], signature: Signature, secret_key: SecretKey) -> None:
    """Raise :class:`MismatchError` for a result of another model, key or kind."""
    check_kind(result, Result, "result")
    if not isinstance(result, kind) or result.batch.signature != signature.digest:
        raise MismatchError(f"the result must come from model {signature.name!r}. It comes from another.")
    expected = _public_key(signature, secret_key).id
    if result.batch.key.hex() != expected:
        raise MismatchError(
            f"the result must answer the key {expected[:16]}…. Got an answer to {result.batch.key.hex()[:16]}… instead."
        )
