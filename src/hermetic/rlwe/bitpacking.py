"""Fixed-width bit packing of unsigned words, least significant bit first.

A sequence of w-bit words becomes one little-endian bit string: word i occupies bits i·w to i·w + w - 1. Lengths are
padded with zero words to a whole number of *groups*, the fewest words that fill whole 64-bit limbs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..errors import WireError

Words = npt.NDArray[np.int64]

_LIMB_BITS = np.uint64(64)
_BLOCK = 512
"""Groups unpacked at a time, so that temporaries stay in the processor's cache."""


@dataclass(frozen=True)
class _Group:
    """The fewest words of a width that fill whole 64-bit limbs: where each starts, and which start in each limb."""

    words: int
    limbs: int
    limb: npt.NDArray[np.intp]
    shift: npt.NDArray[np.uint64]
    first: npt.NDArray[np.intp]
    last: npt.NDArray[np.intp]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(width: int) -> _Group:
        words = 64 // math.gcd(width, 64)
        limb, shift = np.divmod(np.arange(words) * width, 64)
        first = np.flatnonzero(np.diff(limb, prepend=-1))
        last = np.append(first[1:], words) - 1
        return _Group(words, words * width // 64, limb, shift.astype(np.uint64), first, last)


def packed_bytes(count: int, width: int) -> int:
    """Bytes that ``count`` words of ``width`` bits take when packed."""
    group = _Group.of(width)
    return -(-count // group.words) * group.limbs * 8


def pack(values: Words, width: int) -> bytes:
    """Pack non-negative int64 values below 2^width (width < 63) of any shape, in C order."""
    group = _Group.of(width)
    flat = values.reshape(-1).view(np.uint64)
    if missing := -flat.size % group.words:
        flat = np.concatenate([flat, np.zeros(missing, dtype=np.uint64)])
    columns = flat.reshape(-1, group.words)
    out = np.bitwise_or.reduceat(columns << group.shift, group.first, axis=1)
    out[:, 1:] |= columns[:, group.last[:-1]] >> (_LIMB_BITS - group.shift[group.last[:-1]])
    return out.astype("<u8", copy=False).tobytes()


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
    group = _Group.of(width)
    packed = np.frombuffer(data, dtype="<u8").reshape(-1, group.limbs)
    following = np.minimum(group.limb + 1, group.limbs - 1)
    out = np.empty((len(packed), group.words), dtype=np.uint64)
    for start in range(0, len(packed), _BLOCK):
        block, words = packed[start : start + _BLOCK], out[start : start + _BLOCK]
        np.right_shift(block[:, group.limb], group.shift, out=words)
        words |= block[:, following] << (_LIMB_BITS - group.shift)
        words &= np.uint64((1 << width) - 1)
    flat = out.reshape(-1).view(np.int64)
    if flat[count:].any():
        raise WireError("padding bits must be zero. Some are set.")
    return flat[:count]
