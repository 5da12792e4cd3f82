"""Legacy clients in an evaluation process: their keys, and the models' weights laid out for their ciphertexts."""

from __future__ import annotations

import json

from ..arrays import Reals
from ..circuits.linear.integers import recombine
from ..circuits.linear.public import LinearCircuit
from ..errors import MismatchError
from ..legacy.ckks import LegacyWeights, RotationKeys
from ..model import CompiledModel
from .messages import EvaluateLegacy


class LegacyEvaluation:
    """Answers legacy clients (encrypted-inference 0.9). It protects no weights: see :mod:`hermetic.legacy`."""

    def __init__(self) -> None:
        self._weights: dict[str, LegacyWeights] = {}
        self._keys: dict[str, RotationKeys] = {}

    def drop(self, key_id: str) -> None:
        """Forget a key."""
        self._keys.pop(key_id, None)

    def unload(self, model: str) -> None:
        """Forget a model."""
        self._weights.pop(model, None)

    def answer(self, model: CompiledModel, message: EvaluateLegacy, payload: memoryview) -> bytes:
        """A JSON list of base64 strings, one an output, for the ciphertexts in the payload behind the key.

        Raises
        ------
        WireError
            If the key or a ciphertext is not as encrypted-inference 0.9 makes them.
        MismatchError
            If the model is not linear.
        """
        if not isinstance(model.signature.circuit, LinearCircuit):
            raise MismatchError(
                f"legacy clients must ask linear models. Model {model.signature.name!r} has private trees: ask it with "
                "Hermetic's own client, hermetic.connect."
            )
        at = message.key_bytes
        if at:
            self._keys[message.key_id] = RotationKeys(bytes(payload[:at]))
        if message.key_id not in self._keys:
            raise MismatchError("the public keys must be known to the evaluation process. They are not: try again.")
        ciphertexts = []
        for size in message.parts:
            ciphertexts.append(bytes(payload[at : at + size]))
            at += size
        weights = self._weights.get(message.model) or LegacyWeights(*real_map(model))
        self._weights[message.model] = weights
        return json.dumps(weights.evaluate(ciphertexts, self._keys[message.key_id])).encode()


def real_map(model: CompiledModel) -> tuple[Reals, Reals]:
    """What a model's integers stand for: coefficients (k, d) and intercepts (k,), in units of inputs and scores."""
    integers, grid = model.integers, model.signature.circuit_of(LinearCircuit).grid
    exact = (integers.limbs, integers.limb_bits, integers.scale_exponent)
    in_steps, bias = recombine(integers.weights.T, *exact).T, recombine(integers.bias[None], *exact)[0]
    coeffs = in_steps / grid.step
    return coeffs, bias - coeffs @ grid.offset
