"""What files of boosters must hold before the libraries that wrote them see them: these crash on others.

Every reader here raises ValueError in words; whoever reads a file says which file it is.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import CompileError

MAX_BYTES = 1 << 28
"""The largest file that is read, in bytes."""

MAX_TREES = 1 << 16
MAX_NODES = 1 << 17

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_REAL = re.compile(r"[-+]?[0-9]{0,400}\.?[0-9]{0,400}([eE][-+]?[0-9]{1,4})?(?<=[0-9.])")
_LARGEST = sys.float_info.max


def bytes_of(path: Path) -> bytes:
    """The bytes of a file. Raises :class:`CompileError` if it cannot be read, or has more than :data:`MAX_BYTES`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CompileError(f"{path} must have at most {MAX_BYTES >> 20} MiB. It has {path.stat().st_size:,} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise CompileError(f"{path} must be the file of a model. It cannot be read: {error.strerror}.") from error


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number from low to high, of text too."""
    found = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {str(value)[:40]!r}")
    return found


def wholes(values: Any, name: str, low: int, high: int, count: int | None = None) -> list[int]:
    """So many whole numbers from low to high."""
    return [whole(one, name, low, high) for one in _list(values, name, count)]


def reals(values: Any, name: str, count: int | None = None) -> list[float]:
    """So many finite numbers, of text too."""
    return [_real(one, name) for one in _list(values, name, count)]


def _real(value: Any, name: str) -> float:
    text = isinstance(value, str) and _REAL.fullmatch(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    found = float(value) if text or (number and abs(value) <= _LARGEST) else math.nan
    if not math.isfinite(found):
        raise ValueError(f"{name} must be finite numbers, not {str(value)[:40]!r}")
    return found


def check_reachable(left: Sequence[int], right: Sequence[int]) -> None:
    """That from the root, 0, every node with children is reached, and by one way; a negative number is a leaf."""
    seen, waiting = {0}, [0] if left else []
    while waiting:
        node = waiting.pop()
        for child in (left[node], right[node]):
            if child in seen:
                raise ValueError(f"node {child} of a tree must have one parent")
            if child >= 0:
                seen.add(child)
                waiting.append(child)
    lost = [node for node, one in enumerate(zip(left, right, strict=True)) if max(one) >= 0 and node not in seen]
    if lost:
        raise ValueError(f"node {lost[0]} of a tree must be reached from its root")


def _list(values: Any, name: str, count: int | None) -> list[Any]:
    if not isinstance(values, list) or (count is not None and len(values) != count):
        shown = f"{len(values)} values" if isinstance(values, list) else type(values).__name__
        raise ValueError(f"{name} must be a list{'' if count is None else f' of {count} values'}, not {shown}")
    return values
