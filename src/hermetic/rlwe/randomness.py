"""Secret random bytes for masks, errors and flooding.

32 bytes from the operating system, stretched by AES-256 in counter mode. A stream lives as long as one answer, or one
part of it that a thread computes, and starts from fresh bytes: neither forks nor threads can repeat one.
"""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_KEY_BYTES = 32
_BLOCK_BYTES = 16  # that the library wants as room


class Stream:
    """Bytes that nobody can predict. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._cipher = Cipher(algorithms.AES(os.urandom(_KEY_BYTES)), modes.CTR(bytes(16))).encryptor()

    def take(self, count: int) -> npt.NDArray[np.uint8]:
        """The next ``count`` bytes."""
        out = np.empty(count + _BLOCK_BYTES, dtype=np.uint8)
        self._cipher.update_into(_zeros(count), out.data)
        return out[:count]


@lru_cache(maxsize=8)
def _zeros(count: int) -> bytes:
    return bytes(count)
