"""Answers for legacy clients (encrypted-inference 0.9): CKKS, approximate, **without protection of the weights**.

An answer in this format is what SEAL computes and no more: it is not flooded and not masked, so that its noise tells
about the weights, and whoever asks carefully can learn them. Off unless an operator switches it on,
and impossible in a process whose environment has :data:`FORBIDDEN`.
"""

from __future__ import annotations

import os

from ..errors import SettingsError

FORBIDDEN = "HERMETIC_FORBID_LEGACY_CLIENTS"
"""The environment variable with which an operator makes these answers impossible."""

_NO = ("", "0", "false", "no", "off", "f", "n")


def check_allowed() -> None:
    """Raise :class:`SettingsError` where the operator forbids these answers; any word but a plain no forbids them."""
    if os.environ.get(FORBIDDEN, "").strip().lower() not in _NO:
        raise SettingsError(
            f"legacy clients (encrypted-inference 0.9) must not be answered. {FORBIDDEN} is set: leave them off."
        )
