"""The data owner's half of a linear circuit: integers to queries, results to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Integers, Reals
from ...errors import DecryptionError
from ...keys.secret import SecretKey
from ...rlwe import modular
from ...rlwe.public_ring import PublicRing
from ...rlwe.ring import Ring
from ...signature import Signature
from ..encryption import Progress, check_answers, encrypt, packed
from ..packing import released
from ..query import Batch, Query
from .integers import recombine
from .public import LinearCircuit
from .wire import LinearResult

_INT64_BITS = 62


class ClientHalf:
    """Encrypts and decrypts for one model, under one key.

    Parameters
    ----------
    signature, secret_key
        Of the same parameters.
    """

    def __init__(self, signature: Signature, secret_key: SecretKey) -> None:
        self._signature = signature
        self._circuit = signature.circuit_of(LinearCircuit)
        self._secret_key = secret_key
        self._ring = Ring.of(signature.parameters)

    def encrypt(self, integers: Integers, *, vector: bool, progress: Progress | None = None) -> Query:
        """Fresh ciphertexts of integers (n, d); ``vector`` says whether they were one sample of shape (d,)."""
        scale = self._circuit.delta * self._circuit.parameters.rescale_factor
        layout = self._circuit.layout_for(len(integers))
        signature, key, count = self._signature, self._secret_key, len(integers)
        polynomials = packed(integers, layout)
        return encrypt(signature, key, count, polynomials, layout, scale, vector=vector, progress=progress)

    def decrypt(self, result: LinearResult) -> Reals:
        """Scores (n, k). Raises as :meth:`decrypt_integers`."""
        circuit = self._circuit
        return recombine(self.decrypt_integers(result), circuit.limbs, circuit.limb_bits, circuit.scale_exponent)

    def decrypt_integers(self, result: LinearResult) -> Integers:
        """The integer results (n, k·limbs), equal bit for bit to the integer reference.

        Raises
        ------
        MismatchError
            If the result answers another key or another model.
        DecryptionError
            If it does not decrypt within the noise bound.
        """
        check_answers(result, LinearResult, self._signature, self._secret_key)
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

    def phase(self, result: LinearResult) -> npt.NDArray[Any]:
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
