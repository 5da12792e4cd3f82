"""The data owner's half of a network: reals to queries, results to scores."""

from __future__ import annotations

from functools import partial

import numpy as np

from ...arrays import Integers, Reals
from ...errors import CalibrationError
from ...keys.secret import SecretKey
from ...rlwe import modular
from ...rlwe.public_ring import PublicRing
from ...rlwe.ring import Ring
from ...signature import Signature
from ..encryption import Progress, check_answers, encrypt
from ..query import Query
from . import embedding
from .public import NetworkCircuit
from .wire import NetworkResult


class ClientHalf:
    """Encrypts and decrypts for one model, under one key.

    Parameters
    ----------
    signature, secret_key
        Of the same parameters.
    """

    def __init__(self, signature: Signature, secret_key: SecretKey) -> None:
        self._signature = signature
        self._circuit = signature.circuit_of(NetworkCircuit)
        self._secret_key = secret_key
        self._ring = Ring.of(signature.parameters)

    def encrypt(self, integers: Integers, *, vector: bool, progress: Progress | None = None) -> Query:
        """Fresh ciphertexts of grid integers (n, d); ``vector`` says whether they were one sample of shape (d,)."""
        circuit = self._circuit
        scale = 1 << (circuit.query_exponent - embedding.INTEGER_BITS)
        polynomials = partial(self._polynomials, circuit.units(integers))
        return encrypt(
            self._signature,
            self._secret_key,
            len(integers),
            polynomials,
            circuit.layout,
            scale,
            vector=vector,
            progress=progress,
        )

    def _polynomials(self, units: Reals, sample: int) -> Integers:
        slots = self._circuit.arrangement.spread(units[sample])
        integers, _ = embedding.rounded(slots, self._circuit.parameters.ring_degree, embedding.INTEGER_BITS)
        return integers

    def decrypt(self, result: NetworkResult) -> Reals:
        """Scores (n, k). Raises as :meth:`decrypt_integers`."""
        return self.decrypt_integers(result) / 2.0**self._circuit.score_exponent

    def decrypt_integers(self, result: NetworkResult) -> Integers:
        """Scores (n, k) in units of 2^-score_exponent, their noise included.

        Raises
        ------
        MismatchError
            If the result answers another key or another model.
        CalibrationError
            If an answer may have wrapped around the modulus, or is none under this key.
        """
        check_answers(result, NetworkResult, self._signature, self._secret_key)
        words = self._phase(result)
        if self._circuit.range is None:
            return words
        *scores, sums = words.T
        self._check_range(sums)
        return np.stack(scores, axis=1)

    def _check_range(self, sums: Integers) -> None:
        """Raise :class:`CalibrationError` for a sample whose range word is not in range."""
        one = self._circuit.range
        if one is None:
            return
        found, slack = sums * 2.0**-one.exponent, self._circuit.range_slack
        outside = (found > one.limit + slack) | (found < -slack)
        if outside.any():
            raise CalibrationError(int(np.flatnonzero(outside)[0]))

    def _phase(self, result: NetworkResult) -> Integers:
        """c0 + c1·s mod q' at the words' coefficients, centred (n, words)."""
        parameters = self._circuit.parameters
        (prime,) = parameters.kept_primes
        evaluated = PublicRing.of(parameters).ntt(result.c1)
        c1_s = self._ring.intt(self._secret_key.ring_key.times(evaluated))[:, :, : self._circuit.words]
        words = result.words.reshape(c1_s.shape)
        phase = modular.to_centred_integers(modular.add(c1_s, words, (prime,)), (prime,))
        return phase.astype(np.int64)
