"""The native ring: exact arithmetic on public words, in C++. README.md beside this file says how and why.

Nothing here ever sees a secret key. Every function checks what it is given and raises :class:`ValueError`; the arrays
that it writes to are the caller's. The interpreter's lock is released while a function runs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

try:
    from ._native import Level, Ring, accept, centred_binomial, pack, small_uniform, sources, target, targets, unpack
except ModuleNotFoundError as error:
    raise ImportError(
        "Hermetic's native ring is not built. Run `make venv` in a clone, or install Hermetic anew."
    ) from error

__all__ = ["Level", "Ring", "accept", "centred_binomial", "pack", "small_uniform", "target", "targets", "unpack"]


def _digest_of_sources() -> str:
    """What CMake computes of the sources beside this file; nothing of an installed package, which has none."""
    found = sorted(path for path in Path(__file__).parent.glob("*.[ch]pp"))
    digests = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in found)
    return hashlib.sha256(digests.encode()).hexdigest() if found else sources


if _digest_of_sources() != sources:
    raise ImportError("Hermetic's native ring is older than its sources. Run `make venv` to build it again.")
