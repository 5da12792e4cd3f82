"""Which certificate authorities are trusted. That they are asked cannot be turned off."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from ..errors import SettingsError

Verify = str | os.PathLike[str] | ssl.SSLContext | bool | None
"""A file or folder of certificate authorities, a context, or None or True for the environment's or the public ones."""

_FILE, _FOLDERS, _LOG = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"


@dataclass(frozen=True)
class Trust:
    """A context for TLS, and a sentence for errors about where it is from; empty for the public authorities."""

    context: ssl.SSLContext
    note: str = ""


def trust(verify: Verify) -> Trust:
    """The authorities that an option or the environment names; by default the public ones.

    Raises
    ------
    SettingsError
        If they cannot be read, or certificates would not be verified.
    """
    if isinstance(verify, ssl.SSLContext):
        return Trust(_verifying(verify))
    if isinstance(verify, str | os.PathLike):
        return Trust(_from_path("verify", os.fspath(verify)))
    if verify is not None and verify is not True:
        raise SettingsError(
            f"verify must be a file of certificates, PEM, or an SSL context. Got {verify!r}: verification cannot be "
            "turned off. Pass the service's own certificate if no authority signed it."
        )
    for variable in (_FILE, _FOLDERS):
        if path := os.environ.get(variable):
            return Trust(_from_path(variable, path), f"The authorities trusted are those of {variable}, {path}.")
    public = partial(httpx.create_ssl_context, verify=True, trust_env=False)
    return Trust(_made("the public authorities", "certifi's", public))


def given(verify: Verify) -> ssl.SSLContext | None:
    """The context that an option names, read once; None for what the environment names or the public authorities.

    Raises
    ------
    SettingsError
        As :func:`trust`.
    """
    return None if verify is None or verify is True else trust(verify).context


def _verifying(context: ssl.SSLContext) -> ssl.SSLContext:
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise SettingsError(
            "verify must be a context that verifies: verify_mode=ssl.CERT_REQUIRED and check_hostname=True. This one "
            "accepts any service. Pass the service's own certificate if no authority signed it."
        )
    return context


def _from_path(name: str, value: str) -> ssl.SSLContext:
    """Of a file, or of folders, of which OpenSSL takes several."""
    try:
        folders = [folder for folder in value.split(os.pathsep) if folder and any(Path(folder).expanduser().glob("*"))]
        paths = os.pathsep.join(str(Path(folder).expanduser()) for folder in folders)
        file = str(Path(value or os.devnull).expanduser())
    except (OSError, ValueError, RuntimeError) as error:
        raise _unusable(name, value, error) from None
    if folders:
        return _made(name, value, partial(ssl.create_default_context, capath=paths))
    return _made(name, value, partial(ssl.create_default_context, cafile=file))


def _made(name: str, value: str, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    try:
        return make()
    except (OSError, ValueError) as error:
        log = os.environ.get(_LOG)
        if log and getattr(error, "filename", None) == log:
            raise SettingsError(f"{_LOG} must be a file that can be written. {log} cannot: unset it.") from None
        raise _unusable(name, value, error) from None


def _unusable(name: str, value: str, error: Exception) -> SettingsError:
    reason = getattr(error, "strerror", None) or error
    return SettingsError(f"{name} must be a file of certificates, PEM. {value} cannot be used: {reason}.")
