"""What all pods have: no rights, nothing that can be written but what is mounted, and the description's variables."""

from __future__ import annotations

from collections.abc import Mapping

from .description import Description
from .image import USER
from .kubernetes_names import labels
from .tree import Manifest


def template(description: Description, container: Manifest, volumes: list[Manifest], **spec: object) -> Manifest:
    """A pod of one container; ``spec`` is what it has of its own."""
    identity = {"azure.workload.identity/use": "true"} if description.identity else {}
    confined = {
        "serviceAccountName": description.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    labelled = {"labels": labels(description) | identity}
    return {"metadata": labelled, "spec": {**confined, **spec, "containers": [container], "volumes": volumes}}


def confined_container(
    description: Description, name: str, variables: Mapping[str, str], cores: float, memory_gb: float
) -> Manifest:
    """Image, environment and size; the secret variables come from ``NAME-environment``."""
    size = {"cpu": f"{round(cores * 1000)}m", "memory": f"{round(memory_gb * 1024)}Mi"}
    return {
        "name": name,
        "image": description.image_name,
        # $(NAME) would be replaced; a second dollar keeps it.
        "env": [{"name": key, "value": value.replace("$(", "$$(")} for key, value in variables.items()],
        "envFrom": [{"secretRef": {"name": f"{description.name}-environment"}}] if description.secrets else [],
        "resources": {"requests": size, "limits": dict(size)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
