"""Sizes, durations and counts as people read them."""

from __future__ import annotations


def size(count: float) -> str:
    """Bytes, to three digits: ``47.3 kB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 999.5:
            return f"{_three_digits(count)} {unit}"
        count /= 1000
    return f"{_three_digits(count)} GB"


def duration(seconds: float) -> str:
    """A duration, to three digits: ``0.512 ms``, ``12.3 ms``, ``1.25 s``."""
    if seconds < 0.9995:
        return f"{_three_digits(seconds * 1000)} ms"
    return f"{_three_digits(seconds)} s"


def counted(count: int, noun: str) -> str:
    """``1 sample``, ``4,096 samples``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _three_digits(value: float) -> str:
    decimals = 0 if value >= 99.95 or value == int(value) else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    return f"{value:,.{decimals}f}"
