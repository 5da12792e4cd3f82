"""Names, labels and annotations of the manifests."""

from __future__ import annotations

from typing import Any

from .description import Description
from .wheel import VERSION


def selector(description: Description) -> dict[str, str]:
    """What finds the service's pods, now and after an upgrade."""
    return {"app.kubernetes.io/name": "hermetic", "app.kubernetes.io/instance": description.name}


def labels(description: Description) -> dict[str, str]:
    """The selector, and the version."""
    return {**selector(description), "app.kubernetes.io/version": VERSION}


def metadata(description: Description, suffix: str = "") -> dict[str, Any]:
    """Name and labels; the description's text and tags are annotations, which may hold any text."""
    text = {"description": description.text} if description.text else {}
    annotations = {f"hermetic/{name}": value for name, value in {**text, **description.tags}.items()}
    found = {"name": f"{description.name}{suffix}", "labels": labels(description)}
    return {**found, "annotations": annotations} if annotations else found
