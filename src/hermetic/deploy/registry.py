"""Where a cloud pulls the image from, and the command that puts it there."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from ..errors import SettingsError
from .description import Description

_AZURE = ".azurecr.io"


def need_registry(description: Description) -> str:
    """The registry in the image's name. Raises :class:`SettingsError` if it has none."""
    registry, _, name = description.image_name.partition("/")
    if not name or "." not in registry:
        raise SettingsError(
            "image must name the registry that the cloud pulls from, such as myregistry.azurecr.io/digits:1. Got "
            f"{description.image_name!r} instead."
        )
    return registry


def build_command(description: Description, directory: Path) -> str:
    """Builds the image and keeps it in its registry; Azure's builds by itself."""
    registry, _, name = description.image_name.partition("/")
    context = quote(str(directory / "image"))
    if registry.endswith(_AZURE):
        return f"az acr build --registry {registry.removesuffix(_AZURE)} --image {name} {context}"
    return f"docker build --tag {description.image_name} {context} && docker push {description.image_name}"
