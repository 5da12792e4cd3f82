"""The data owner's half of a tree circuit: slots to queries, sealed results to scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Integers, Reals, Residues
from ...errors import DecryptionError, InputError
from ...keys.secret import SecretKey
from ...rlwe.public_ring import PublicRing
from ...rlwe.ring import Ring
from ...signature import Signature
from ..encryption import Progress, check_answers, encrypt, packed
from ..query import Query
from . import bounds
from .bounds import CHECKS, STRICT_LIMBS
from .public import Section, TreeCircuit
from .rounding import lifted, rounded
from .scores import recombine
from .wire import SectionAnswer, TreeResult, keystream, sealed

_WRONG = (
    "the result must decrypt to one value of every tree. It does not: it was damaged, forged, or computed under "
    "another key or for another query."
)


class ClientHalf:
    """Encrypts and decrypts for one model, under one key.

    Parameters
    ----------
    signature, secret_key
        Of the same parameters.
    """

    def __init__(self, signature: Signature, secret_key: SecretKey) -> None:
        self._signature = signature
        self._circuit = signature.circuit_of(TreeCircuit)
        self._secret_key = secret_key
        self._ring = Ring.of(signature.parameters)

    def encrypt(self, integers: Integers, *, vector: bool, progress: Progress | None = None) -> Query:
        """Fresh ciphertexts of samples whose slots are one-hot (n, d); ``vector`` says whether they were one sample of
        shape (d,).

        Raises
        ------
        InputError
            If an input is not in exactly one slot.
        """
        circuit = self._circuit
        if (np.add.reduceat(integers, circuit.slots.starts[:-1], axis=1) != 1).any():
            raise InputError("every input must be in exactly one interval. The model's public features say otherwise.")
        signature, key, layout, count = self._signature, self._secret_key, circuit.layout, len(integers)
        polynomials = packed(circuit.slots.to_bits(integers), layout)
        return encrypt(signature, key, count, polynomials, layout, circuit.delta, vector=vector, progress=progress)

    def decrypt(self, result: TreeResult) -> Reals:
        """Scores (n, k). Raises as :meth:`decrypt_integers`."""
        return recombine(self._circuit, self.decrypt_integers(result))

    def decrypt_integers(self, result: TreeResult) -> Integers:
        """The integer results (n, k·limbs), equal bit for bit to the integer reference.

        Raises
        ------
        MismatchError
            If the result answers another key or another model.
        DecryptionError
            If it does not open, or not to one active word of every tree.
        """
        check_answers(result, TreeResult, self._signature, self._secret_key)
        rows = [self._sample(sample, result.batch.query, number) for number, sample in enumerate(result.answers)]
        return np.stack(rows)

    def _sample(self, sample: tuple[SectionAnswer, ...], query: bytes, number: int) -> Integers:
        circuit = self._circuit
        tests, checks, scores = circuit.sections
        products = self._times_secret(sample)
        limbs = self._opened(self._values(tests, sample[0], products[0]))
        count = sum(len(one.words) for one in sample[1:])
        _, *found = sealed(sample, circuit, keystream(limbs, query, number, count))
        checked = self._values(checks, found[0], products[1]).reshape(CHECKS, circuit.all_words)
        values = self._values(scores, found[1], products[2]).reshape(circuit.integer_columns, circuit.all_words)
        return self._summed((checked == 0).all(axis=0), values)

    def _opened(self, values: Integers) -> Integers:
        """The limbs of the seal, and of the pattern that each span has, which the last words say."""
        circuit, spans = self._circuit, self._circuit.spans
        seal, limbs, numbers = np.split(values, np.cumsum([circuit.limbs_of_seal, circuit.limbs_of_spans]))
        if spans is None:
            return seal
        if (numbers >= spans.patterns).any():
            raise DecryptionError(_WRONG)
        return np.concatenate([seal, limbs.reshape(-1, STRICT_LIMBS)[spans.starts[:-1] + numbers].reshape(-1)])

    def _times_secret(self, sample: tuple[SectionAnswer, ...]) -> list[Residues]:
        """s·c1 (G, N) of every section, whose c1 are lifted to the result modulus again."""
        parameters, sections = self._circuit.parameters, self._circuit.sections
        modulus = parameters.result_modulus
        parts = [
            lifted(one.c1, section.precision.c1_bits, modulus) for one, section in zip(sample, sections, strict=True)
        ]
        evaluated = PublicRing.of(parameters).ntt(np.concatenate(parts)[:, None])
        products = self._ring.intt(self._secret_key.ring_key.times(evaluated))[:, 0]
        return np.split(products, np.cumsum([len(part) for part in parts])[:-1])

    def _values(self, section: Section, answer: SectionAnswer, products: Residues) -> Integers:
        """The words of a section, rounded to its grid: integers modulo 2^bits."""
        precision, modulus = section.precision, self._circuit.parameters.result_modulus
        phase = products.reshape(-1)[section.places] + lifted(answer.words, precision.word_bits, modulus)
        return rounded(phase % modulus, precision.bits, modulus)

    def _summed(self, active: Any, values: Integers) -> Integers:
        """The sums of the values of active words, modulo 2^24, one row of outputs by integer columns."""
        circuit, found = self._circuit, []
        ends = np.cumsum(circuit.words)
        for start, end, trees in zip(ends - circuit.words, ends, circuit.trees, strict=True):
            chosen = active[start:end]
            if np.count_nonzero(chosen) != trees:
                raise DecryptionError(_WRONG)
            found.append(values[:, start:end][:, chosen].sum(axis=1))
        half = 1 << (bounds.SCORE_BITS - 1)
        return (np.concatenate(found) + half) % (2 * half) - half
