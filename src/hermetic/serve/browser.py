"""What browsers need: the page at ``/``, and leave for pages of other origins to call.

The page is the browser's client, built from ``browser/`` and shipped as it is in ``assets``.

The page is public, and knows nothing: it asks the service for models like any other client, with a token if the service
wants one. Its policy lets it load scripts, styles and images from this service alone, talk to this service alone, and
compile WebAssembly, which encryption in the browser needs.
"""

from __future__ import annotations

import gzip
import html
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from .refusals import not_found
from .routes import OPEN, route, service_of

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_ASSETS = Path(__file__).parent / "assets"
_INDEX = "index.html"
_TITLE = b"{{title}}"
_NAMED = "page"
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}
_EXPOSED_HEADERS = (
    "ETag",
    "Inference-Header-Content-Length",
    "Retry-After",
    "Server-Timing",
    "X-Model-Version",
    "X-Request-ID",
)
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Asset:
    """A file of the page, as it is and compressed."""

    media_type: str
    data: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file by its name in an address; nothing else is ever read."""
    files = [_ASSETS / _INDEX, *sorted((_ASSETS / _NAMED).iterdir())]
    return {file.name: _read(file) for file in files}


def _read(file: Path) -> Asset:
    data = file.read_bytes()
    guessed = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Asset(guessed, data, gzip.compress(data, mtime=0))


def routes() -> list[BaseRoute]:
    """The page and its files."""
    return [route("/", index, access=OPEN), route(f"/{_NAMED}/{{name}}", named, access=OPEN)]


async def index(request: Request) -> Response:
    return _respond(request, _titled(service_of(request).brand.title), "no-cache")


@cache
def _titled(title: str) -> Asset:
    """The page under its operator's title."""
    page = assets()[_INDEX]
    data = page.data.replace(_TITLE, html.escape(title).encode())
    return Asset(page.media_type, data, gzip.compress(data, mtime=0))


def stylesheet() -> str:
    """The address of the page's style sheet, which the page for developers shares."""
    return next(f"{_NAMED}/{name}" for name in assets() if name.endswith(".css"))


async def named(request: Request) -> Response:
    """A file whose name holds its hash, so that browsers may keep it."""
    found = assets().get(request.path_params["name"])
    if found is None:
        raise not_found("the file")
    return _respond(request, found, f"public, max-age={_YEAR}, immutable")


def allow_origins(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    """The application, answering pages of these other origins too; as it is if there are none.

    Cookies are never used, so that a page can do here only what its own token allows.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "PUT", "POST", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Inference-Header-Content-Length", "X-Request-ID"),
        expose_headers=_EXPOSED_HEADERS,
    )


def _respond(request: Request, asset: Asset, caching: str) -> Response:
    headers = {
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": caching,
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.data, media_type=asset.media_type, headers=headers)
