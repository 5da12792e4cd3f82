"""The bearer token of ``--url``, and where it comes from."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import SettingsError

TOKEN_VARIABLE = "HERMETIC_TOKEN"


def read_token(file: Path | None) -> str | None:
    """The first line of the file, else the variable HERMETIC_TOKEN, else none.

    Raises
    ------
    SettingsError
        If the file cannot be read, or starts with an empty line.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        with file.open(encoding="utf-8-sig") as text:
            token = text.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{file} cannot be read: {reason}.") from None
    if not token:
        raise SettingsError(f"{file} must hold the token in its first line. That line is empty.")
    return token
