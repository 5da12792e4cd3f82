"""The service's certificate: read at the start, and again when its files change."""

from __future__ import annotations

import asyncio
import ssl

from ..errors import SettingsError
from .logs import log
from .settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings say; None without a certificate.

    Raises
    ------
    SettingsError
        If a file is not what it must be. It is named with its path.
    """
    if settings.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, settings)
    if settings.tls_client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except OSError as error:
            named = f"{settings.origin('tls_client_ca')} ({settings.tls_client_ca})"
            raise SettingsError(f"{named} must hold certificates in PEM. It does not: {_reason(error)}.") from None
    return context


def _load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    key = f"{settings.origin('tls_key')} ({settings.tls_key})"

    def no_password() -> str:
        raise SettingsError(f"{key} must not be encrypted, as nobody is there to type its passphrase. It is.")

    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=no_password)
    except OSError as error:
        certificate = f"{settings.origin('tls_certificate')} ({settings.tls_certificate})"
        raise SettingsError(
            f"{certificate} and {key} must be PEM files that belong together. They are not: {_reason(error)}."
        ) from None


def _reason(error: OSError) -> str:
    """What OpenSSL or the system says, without the place in their source."""
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__


async def reload_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Use a renewed certificate for new connections."""
    files = [file for file in (settings.tls_certificate, settings.tls_key) if file]
    seen = [file.stat().st_mtime_ns for file in files]
    while True:
        await asyncio.sleep(settings.rescan)
        try:
            now = [file.stat().st_mtime_ns for file in files]
            if now != seen:
                _load_certificate(context, settings)
                seen = now
                log.info("certificate read", extra={"event": "certificate_read"})
        except (OSError, SettingsError) as error:
            log.error("certificate refused", extra={"event": "certificate_refused", "reason": str(error)})
