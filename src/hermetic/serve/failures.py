"""Failures of this program itself, described so that they can be logged: where, never with what values."""

from __future__ import annotations

import traceback
from pathlib import Path


def describe_failure(error: BaseException) -> str:
    """The exception's type and the files and lines it passed, innermost last.

    Its message and the values of variables are left out: they may hold bytes of a query or of a key.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {places}"
