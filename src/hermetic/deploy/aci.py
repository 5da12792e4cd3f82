"""Azure Container Instances: one container group from a YAML file.

A group has a public address and nothing before it, so the service speaks TLS itself unless the operator says otherwise.
"""

from __future__ import annotations

import base64
from pathlib import Path
from shlex import quote

from ..errors import SettingsError
from .description import Description
from .image import PORT, image_tree
from .registry import build_command, need_registry
from .service import LIVE, READY, environment, scheme, secret_files
from .tree import File, Manifest, Tree

API_VERSION = "2023-05-01"
_SECRETS = "/run/hermetic"


def tree(description: Description) -> Tree:
    """The image, and ``container-group.yaml``, which holds secrets and is private.

    Raises
    ------
    SettingsError
        If there is no region, no registry, no tokens file, no shared store, more than one replica, or no TLS without
        the operator's word.
    """
    _check(description)
    group = _group(description, secret_files(description))
    return {**image_tree(description), "container-group.yaml": File.yaml(group, mode=0o600)}


def commands(description: Description, directory: Path) -> tuple[str, ...]:
    """Builds the image in the registry, then creates the group."""
    group = quote(str(directory / "container-group.yaml"))
    create = f"az container create --resource-group RESOURCE_GROUP --file {group}"
    return (build_command(description, directory), create)


def _check(description: Description) -> None:
    need_registry(description)
    if not description.region:
        raise SettingsError("region must be given, such as westeurope. Got none.")
    if description.most_replicas > 1:
        raise SettingsError("aci runs one replica. For several take the target kubernetes.")
    if not (description.has_tls or description.insecure_no_tls):
        raise SettingsError(
            "a container group is open to the internet: give tls_certificate and tls_key (or --insecure-no-tls: tokens "
            "then travel in the clear)."
        )
    if not (description.store_is_shared or description.store == "memory://"):
        raise SettingsError(
            "a container group keeps no files: store must be az://, s3:// or gs://, or memory:// (clients upload their "
            "keys again after every restart)."
        )


def _group(description: Description, secrets: dict[str, bytes]) -> Manifest:
    label = {"dnsNameLabel": description.dns_label} if description.dns_label else {}
    tags = {**({"description": description.text} if description.text else {}), **description.tags}
    group: Manifest = {
        "apiVersion": API_VERSION,
        "type": "Microsoft.ContainerInstance/containerGroups",
        "name": description.name,
        "location": description.region,
        "tags": tags,
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Always",
            "ipAddress": {"type": "Public", **label, "ports": [{"protocol": "TCP", "port": PORT}]},
            "containers": [{"name": description.name, "properties": _container(description)}],
            "volumes": [{"name": "secrets", "secret": {name: _base64(data) for name, data in secrets.items()}}],
        },
    }
    if description.identity:
        group["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {description.identity: {}}}
        pull = {"server": need_registry(description), "identity": description.identity}
        group["properties"]["imageRegistryCredentials"] = [pull]
    return group


def _container(description: Description) -> Manifest:
    size = {"cpu": description.cores, "memoryInGB": description.memory_gb}
    plain = [{"name": name, "value": value} for name, value in environment(description, _SECRETS).items()]
    hidden = [{"name": name, "secureValue": value} for name, value in description.secrets.items()]
    return {
        "image": description.image_name,
        "resources": {"requests": size, "limits": size},
        "ports": [{"protocol": "TCP", "port": PORT}],
        "environmentVariables": plain + hidden,
        "volumeMounts": [{"name": "secrets", "mountPath": _SECRETS, "readOnly": True}],
        "livenessProbe": _probe(description, LIVE, failures=3),
        "readinessProbe": _probe(description, READY, failures=1),
    }


def _probe(description: Description, path: str, failures: int) -> Manifest:
    get = {"path": path, "port": PORT, "scheme": scheme(description)}
    return {"httpGet": get, "initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": failures}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
