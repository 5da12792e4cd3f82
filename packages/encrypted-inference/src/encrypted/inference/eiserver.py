"""The server of the 2020 guide, with exact and sanitised answers underneath."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hermetic.arrays import Reals
from hermetic.circuits.cost import Offer
from hermetic.circuits.linear.integers import IntegerMap, guaranteed_error, quantize_map
from hermetic.circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from hermetic.circuits.linear.server import lambda_bits
from hermetic.circuits.query import Query
from hermetic.errors import HermeticError, MismatchError
from hermetic.keys.public import PublicKey
from hermetic.legacy.format import is_legacy
from hermetic.model import CompiledModel

from .exchange import (
    FLOOD_BITS,
    KEY_BYTES,
    NAME_BYTES,
    PARAMETERS,
    RESOLUTION,
    RESULT_BITS,
    check_strings,
    from_text,
    grid,
    layout,
    question,
    signature,
    to_text,
)
from .legacy_clients import SWITCH, LegacyClients, switched_on

_MAX_LIMBS = 4
_LARGEST_COEFFICIENT = 1e200


class EIServer:
    """Answers encrypted samples with the scores ``coeffs @ x + intercept``. Names and behaviour of encrypted-inference
    0.9.

    Parameters
    ----------
    coeffs
        Shape (k, d), real numbers.
    intercept
        Shape (k,), real numbers.
    verbose
        Print what is done: sizes, never an input or a coefficient.
    legacy_clients
        Answer legacy clients (encrypted-inference 0.9) too, **without protection of the coefficients**; by
        default as the environment variable ``HERMETIC_LEGACY_CLIENTS`` says (``1`` or ``0``), and otherwise not. Warns.

    Attributes
    ----------
    error
        Guaranteed bound on |decrypted score - score|, for every input that the client accepts. It does not hold for
        legacy clients.

    Raises
    ------
    ValueError
        For other shapes, values that are not finite, and coefficients for which no answer can be guaranteed.

    Notes
    -----
    Leaks to the client: the scores, ``error``, and what :meth:`hermetic.CompiledModel.evaluate` says.
    """

    def __init__(
        self,
        coeffs: npt.ArrayLike,
        intercept: npt.ArrayLike,
        verbose: bool = False,
        *,
        legacy_clients: bool | None = None,
    ) -> None:
        self.verbose = verbose
        self.coeffs, self.intercept = _read_coefficients(coeffs, intercept)
        self._model = _compile(self.coeffs, self.intercept)
        self.error = self._model.signature.error
        self._signature = to_text(self._model.signature.to_bytes())
        self._legacy = LegacyClients(self.coeffs, self.intercept) if switched_on(legacy_clients) else None

    def predict(self, ciphertexts: Sequence[str], public_keys: bytes) -> list[str]:
        """Answer one sample.

        Parameters
        ----------
        ciphertexts
            From ``EILinearRegressionClient.encrypt``; they may be forged.
        public_keys
            From ``EILinearRegressionClient.get_public_keys`` of the same client.

        Returns
        -------
        list[str]
            Base64 strings, for ``EILinearRegressionClient.decrypt``.

        Raises
        ------
        ValueError
            If they are not what they must be, or do not belong together.
        """
        check_strings(ciphertexts, "ciphertexts")
        if not isinstance(public_keys, bytes | bytearray | memoryview):
            raise ValueError(f"public_keys must be bytes. Got {type(public_keys).__name__} instead.")
        public_keys = bytes(public_keys)
        self._log(f"Received encrypted input of {len(ciphertexts)} strings")
        try:
            if is_legacy(public_keys):
                answer = self._answer_legacy(ciphertexts, public_keys)
            else:
                answer = [self._signature, to_text(self._answer(ciphertexts, public_keys))]
        except HermeticError as error:
            raise ValueError(str(error)) from error
        self._log(f"Created encrypted result of {sum(map(len, answer)) / 1024:.3f} KB")
        return answer

    def _answer_legacy(self, ciphertexts: Sequence[str], public_keys: bytes) -> list[str]:
        if self._legacy is None:
            raise ValueError(
                "the request must be of this version. It is of encrypted-inference 0.9: update the client, or let the "
                f"operator allow legacy clients (legacy_clients=True, or {SWITCH}=1)."
            )
        return self._legacy.predict(ciphertexts, public_keys)

    def _answer(self, ciphertexts: Sequence[str], public_keys: bytes) -> bytes:
        check_strings(ciphertexts, "ciphertexts", 1)
        query = self._read_query(ciphertexts)
        name, key = _read_keys(public_keys)
        if query.batch.key != name:
            raise MismatchError("ciphertexts and public_keys must come from the same client. They do not.")
        signature = self._model.signature.digest
        batch = replace(query.batch, signature=signature, key=bytes.fromhex(key.id))
        result = self._model.evaluate(Query(PARAMETERS, batch, query.c0), key)
        return replace(result, batch=replace(batch, key=name)).to_bytes()

    def _read_query(self, ciphertexts: Sequence[str]) -> Query:
        asked = question(self._model.signature.features)
        largest = Query.size(asked, asked.layouts[0], 1)
        data = from_text(ciphertexts[0], largest, f"a request of {asked.features} inputs")
        try:
            return Query.from_bytes(data, asked)
        except MismatchError:
            raise ValueError(f"the request must have {asked.features} inputs. It has others.") from None

    def _log(self, message: str) -> None:
        if self.verbose:
            print(message)


def _read_keys(data: bytes) -> tuple[bytes, PublicKey]:
    """The key's name, and the key."""
    if len(data) != KEY_BYTES:
        raise ValueError(f"public_keys must have {KEY_BYTES} bytes. Got {len(data)} instead.")
    return data[-NAME_BYTES:], PublicKey.from_bytes(data[:-NAME_BYTES])


def _read_coefficients(coeffs: npt.ArrayLike, intercept: npt.ArrayLike) -> tuple[Reals, Reals]:
    try:
        w, b = np.asarray(coeffs, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("coeffs and intercept must be real numbers. They are not.") from None
    if w.ndim != 2 or b.ndim != 1 or len(w) != len(b):
        raise ValueError(f"coeffs must have shape (k, d) and intercept (k,). Got {w.shape} and {b.shape} instead.")
    if not 1 <= len(w) <= MAX_OUTPUTS or not 1 <= w.shape[1] <= MAX_FEATURES:
        raise ValueError(f"coeffs must have 1 to {MAX_OUTPUTS} rows and 1 to {MAX_FEATURES} columns. Got {w.shape}.")
    if not max(np.abs(w).max(), np.abs(b).max()) <= _LARGEST_COEFFICIENT:
        raise ValueError(f"coeffs and intercept must be finite, and below {_LARGEST_COEFFICIENT:g}. One is not.")
    return w, b


def _compile(coeffs: Reals, intercept: Reals) -> CompiledModel:
    """The model with the fewest limbs that make the rounding of the coefficients smaller than that of the inputs."""
    features = coeffs.shape[1]
    inputs, weights = grid(features), coeffs * RESOLUTION
    enough = 2 * float(np.abs(weights).sum(axis=1).max()) * inputs.slack[0]
    choices = []
    for limbs in range(1, _MAX_LIMBS + 1):
        integers = quantize_map(weights, intercept, inputs, RESULT_BITS, limbs)
        choices.append((guaranteed_error(weights, intercept, np.zeros(len(intercept)), integers, inputs), integers))
        if choices[-1][0] <= enough:
            break
    error, integers = min(choices, key=lambda one: one[0])
    return _model(error, integers, features, len(intercept))


def _model(error: float, integers: IntegerMap, features: int, outputs: int) -> CompiledModel:
    packing = layout(features)
    flooded = math.floor(lambda_bits(integers, packing, FLOOD_BITS) * 10) / 10
    offer = Offer(packing, flooded)
    exponent, limbs, bits = integers.scale_exponent, integers.limbs, integers.limb_bits
    return CompiledModel(integers, signature(features, outputs, exponent, limbs, bits, offer, error))
