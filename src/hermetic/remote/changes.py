"""What is different between two signatures, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..signature import Signature

_SHOWN = 60


def differences(old: Signature, new: Signature) -> Iterator[str]:
    """One line for every public field that differs: its name, what it was and what it is."""
    before, after = json.loads(old.json), json.loads(new.json)
    for name in sorted({*before, *after}):
        was, is_now = before.get(name), after.get(name)
        if was != is_now:
            yield f"{name} was {_short(was)} and is {_short(is_now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
