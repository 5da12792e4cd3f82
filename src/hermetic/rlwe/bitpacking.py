"""Fixed-width bit packing of unsigned words, least significant bit first.

A sequence of w-bit words becomes one little-endian bit string: word i occupies bits i·w to i·w + w - 1. Lengths are
padded with zero words to a whole number of *groups*, the fewest words that fill whole 64-bit limbs.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..errors import WireError
from . import native

Words = npt.NDArray[np.int64]

_LIMB_BITS = 64


@lru_cache(maxsize=64)
def packed_bytes(count: int, width: int) -> int:
    """Bytes that ``count`` words of ``width`` bits take when packed."""
    return _groups(count, width) * width * _group_words(width) // 8


def _group_words(width: int) -> int:
    return _LIMB_BITS // math.gcd(width, _LIMB_BITS)


def _groups(count: int, width: int) -> int:
    return -(-count // _group_words(width))


def pack(values: Words, width: int) -> bytes:
    """Pack non-negative int64 values below 2^width (width <= 57) of any shape, in C order."""
    out = np.zeros(packed_bytes(values.size, width) // 8, dtype=np.int64)
    flat = np.ascontiguousarray(values).reshape(-1)
    native.pack(flat, width, out[: -(-flat.size * width // _LIMB_BITS)])
    return out.astype("<i8", copy=False).tobytes()


def unpack(data: bytes | memoryview, count: int, width: int) -> Words:
    """The ``count`` words that :func:`pack` wrote.

    Raises
    ------
    WireError
        If the length is not :func:`packed_bytes`, or a padding bit is set.
    """
    expected = packed_bytes(count, width)
    if len(data) != expected:
        raise WireError(f"{count} words of {width} bits must take {expected} bytes. Got {len(data)} instead.")
    words = np.empty(_groups(count, width) * _group_words(width), dtype=np.int64)
    native.unpack(np.frombuffer(data, dtype=np.uint8), width, words)
    if words[count:].any():
        raise WireError("padding bits must be zero. Some are set.")
    return words[:count]
