"""Tables of any size, encrypted, scored and decrypted over an object store: one job, three steps.

data owner                       object store                      model owner

table ──> encrypt ──────────────> queries, manifest ─────────────> score, on one machine or many
  row file (stays)                                                   |
scores <── decrypt <───────────── answers <──────────────────────────┘
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .decrypting import decrypt
    from .encrypting import encrypt
    from .planning import plan
    from .scoring import score

_HOMES = {"encrypt": "encrypting", "score": "scoring", "decrypt": "decrypting", "plan": "planning"}

__all__ = ["decrypt", "encrypt", "plan", "score"]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used: neither owner loads what the other needs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hermetic.batch' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
