"""The data owner's half of a linear circuit: integers to queries, results to scores."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import check_kind
from ...arrays import Integers, Reals, Residues
from ...errors import DecryptionError, MismatchError
from ...keys.secret import SecretKey
from ...rlwe import modular
from ...rlwe.public_ring import PublicRing
from ...rlwe.ring import Ring
from ...rlwe.seeds import QUERY_DOMAIN, SEED_BYTES, expand
from ...signature import Signature
from .integers import recombine
from .packing import Layout, pack_samples, released
from .wire import Batch, Query, Result

_INT64_BITS = 62

Progress = Callable[[int, int], None]
"""Called as progress(done, total) while a long batch is encrypted, in ciphertexts."""


class ClientHalf:
    """Encrypts and decrypts for one model, under one key.

    Parameters
    ----------
    signature, secret_key
        Of the same parameters.
    """

    def __init__(self, signature: Signature, secret_key: SecretKey) -> None:
        self._signature = signature
        self._circuit = signature.circuit
        self._secret_key = secret_key
        self._key_id = secret_key.public_key.id
        self._ring = Ring.of(signature.parameters)

    def encrypt(self, integers: Integers, *, vector: bool, progress: Progress | None = None) -> Query:
        """Fresh ciphertexts of integers (n, d); ``vector`` says whether they were one sample of shape (d,)."""
        layout = self._circuit.layout_for(len(integers))
        seed = secrets.token_bytes(SEED_BYTES)
        batch = Batch(self._signature.digest, bytes.fromhex(self._key_id), seed, len(integers), layout, vector)
        return Query(self._circuit.parameters, batch, self._encrypt(integers, layout, seed, progress))

    def _encrypt(self, integers: Integers, layout: Layout, seed: bytes, progress: Progress | None) -> Residues:
        parameters = self._circuit.parameters
        blocks = layout.query_polynomials(self._circuit.features)
        total = blocks * layout.chunks(len(integers))
        c0 = np.empty((total, len(parameters.data_primes), parameters.ring_degree), dtype=np.int64)
        for chunk in range(layout.chunks(len(integers))):
            rows = integers[chunk * layout.samples : (chunk + 1) * layout.samples]
            polynomials = pack_samples(rows, layout)
            for start in range(0, blocks, 2):
                first = chunk * blocks + start
                pair = self._message(polynomials[start : start + 2])
                for i, message in enumerate(pair, start=first):
                    c1 = expand(QUERY_DOMAIN, seed, i, parameters, parameters.data_primes)
                    c0[i] = self._secret_key.ring_key.encrypt_zero(c1)
                    kept = len(parameters.kept_primes)
                    c0[i, :kept] = modular.add(c0[i, :kept], message, parameters.kept_primes)
                if progress:
                    progress(first + len(pair), total)
        return c0

    def _message(self, polynomials: Integers) -> Residues:
        """delta·P times each polynomial, in evaluation form; it is zero modulo the dropped primes."""
        parameters = self._circuit.parameters
        return PublicRing.of(parameters).scaled(polynomials, self._circuit.delta * parameters.rescale_factor)

    def decrypt(self, result: Result) -> Reals:
        """Scores (n, k). Raises as :meth:`decrypt_integers`."""
        circuit = self._circuit
        return recombine(self.decrypt_integers(result), circuit.limbs, circuit.limb_bits, circuit.scale_exponent)

    def decrypt_integers(self, result: Result) -> Integers:
        """The integer results (n, k·limbs), equal bit for bit to the integer reference.

        Raises
        ------
        MismatchError
            If the result answers another key or another model.
        DecryptionError
            If it does not decrypt within the noise bound.
        """
        self._check_belongs(result)
        phase = self.phase(result)
        delta = self._circuit.delta
        nearest = (phase + delta // 2) // delta
        if (np.abs(phase - nearest * delta) > self._circuit.result_noise).any() or (
            np.abs(nearest) >> (self._circuit.result_bits - 1)
        ).any():
            raise DecryptionError(
                "the result must decrypt within its noise bound. It does not: it was damaged, forged, or "
                "computed under another key."
            )
        return nearest.astype(np.int64)

    def _check_belongs(self, result: Result) -> None:
        check_kind(result, Result, "result")
        if result.batch.signature != self._signature.digest:
            raise MismatchError(f"the result must come from model {self._signature.name!r}. It comes from another.")
        if result.batch.key.hex() != self._key_id:
            raise MismatchError(
                f"the result must answer the key {self._key_id[:16]}…. Got an answer to "
                f"{result.batch.key.hex()[:16]}… instead."
            )

    def phase(self, result: Result) -> npt.NDArray[Any]:
        """c0 + c1·s mod q' at the target coefficients, as centred integers (n, k·limbs): results with their noise."""
        parameters, batch = self._circuit.parameters, result.batch
        primes, outputs = parameters.kept_primes, self._circuit.integer_outputs
        c1_s = self._ring.intt(self._secret_key.ring_key.times(PublicRing.of(parameters).ntt(result.c1)))
        groups = batch.layout.result_polynomials(outputs)
        masks = np.concatenate(
            [
                c1_s[chunk * groups + group][:, index.reshape(-1)]
                for chunk, indices in enumerate(released(batch.layout, batch.samples, outputs))
                for group, index in enumerate(indices)
            ],
            axis=1,
        )
        phase = modular.to_centred_integers(modular.add(masks, result.words, primes), primes)
        if parameters.result_modulus.bit_length() <= _INT64_BITS:
            phase = phase.astype(np.int64)
        return _by_sample(phase, batch, outputs)


def _by_sample(phase: npt.NDArray[Any], batch: Batch, outputs: int) -> npt.NDArray[Any]:
    """Words in release order (chunk, output, sample) as (sample, output)."""
    full = batch.layout.samples
    rows = []
    for chunk in range(batch.layout.chunks(batch.samples)):
        samples = min(full, batch.samples - chunk * full)
        block = phase[chunk * full * outputs : chunk * full * outputs + samples * outputs]
        rows.append(block.reshape(outputs, samples).T)
    return np.concatenate(rows)
