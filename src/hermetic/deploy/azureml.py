"""Azure Machine Learning, version 2: an online endpoint whose scoring script answers encrypted queries.

The environment is built from a directory: a conda environment on Azure's image for inference, with Hermetic's wheel.
The endpoint ends TLS and asks for its own keys, so there is no tokens file.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from ..errors import SettingsError
from .description import Description
from .image import locked_wheel, materials, resource
from .tree import File, Manifest, Tree, read

BASE_IMAGE = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest"
PYTHON = "3.11"
INSTANCE = "Standard_DS2_v2"
PORT = 5001
_SCHEMAS = "https://azuremlschemas.azureedge.net/latest"

_DOCKERFILE = """\
# Azure keeps a dated tag of this image for half a year, so it is not pinned: see --base-image.
# hadolint ignore=DL3007
FROM {base}

COPY conda.yaml requirements.lock {wheel} /tmp/build/
WORKDIR /tmp/build
RUN conda env create --name hermetic --file conda.yaml
ENV AZUREML_CONDA_ENVIRONMENT_PATH=/opt/miniconda/envs/hermetic
ENV PATH=/opt/miniconda/envs/hermetic/bin:$PATH
WORKDIR /var/azureml-app
"""


def tree(description: Description) -> Tree:
    """``endpoint.yaml``, ``deployment.yaml``, and the model, script and environment that they name.

    Raises
    ------
    SettingsError
        If there is not exactly one model, no shared store, or a secret variable.
    """
    _check(description)
    (model,) = description.models
    wheel = description.wheel.name
    dockerfile = _DOCKERFILE.format(base=description.base_image or BASE_IMAGE, wheel=wheel)
    locked = locked_wheel(description, "score.lock", PYTHON)
    environment = {"Dockerfile": File.text(dockerfile), "conda.yaml": File.yaml(_conda()), **locked}
    return {
        "endpoint.yaml": File.yaml(_endpoint(description)),
        "deployment.yaml": File.yaml(_deployment(description)),
        "code/score.py": File.text(resource("score.py.txt")),
        f"model/{model.name}": File(read(model, "the model"), mode=0o600),
        **{f"environment/{name}": file for name, file in environment.items()},
        **materials(description, locked, PYTHON),
    }


def commands(description: Description, directory: Path) -> tuple[str, ...]:
    """Creates the endpoint, then its deployment with all traffic; both need the extension ``ml`` of Azure's client."""
    del description
    endpoint, deployment = (quote(str(directory / f"{one}.yaml")) for one in ("endpoint", "deployment"))
    where = "--resource-group RESOURCE_GROUP --workspace-name WORKSPACE"
    return (
        f"az ml online-endpoint create --file {endpoint} {where}",
        f"az ml online-deployment create --file {deployment} --all-traffic {where}",
    )


def _check(description: Description) -> None:
    if len(description.models) != 1:
        raise SettingsError(
            f"an endpoint's deployment has one model. Got {len(description.models)}: render each alone."
        )
    if not description.store_is_shared:
        raise SettingsError("azureml keeps no files: store must be az://, s3:// or gs://, where clients' keys lie.")
    if description.secrets:
        raise SettingsError(
            "azureml takes no secret variables, since a deployment's are shown to all who may read it. Let the "
            "endpoint's identity read the store instead."
        )


def _conda() -> Manifest:
    """Everything that is not Python itself comes from the lock, by its hash."""
    pip = {"pip": ["--requirement requirements.lock"]}
    return {"name": "hermetic", "channels": ["conda-forge"], "dependencies": [f"python={PYTHON}", "pip", pip]}


def _kind(description: Description) -> str:
    return "kubernetesOnline" if description.compute else "managedOnline"


def _about(description: Description) -> Manifest:
    text = {"description": description.text} if description.text else {}
    return {**text, "tags": dict(description.tags)}


def _endpoint(description: Description) -> Manifest:
    identity: dict[str, Any] = {"type": "system_assigned"}
    if description.identity:
        identity = {"type": "user_assigned", "user_assigned_identities": [{"resource_id": description.identity}]}
    compute = {"compute": f"azureml:{description.compute}"} if description.compute else {}
    return {
        "$schema": f"{_SCHEMAS}/{_kind(description)}Endpoint.schema.json",
        "name": description.name,
        **compute,
        "auth_mode": "key",
        "identity": identity,
        **_about(description),
    }


def _deployment(description: Description) -> Manifest:
    store = {"HERMETIC_STORE": description.store or "", **description.variables}
    return {
        "$schema": f"{_SCHEMAS}/{_kind(description)}Deployment.schema.json",
        "name": "blue",
        "endpoint_name": description.name,
        **_about(description),
        "model": {"path": f"./model/{description.models[0].name}", "type": "custom_model"},
        "code_configuration": {"code": "./code", "scoring_script": "score.py"},
        "environment": _environment(description),
        "environment_variables": {**store, "WORKER_COUNT": str(description.processes)},
        **_size(description),
        "instance_count": description.replicas,
        "request_settings": {
            "max_concurrent_requests_per_instance": description.processes,
            "request_timeout_ms": 60_000,
        },
        "liveness_probe": _probe(failures=3),
        "readiness_probe": _probe(failures=3),
    }


def _environment(description: Description) -> Manifest:
    routes = {"liveness_route": "/", "readiness_route": "/", "scoring_route": "/score"}
    return {
        "name": f"{description.name}-environment",
        "build": {"path": "./environment", "dockerfile_path": "Dockerfile"},
        "inference_config": {name: {"path": path, "port": PORT} for name, path in routes.items()},
    }


def _size(description: Description) -> Manifest:
    if not description.compute:
        return {"instance_type": description.instance_type or INSTANCE}
    size = {"cpu": f"{round(description.cores * 1000)}m", "memory": f"{round(description.memory_gb * 1024)}Mi"}
    kind = {"instance_type": description.instance_type} if description.instance_type else {}
    return {"type": "kubernetes", **kind, "resources": {"requests": size, "limits": size}}


def _probe(failures: int) -> Manifest:
    return {"initial_delay": 10, "period": 10, "timeout": 4, "failure_threshold": failures}
