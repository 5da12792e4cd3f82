"""How guaranteed errors are written."""

from __future__ import annotations

import math


def round_up(value: float) -> float:
    """The least number of two significant decimal digits that is not smaller: it prints as it is."""
    exponent = math.floor(math.log10(value)) - 1
    digits = math.floor(value / 10.0**exponent)
    while float(f"{digits}e{exponent}") < value:
        digits += 1
    return float(f"{digits}e{exponent}")
