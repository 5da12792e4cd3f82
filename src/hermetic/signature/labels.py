"""The classes of a model as JSON: values and their NumPy type."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..head import Labels
from ..json_values import require, string

MAX_LABELS = 1 << 20
MAX_LABEL_BYTES = 64 << 20

_KINDS = {"b": bool, "i": int, "u": int, "f": float, "U": str, "O": object}


def check_labels(labels: Labels) -> None:
    """Raise :class:`WireError` for labels that a signature cannot carry."""
    require(labels.ndim == 1, "labels must be one-dimensional")
    _check_dtype(labels.dtype, len(labels))
    require(
        all(isinstance(label, str | int | float | bool) or label is None for label in labels.tolist()),
        "object labels must be numbers, booleans, strings or None",
    )


def labels_to_json(labels: Labels | None) -> dict[str, Any] | None:
    """What :func:`labels_from_json` reads."""
    return None if labels is None else {"dtype": labels.dtype.str, "values": labels.tolist()}


def labels_from_json(value: Any) -> Labels | None:
    """Read and check labels. Raises :class:`WireError`, TypeError, ValueError or KeyError."""
    if value is None:
        return None
    code, values = string(value["dtype"]), value["values"]
    require(re.fullmatch(r"[<>|][a-zA-Z][0-9]{0,6}", code) is not None, "labels.dtype must be a NumPy type code")
    require(isinstance(values, list) and 1 <= len(values) <= MAX_LABELS, "labels must be a list")
    kind = np.dtype(code)
    _check_dtype(kind, len(values))
    expected = _KINDS[kind.kind]
    scalar = (str, int, float, bool, type(None)) if expected is object else expected
    require(all(isinstance(value, scalar) for value in values), "labels must be of their dtype")
    return np.array(values, dtype=kind)


def _check_dtype(kind: np.dtype[Any], count: int) -> None:
    require(kind.kind in _KINDS, "labels must be numbers, booleans or strings")
    require(kind.itemsize * count <= MAX_LABEL_BYTES, f"labels must take at most {MAX_LABEL_BYTES} bytes")
