"""From a deployment to the files that a cloud needs, with the renderers of :mod:`hermetic.deploy`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ..deploy import Description, render
from ..errors import SettingsError
from .configuration import DeployConfiguration

_PLATFORMS = {"aci": "aci", "aks": "kubernetes"}
_SAID_ELSEWHERE = {"name", "models", "cores", "memory_gb", "tags", "text"}
_OPTIONS = {field.name for field in fields(Description)} - _SAID_ELSEWHERE


def render_for_cloud(name: str, limits: DeployConfiguration, models: Path, store: str, directory: Path) -> None:
    """Write what the configuration's cloud needs, and print the commands that apply it. Nothing is applied.

    Parameters
    ----------
    name
        Of the service.
    limits
        Its configuration; without ``cloud`` options only the command that renders is printed.
    models
        Below it, every ``.hermetic`` file is served in the cloud.
    store
        The workspace's store: where public keys live, if it is one in a cloud.
    directory
        Written.

    Raises
    ------
    SettingsError
        If an option is unknown, no compiled model is there, or the description does not fit the platform.
    """
    platform = _PLATFORMS[limits.target]
    if not limits.cloud:
        print(
            f"Runs on this machine. What {platform} needs is written by: hermetic deploy --target {platform} "
            "MODEL.hermetic -o DIR, or with deploy_configuration(cloud={…})"
        )
        return
    rendered = render(platform, _description(name, limits, models, store), directory)
    print(f"Runs on this machine. What {platform} needs is in {directory}; apply it with:")
    for command in rendered.commands:
        print(f"  {command}")


def _description(name: str, limits: DeployConfiguration, models: Path, store: str) -> Description:
    options: dict[str, Any] = {"store": store} if "://" in store else {}
    options |= limits.cloud
    if unknown := sorted(options.keys() - _OPTIONS):
        raise SettingsError(f"an option of a cloud must be one of {', '.join(sorted(_OPTIONS))}. Got {unknown[0]!r}.")
    if "wheel" not in options:
        raise SettingsError("the option wheel must name Hermetic's wheel, from: pip wheel --no-deps SOURCE. Got none.")
    compiled = tuple(sorted(models.rglob("*.hermetic")))
    if not compiled:
        raise SettingsError(
            "a cloud serves compiled models. None of the models has a .hermetic file: compile, register and deploy one."
        )
    options |= {
        one: Path(options[one]) for one in ("wheel", "tokens", "tls_certificate", "tls_key") if options.get(one)
    }
    return Description(
        name=name,
        models=compiled,
        cores=limits.cpu_cores,
        memory_gb=limits.memory_gb,
        tags=limits.tags,
        text=limits.description,
        **options,
    )
