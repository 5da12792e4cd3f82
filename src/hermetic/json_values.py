"""Values of a signature's JSON, checked one by one as they are read. Each raises :class:`WireError`."""

from __future__ import annotations

import math
from typing import Any

from .errors import WireError

_MAX_CHARACTERS = 1000


def require(condition: bool, message: str) -> None:
    """Refuse the signature unless the condition holds."""
    if not condition:
        raise WireError(f"the signature is not valid: {message}.")


def integer(value: Any, low: int, high: int, name: str) -> int:
    """A whole number in a range."""
    fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    require(fits, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def number(value: Any) -> float:
    """A finite number."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    require(fits, "numbers must be finite")
    return float(value)


def string(value: Any) -> str:
    """A string of a reasonable length."""
    fits = isinstance(value, str) and len(value) <= _MAX_CHARACTERS
    require(fits, f"strings must have at most {_MAX_CHARACTERS} characters")
    return str(value)
