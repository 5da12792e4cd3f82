"""Whose service it is, on the pages: the operator's title, logo, and what the models are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..errors import SettingsError
from .routes import OPEN, route, service_of

_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
_MOST_BYTES = 1 << 20
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""For a drawing that somebody opens by its address: it runs no script and loads nothing."""


@dataclass(frozen=True)
class Brand:
    """What the pages show of the operator.

    Attributes
    ----------
    title
        The name of the service.
    logo, media_type
        The bytes of a picture, and what they are.
    descriptions
        Of models, by their names.
    """

    title: str
    logo: bytes
    media_type: str
    descriptions: Mapping[str, str]


def read_brand(title: str, logo: Path | None, descriptions: Mapping[str, str]) -> Brand:
    """The brand that the settings name.

    Raises
    ------
    SettingsError
        If the logo cannot be read, is too large, or is no picture that every browser shows.
    """
    if logo is None:
        return Brand(title, (files(__package__) / "static" / "icon.svg").read_bytes(), _TYPES[".svg"], descriptions)
    if logo.suffix.lower() not in _TYPES:
        raise SettingsError(f"logo must be a file {', '.join(_TYPES)}. Got {logo} instead.")
    try:
        data = logo.read_bytes()
    except OSError as error:
        raise SettingsError(f"logo must be a readable file. {logo} is not: {error.strerror}.") from None
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"logo must have at most {_MOST_BYTES} bytes. {logo} has {len(data)}.")
    return Brand(title, data, _TYPES[logo.suffix.lower()], descriptions)


def routes() -> list[BaseRoute]:
    """The logo."""
    return [route("/logo", _logo, access=OPEN)]


async def _logo(request: Request) -> Response:
    brand = service_of(request).brand
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(brand.logo, media_type=brand.media_type, headers=headers)
