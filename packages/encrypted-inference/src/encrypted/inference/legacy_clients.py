"""Answers for legacy clients (encrypted-inference 0.9), and the switch that allows them."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property

from hermetic.arrays import Reals
from hermetic.legacy import check_allowed
from hermetic.legacy.ckks import LegacyWeights, RotationKeys
from hermetic.legacy.format import read_strings

SWITCH = "HERMETIC_LEGACY_CLIENTS"
"""The environment variable that allows legacy clients where a script does not say."""

_KEPT_KEYS = 8


def switched_on(asked: bool | None) -> bool:
    """Whether legacy clients are answered: as asked, or else as the environment says.

    Raises
    ------
    ValueError
        If the environment says neither 1 nor 0, or the operator forbids what is asked for.
    """
    value = os.environ.get(SWITCH, "").lower()
    if asked is None and value not in ("", "0", "1", "false", "true"):
        raise ValueError(f"{SWITCH} must be 1 or 0. It is neither.")
    wanted = value in ("1", "true") if asked is None else asked
    if wanted:
        check_allowed()
    return wanted


class LegacyClients:
    """Answers in the format of encrypted-inference 0.9. Warns when it is made: the coefficients are not protected.

    Keys are parsed once and those used last are kept, 8 of them (about 19 MB each).
    """

    def __init__(self, coeffs: Reals, intercept: Reals) -> None:
        warnings.warn(
            "answers to legacy clients (encrypted-inference 0.9) are CKKS ciphertexts: the coefficients are not "
            "protected from whoever may ask.",
            stacklevel=3,
        )
        self._coeffs, self._intercept = coeffs, intercept
        self._keys: OrderedDict[bytes, RotationKeys] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _weights(self) -> LegacyWeights:
        return LegacyWeights(self._coeffs, self._intercept)

    def predict(self, ciphertexts: Sequence[str], public_keys: bytes) -> list[str]:
        """k base64 strings for ``decrypt`` of a legacy client. Raises :class:`hermetic.WireError`."""
        strings = read_strings(ciphertexts, self._weights.features)
        with self._lock:
            return self._weights.evaluate(strings, self._parsed(public_keys))

    def _parsed(self, public_keys: bytes) -> RotationKeys:
        name = hashlib.sha256(public_keys).digest()
        if name not in self._keys:
            self._keys[name] = RotationKeys(public_keys)
            while len(self._keys) > _KEPT_KEYS:
                self._keys.popitem(last=False)
        self._keys.move_to_end(name)
        return self._keys[name]
