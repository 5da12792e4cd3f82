"""What the data owner's half of every circuit has: all that a client asks of one."""

from __future__ import annotations

from typing import Any, Protocol

from ..arrays import Integers, Reals
from .encryption import Progress
from .query import Query


class ClientHalf(Protocol):
    """Encrypts and decrypts for one model, under one key."""

    def encrypt(self, integers: Integers, *, vector: bool, progress: Progress | None = None) -> Query:
        """Fresh ciphertexts of the grid integers (n, d) of features."""

    def decrypt(self, result: Any) -> Reals:
        """Scores (n, k)."""

    def decrypt_integers(self, result: Any) -> Integers:
        """The integer results, equal bit for bit to the integer reference."""
