"""What the settings name must be there: each file that is not is named, with what named it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import SettingsError
from .settings import Settings

_FILES = {
    "entry_script": "a Python file",
    "tokens": "a file of tokens (hermetic token new)",
    "tls_certificate": "a PEM file",
    "tls_key": "a PEM file",
    "tls_client_ca": "a PEM file",
    "logo": "a picture",
}


def check_files(settings: Settings) -> None:
    """Raise :class:`SettingsError` if a file, a model or a directory that the settings name cannot be read."""
    for name, what in _FILES.items():
        if path := getattr(settings, name):
            _check(path, f"{settings.origin(name)} must be {what}", is_directory=False)
    if settings.model_dir:
        _check(settings.model_dir, f"{settings.origin('model_dir')} must be a directory", is_directory=True)
    for path in settings.models:
        _check(path, f"{settings.origin('models')} must be model files, or directories of them")


def _check(path: Path, must: str, *, is_directory: bool | None = None) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise SettingsError(f"{must}. There is no such path: {path}.") from None
    except OSError as error:
        raise SettingsError(f"{must}. {path} cannot be reached: {error.strerror}.") from None
    if is_directory is not None and path.is_dir() != is_directory:
        raise SettingsError(f"{must}. {path} is {'no' if is_directory else 'a'} directory.")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"{must} that this user can read. {path} is not.")
