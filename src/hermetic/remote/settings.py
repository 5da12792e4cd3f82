"""What a connection is told: checked once, then immutable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import httpx

from ..arguments import shown
from ..errors import SettingsError
from ..features import Backbone
from ..keys.secret import SecretKey
from .hosts import is_loopback

Token = str | Callable[[], str]
Progress = Callable[[int, int], None]


class Hidden:
    """A secret string that shows itself to nobody but the caller of :meth:`reveal`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<hidden>"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of :func:`hermetic.connect`, which explains them.

    Raises
    ------
    SettingsError
        If an option has an impossible value, or the token would travel in the clear.
    """

    url: str
    model: str
    version: str | int | None = None
    token: Token | None = field(default=None, repr=False)
    secret_key: SecretKey | None = field(default=None, repr=False)
    features: Backbone | None = None
    clip: bool = False
    round_inputs: bool = False
    accept_changes: bool = False
    batch_size: int | None = None
    in_flight: int = 4
    timeout: float = 60.0
    retries: int = 4
    progress: Progress | bool = False
    allow_http: bool = False

    def __post_init__(self) -> None:
        parts = _check_url(self.url)
        if not _is_text(self.model):
            raise SettingsError(f"model must be the name of a model. Got {shown(self.model)} instead.")
        for name, least in (("batch_size", 1), ("in_flight", 1), ("retries", 0)):
            value = getattr(self, name)
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
            if not fits and not (name == "batch_size" and value is None):
                raise SettingsError(f"{name} must be a whole number, {least} or more. Got {value!r} instead.")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise SettingsError(f"timeout must be a positive number of seconds. Got {self.timeout!r} instead.")
        if self.token is not None and not callable(self.token):
            _check_token(self.token)
        if (
            self.token is not None
            and parts.scheme == "http"
            and not self.allow_http
            and not is_loopback(parts.hostname or "")
        ):
            raise SettingsError(
                f"the token must not travel in the clear: {self.url} is neither https:// nor this machine. Use "
                "https://, or pass allow_http=True if the network in between is trusted."
            )

    def current_token(self) -> Hidden | None:
        """The token to send now, checked; ``None`` without one."""
        if self.token is None:
            return None
        value = self.token if isinstance(self.token, str) else self.token()
        _check_token(value)
        return Hidden(value)


def _check_url(url: str) -> SplitResult:
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        usable = known and url.isprintable() and " " not in url
    except (AttributeError, TypeError, ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise SettingsError(f"url must be like https://host:port. Got {shown(url)} instead.")
    if parts.username is not None or parts.password is not None:
        raise SettingsError("url must not hold a user or password. Pass token= instead.")
    if "?" in url or "#" in url:
        raise SettingsError("url must be the service's address alone, without ? or #.")
    return parts


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _check_token(token: object) -> None:
    """Raise without showing the token: an HTTP library would show it in its own error."""
    if not isinstance(token, str) or not token:
        raise SettingsError("the token must be a string of at least one character.")
    if not all("!" <= character <= "~" for character in token):
        raise SettingsError(
            "the token must be printable ASCII without spaces. If it was read from a file, strip the end of the line."
        )
