"""Scores on CKKS ciphertexts with the twelve rotation keys that legacy clients (encrypted-inference 0.9) send.

A client puts x into the slots in order, 4096 a ciphertext, and reads slot 0 of one ciphertext an output. Its own server
sums every product by a tree of rotations of its own: 12 a output. Here all k outputs share one sum. With kappa the
power of two that is not less than k, and s a slot,

    z[s] = sum over t < kappa of W[s mod kappa, s + t] · x[s + t]          the generalised diagonals of W
    y[i] = sum over s = i (mod kappa) of z[s]                              by doubling: log2(4096/kappa) rotations

which is the hybrid product of GAZELLE (Juvekar, Vaikuntanathan and Chandrakasan, USENIX Security 2018). The kappa
rotations of x are made of baby and giant steps, b·g = kappa (Halevi and Shoup, CRYPTO 2018). Then slot s has y[s mod
kappa], and k - 1 rotations by powers of two bring each y[i] to slot 0. In all, for m ciphertexts,

    m·(b - 1) + (g - 1) + log2(4096/kappa) + (k - 1)       rotations: 23 for 10 outputs on 784 inputs, instead of 120.

The weights are encoded at 2^10 times the prime that rescaling drops, so that the noise of later rotations is 2^10 times
smaller beside the scores. They are divided by a power of two first, which the scale of the answer gives back: the error
is relative to the largest weight, whatever its size. Answers keep 100 bits of modulus, so that scores do not overflow.

This module and :mod:`hermetic.rlwe.ring` alone import SEAL: here its evaluator does the work, on objects that
:mod:`hermetic.legacy.format` checked and wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import seal

from ..errors import WireError
from . import check_allowed
from . import format as wire
from .format import PRIMES, RING_DEGREE, SCALE, SLOTS

Reals = npt.NDArray[np.float64]

_NONE = seal.compr_mode_type.none
_KEPT_PLAINTEXTS = 512
_LARGEST_BIAS_BITS = 40
_LEAST_EXPONENT = -40
_LEAST_WEIGHT = 2.0**-30
"""A weight alone in its diagonal is encoded as coefficients of about w·2^50/4096: this one does not vanish."""

_FINER = 2.0**10
_ANSWER_SCALE = SCALE * _FINER
_WEIGHT_SCALE = PRIMES[2] * _FINER
"""Rescaling divides by the prime: sums of products have the scale of answers, and room for 2^49 times the weights."""

_BABY_COST, _GIANT_COST = 1.7, 1.4
"""A rotation of the inputs, and one of a product with its rescaling, relative to a rotation of a product (measured)."""


class _Engine:
    """SEAL with the parameters of encrypted-inference 0.9."""

    def __init__(self) -> None:
        literal = seal.EncryptionParameters(seal.scheme_type.ckks)
        literal.set_poly_modulus_degree(RING_DEGREE)
        literal.set_coeff_modulus([seal.Modulus(prime) for prime in PRIMES])
        self.context = seal.SEALContext(literal, True, seal.sec_level_type.tc128)
        self.evaluator = seal.Evaluator(self.context)
        self.encoder = seal.CKKSEncoder(self.context)
        self.answer_level = self.context.first_context_data().next_context_data().parms_id()


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()


class RotationKeys:
    """A client's keys for rotations by powers of two; about 19 MB.

    Parameters
    ----------
    data
        What ``get_public_keys()`` of encrypted-inference 0.9 gives; it may be forged.

    Raises
    ------
    WireError
        If the bytes are anything else.
    """

    def __init__(self, data: bytes) -> None:
        saved = wire.read_galois_keys(data)
        try:
            self._keys = _engine().context.from_galois_str(saved)
        except (RuntimeError, ValueError):
            raise WireError("public keys must be keys that SEAL accepts. They are not.") from None

    def rotate(self, ciphertext: Any, step: int) -> Any:
        """The slots moved to the left by ``step``, a power of two."""
        return _engine().evaluator.rotate_vector(ciphertext, step, self._keys)


class LegacyWeights:
    """The weights of an affine map, laid out for legacy clients (encrypted-inference 0.9).

    Parameters
    ----------
    coeffs, intercept
        Shapes (k, d) and (k,), finite.

    Raises
    ------
    SettingsError
        Where the operator forbids these answers.
    """

    def __init__(self, coeffs: Reals, intercept: Reals) -> None:
        check_allowed()
        outputs, self.features = coeffs.shape
        groups = [slice(i, i + SLOTS) for i in range(0, outputs, SLOTS)]
        self._groups = [_Group(coeffs[group], intercept[group]) for group in groups]

    def evaluate(self, ciphertexts: list[bytes], keys: RotationKeys) -> list[str]:
        """Answer one sample.

        Parameters
        ----------
        ciphertexts
            From :func:`hermetic.legacy.format.read_strings`; they may be forged.
        keys
            The keys of the same client; with others the scores are meaningless, which cannot be seen here.

        Returns
        -------
        list[str]
            k base64 strings, each a ciphertext with a score in slot 0. They do **not** protect the weights.

        Raises
        ------
        WireError
            If a ciphertext is not as encrypted-inference 0.9 makes them, or SEAL refuses it.
        """
        loaded = [wire.read_ciphertext(one) for one in ciphertexts]
        try:
            inputs = [_engine().context.from_cipher_str(one) for one in loaded]
            return [
                wire.write_answer(one.to_string(_NONE)) for group in self._groups for one in group.answer(inputs, keys)
            ]
        except (RuntimeError, ValueError):
            raise WireError("ciphertexts must be such that SEAL can compute with them. They are not.") from None


class _Group:
    """Up to 4096 outputs, which share one ciphertext until the end."""

    def __init__(self, coeffs: Reals, intercept: Reals) -> None:
        self._outputs, features = coeffs.shape
        self._parts = -(-features // SLOTS)
        self._kappa = 1 << (self._outputs - 1).bit_length()
        self._babies = _best_babies(self._kappa, self._parts)
        exponent = _exponent(coeffs, intercept)
        self._scale = math.ldexp(_ANSWER_SCALE, -exponent)
        self._coeffs = _scaled(coeffs, exponent)
        self._bias = self._encode_bias(np.ldexp(intercept, -exponent))
        self._kept: dict[tuple[int, int, int], Any] = {}

    def answer(self, inputs: list[Any], keys: RotationKeys) -> Iterator[Any]:
        """One ciphertext an output, with the score in slot 0."""
        shared = self._fold(self._product(inputs, keys), keys)
        shared = _engine().evaluator.add_plain(shared, self._bias)
        shared.scale(self._scale)
        rotated = {0: shared}
        for i in range(self._outputs):
            step = i & -i
            if i:
                rotated[i] = keys.rotate(rotated[i - step], step)
            yield rotated[i]

    def _product(self, inputs: list[Any], keys: RotationKeys) -> Any:
        """Every diagonal times its rotation of the inputs: the z of the module's text."""
        evaluator = _engine().evaluator
        babies = [_multiples(one, self._babies, keys) for one in inputs]
        total = None
        for giant in reversed(range(self._kappa // self._babies)):
            if total is not None:
                total = keys.rotate(total, self._babies)
            terms = [
                evaluator.multiply_plain(rotated, plaintext)
                for part, rotations in enumerate(babies)
                for baby, rotated in enumerate(rotations)
                if (plaintext := self._plaintext(part, giant, baby)) is not None
            ]
            if terms:
                step = evaluator.rescale_to_next(reduce(evaluator.add, terms))
                total = step if total is None else evaluator.add(total, step)
        return total

    def _fold(self, total: Any, keys: RotationKeys) -> Any:
        """Slots that are equal modulo kappa, added up."""
        step = self._kappa
        while step < SLOTS:
            total = _engine().evaluator.add(total, keys.rotate(total, step))
            step *= 2
        return total

    def _plaintext(self, part: int, giant: int, baby: int) -> Any:
        """The diagonal that meets the inputs rotated by ``baby`` before they are rotated by ``giant``·b; None if it is
        zero.
        """
        place = (part, giant, baby)
        if place in self._kept:
            return self._kept[place]
        slots = np.arange(SLOTS)
        rows, columns = (slots - giant * self._babies) % self._kappa, (slots + baby) % SLOTS + part * SLOTS
        inside = (rows < self._outputs) & (columns < self._coeffs.shape[1])
        values = np.zeros(SLOTS)
        values[inside] = self._coeffs[rows[inside], columns[inside]]
        plaintext = _engine().encoder.encode(values, _WEIGHT_SCALE)
        found = None if plaintext.is_zero() else plaintext
        if len(self._kept) < _KEPT_PLAINTEXTS:
            self._kept[place] = found
        return found

    def _encode_bias(self, bias: Reals) -> Any:
        engine, padded = _engine(), np.zeros(self._kappa)
        padded[: self._outputs] = bias
        plaintext = engine.encoder.encode(np.tile(padded, SLOTS // self._kappa), _ANSWER_SCALE)
        return engine.evaluator.mod_switch_to(plaintext, engine.answer_level)


def _multiples(ciphertext: Any, count: int, keys: RotationKeys) -> list[Any]:
    """The ciphertext rotated by 0, 1, … count - 1."""
    out = [ciphertext]
    for i in range(1, count):
        step = i & -i
        out.append(keys.rotate(out[i - step], step))
    return out


def _best_babies(kappa: int, parts: int) -> int:
    """b: the number of baby steps, a power of two, that takes the least time."""
    choices = [1 << i for i in range(kappa.bit_length())]
    return min(choices, key=lambda b: parts * (b - 1) * _BABY_COST + (kappa // b - 1) * _GIANT_COST)


def _exponent(coeffs: Reals, intercept: Reals) -> int:
    """The power of two that weights are divided by: they are below 1 then, and the intercepts below 2^40."""
    largest, bias = float(np.abs(coeffs).max()), float(np.abs(intercept).max())
    return max(_LEAST_EXPONENT, math.frexp(largest)[1], math.frexp(bias)[1] - _LARGEST_BIAS_BITS)


def _scaled(coeffs: Reals, exponent: int) -> Reals:
    """The weights divided by 2^exponent. SEAL refuses to multiply by zero, so a map of zeros gets the least weight."""
    scaled = np.ldexp(coeffs, -exponent)
    if not (np.abs(scaled) >= _LEAST_WEIGHT).any():
        scaled[0, 0] = _LEAST_WEIGHT
    return np.asarray(scaled)
