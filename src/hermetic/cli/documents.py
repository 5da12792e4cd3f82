"""JSON on standard output, for programs."""

from __future__ import annotations

import json
import math
from typing import Any

import typer


def show_document(document: Any, *, indent: int | None = None) -> None:
    """Print it. JSON has no numbers that are not finite: they become the strings NaN, Infinity and -Infinity."""
    typer.echo(json.dumps(_finite(document), indent=indent, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
