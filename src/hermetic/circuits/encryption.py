"""How a data owner encrypts integers for any kind of circuit, and what an answer must be for it to be decrypted."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np

from ..arguments import check_kind
from ..arrays import Integers, Residues
from ..errors import MismatchError
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
    integers: Integers,
    layout: Layout,
    scale: int,
    *,
    vector: bool,
    progress: Progress | None = None,
) -> Query:
    """Fresh ciphertexts of integers (n, values) times ``scale``, in a layout; ``vector`` says whether they were one
    sample of shape (values,).
    """
    seed = secrets.token_bytes(SEED_BYTES)
    key_id = bytes.fromhex(secret_key.public_key.id)
    batch = Batch(signature.digest, key_id, seed, len(integers), layout, vector)
    parameters = signature.parameters
    blocks = layout.query_polynomials(integers.shape[1])
    total = blocks * layout.chunks(len(integers))
    c0 = np.empty((total, len(parameters.data_primes), parameters.ring_degree), dtype=np.int64)
    for chunk in range(layout.chunks(len(integers))):
        rows = integers[chunk * layout.samples : (chunk + 1) * layout.samples]
        polynomials = pack_samples(rows, layout)
        for start in range(0, blocks, 2):
            first = chunk * blocks + start
            pair = PublicRing.of(parameters).scaled(polynomials[start : start + 2], scale)
            for i, message in enumerate(pair, start=first):
                c0[i] = _encrypted(signature, secret_key, seed, i, message)
            if progress:
                progress(first + len(pair), total)
    return Query(parameters, batch, c0)


def _encrypted(signature: Signature, secret_key: SecretKey, seed: bytes, number: int, message: Residues) -> Residues:
    """The c0 (L, N) of a message (l, N), which is zero modulo further primes, in evaluation form."""
    parameters, rows = signature.parameters, len(message)
    c1 = expand(QUERY_DOMAIN, seed, number, parameters, parameters.data_primes)
    c0 = secret_key.ring_key.encrypt_zero(c1).copy()
    c0[:rows] = modular.add(c0[:rows], message, parameters.data_primes[:rows])
    return c0


def check_answers(result: Result, kind: type[Result], signature: Signature, secret_key: SecretKey) -> None:
    """Raise :class:`MismatchError` for a result of another model, key or kind."""
    check_kind(result, Result, "result")
    if not isinstance(result, kind) or result.batch.signature != signature.digest:
        raise MismatchError(f"the result must come from model {signature.name!r}. It comes from another.")
    if result.batch.key.hex() != secret_key.public_key.id:
        raise MismatchError(
            f"the result must answer the key {secret_key.public_key.id[:16]}…. Got an answer to "
            f"{result.batch.key.hex()[:16]}… instead."
        )
