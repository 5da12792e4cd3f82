"""What the service is told through its environment, the same for every target that runs the image."""

from __future__ import annotations

from pathlib import Path

from ..errors import SettingsError
from ..serve.access import read_tokens
from .description import Description
from .image import PORT, STATE
from .tree import read

LIVE, READY = "/healthz", "/v2/health/ready"
GRACE_SECONDS = 90
"""What a platform must wait after SIGTERM: more than the service's ``shutdown_timeout``."""


def environment(description: Description, secrets: str) -> dict[str, str]:
    """The plain variables; ``secrets`` is the directory that :func:`secret_files` are mounted at."""
    own = {
        "HERMETIC_HOST": "0.0.0.0",
        "HERMETIC_PORT": str(PORT),
        "HERMETIC_WORKERS": str(description.processes),
        "HERMETIC_STORE": description.store or f"{STATE}/keys",
        "HERMETIC_TOKENS": f"{secrets}/tokens",
    }
    if description.has_tls:
        own |= {
            "HERMETIC_TLS_CERTIFICATE": f"{secrets}/certificate.pem",
            "HERMETIC_TLS_KEY": f"{secrets}/key.pem",
        }
    else:  # something before the service speaks TLS; each target sees to it that nobody gets round that
        own["HERMETIC_INSECURE_NO_TLS"] = "true"
    if description.host:
        own["HERMETIC_PUBLIC_URL"] = f"https://{description.host}"
    return own | dict(description.variables)


def secret_files(description: Description) -> dict[str, bytes]:
    """The tokens file, and certificate and key, by the names :func:`environment` gives them.

    Raises
    ------
    SettingsError
        If there is no tokens file, or one cannot be read.
    """
    if description.tokens is None:
        raise SettingsError(
            "tokens must name the file of those who may call. Got none: make one with hermetic token new TENANT "
            "--file tokens, and pass --tokens tokens."
        )
    read_tokens(description.tokens)
    found: dict[str, Path] = {"tokens": description.tokens}
    if description.tls_certificate and description.tls_key:
        found |= {"certificate.pem": description.tls_certificate, "key.pem": description.tls_key}
    return {name: read(path, "the secret file") for name, path in found.items()}


def scheme(description: Description) -> str:
    """What the service speaks itself."""
    return "HTTPS" if description.has_tls else "HTTP"
