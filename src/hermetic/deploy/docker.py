"""One machine: Docker Compose runs the image with nothing that it does not need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from ..errors import SettingsError
from .description import Description
from .image import PORT, STATE, USER, image_tree
from .service import GRACE_SECONDS, environment, secret_files
from .tree import File, Manifest, Tree

_SECRETS = "/run/secrets"


def tree(description: Description) -> Tree:
    """The image, ``compose.yaml``, and what it mounts, below ``secrets/``.

    Mounted files keep their permissions, and the service is not root. So they are readable to all, inside a directory
    that only its owner can enter; the variables are read by Docker's own client and stay private.

    Raises
    ------
    SettingsError
        If there is no tokens file, or more than one replica is asked for.
    """
    if description.most_replicas > 1:
        raise SettingsError("docker runs one replica. For several take the target kubernetes.")
    secrets = secret_files(description)
    files = {f"secrets/{name}": File(content) for name, content in secrets.items()}
    if description.secrets:
        lines = (f"{name}='{value}'\n" for name, value in description.secrets.items())
        files["secrets/environment"] = File.text("".join(lines), mode=0o600)
    return {**image_tree(description), "compose.yaml": File.yaml(_compose(description, list(secrets))), **files}


def commands(description: Description, directory: Path) -> tuple[str, ...]:
    """Builds the image and starts the service."""
    del description
    return (f"docker compose --file {quote(str(directory / 'compose.yaml'))} up --build --detach",)


def _compose(description: Description, secrets: list[str]) -> Manifest:
    service = {
        "image": description.image_name,
        "build": {"context": "./image"},
        **_confinement(),
        # Without TLS of its own, only this machine may reach it: a proxy here speaks TLS.
        "ports": [f"443:{PORT}" if description.has_tls else f"127.0.0.1:{PORT}:{PORT}"],
        "environment": _literal(environment(description, _SECRETS)),
        **({"env_file": ["./secrets/environment"]} if description.secrets else {}),
        "secrets": secrets,
        "volumes": [f"state:{STATE}"],
        "cpus": description.cores,
        "mem_limit": f"{round(description.memory_gb * 1024)}m",
        "restart": "unless-stopped",
        "stop_grace_period": f"{GRACE_SECONDS}s",
        "labels": _literal({"org.opencontainers.image.description": description.text, **description.tags}),
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }
    return {
        "name": description.name,
        "services": {description.name: service},
        "secrets": {name: {"file": f"./secrets/{name}"} for name in secrets},
        "volumes": {"state": {}},
    }


def _confinement() -> Manifest:
    return {
        "init": True,
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": ["/tmp:size=64m,mode=1777,noexec,nosuid,nodev"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 512,
    }


def _literal(values: Mapping[str, str]) -> dict[str, str]:
    """Compose replaces ``$NAME`` in what it reads; two dollars stand for one."""
    return {name: value.replace("$", "$$") for name, value in values.items()}
