"""A batch job on Kubernetes: Ray's operator (KubeRay) starts a cluster, scores the job on it, and ends it.

Whoever reaches a Ray cluster runs code on it, so the policy lets in nobody but the cluster's own pods and the operator,
and the operator only where jobs are submitted.
"""

from __future__ import annotations

import math
from pathlib import Path
from shlex import join, quote

from ..errors import SettingsError
from .description import Description
from .image import JOB_LOCK, MODELS, PYTHON, job_image_tree, resource
from .kubernetes_access import DNS, INTERNET, environment_secret, policy, service_account
from .kubernetes_names import metadata, selector
from .kubernetes_pods import confined_container, template
from .registry import build_command, need_registry
from .tree import File, Manifest, Tree

LEAST_MEMORY_GB = 2
_SUBMIT_PORT = 8265
_OPERATOR = {"app.kubernetes.io/name": "kuberay-operator"}
_HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:52365/api/local_raylet_healthz', timeout=4).read()"
# Answers and queries do not pass through Ray's store of objects, only the model.
_OBJECT_STORE_BYTES = 128 << 20


def tree(description: Description) -> Tree:
    """The image, and below ``manifests/`` what a cluster needs; ``ray-job.yaml`` scores, ``ray-cluster.yaml`` stays.

    Raises
    ------
    SettingsError
        If the image names no registry, no job is named, or nodes are too small.
    """
    need_registry(description)
    _check(description)
    manifests = {
        "network-policy": File.yaml(_network_policy(description)),
        "service-account": File.yaml(service_account(description)),
    }
    if description.secrets:
        manifests["secrets"] = File.yaml(environment_secret(description), mode=0o600)
    cluster = _cluster_spec(description)
    return {
        **job_image_tree(description),
        **{f"manifests/{name}.yaml": file for name, file in manifests.items()},
        "ray-job.yaml": File.yaml(_job(description, cluster)),
        "ray-cluster.yaml": File.yaml({**_head(description, "RayCluster"), "spec": cluster}),
    }


def commands(description: Description, directory: Path) -> tuple[str, ...]:
    """Builds and pushes the image, applies the manifests, and starts the job."""
    apply = (f"kubectl apply --filename {quote(str(directory / one))}" for one in ("manifests", "ray-job.yaml"))
    return (build_command(description, directory), *apply)


def score_command(description: Description) -> str:
    """What the cluster runs: one evaluator a core."""
    (model,) = description.models
    workers = description.replicas * description.processes
    file = f"{MODELS}/{model.stem}/1/model.hermetic"
    command = ("hermetic", "batch", "score", str(description.job), "--model", file, "--engine", "ray")
    return join((*command, "--workers", str(workers), "--json"))


def _check(description: Description) -> None:
    if len(description.models) != 1:
        raise SettingsError(f"a job is for one model. Got {len(description.models)}: render each alone.")
    if description.job is None:
        raise SettingsError("job must be the URL that hermetic batch encrypt wrote to, such as s3://bucket/march.")
    if description.most_replicas > description.replicas:
        raise SettingsError(
            "a job has as many workers from begin to end: replicas says how many, without max_replicas."
        )
    if description.memory_gb < LEAST_MEMORY_GB:
        raise SettingsError(
            f"memory_gb must be {LEAST_MEMORY_GB} or more: Ray itself takes most of one. Got {description.memory_gb:g}."
        )


def _job(description: Description, cluster: Manifest) -> Manifest:
    spec = {
        "entrypoint": score_command(description),
        "shutdownAfterJobFinishes": True,
        # Failed jobs can be looked at for so long. What they answered is kept, and the next run does the rest.
        "ttlSecondsAfterFinished": 600,
        "backoffLimit": 1,
        "rayClusterSpec": cluster,
        "submitterPodTemplate": _pod(description, "ray-job-submitter", cores=0.5, memory_gb=0.5, node=False),
    }
    return {**_head(description, "RayJob"), "spec": spec}


def _head(description: Description, kind: str) -> Manifest:
    return {"apiVersion": "ray.io/v1", "kind": kind, "metadata": metadata(description)}


def _cluster_spec(description: Description) -> Manifest:
    store = {"object-store-memory": str(_OBJECT_STORE_BYTES)}
    return {
        "rayVersion": _ray_version(),
        "headGroupSpec": {
            # The head only leads: evaluators run on the others.
            "rayStartParams": {"num-cpus": "0", **store},
            "template": _pod(description, "ray-head", cores=1, memory_gb=LEAST_MEMORY_GB),
        },
        "workerGroupSpecs": [
            {
                "groupName": "evaluators",
                "replicas": description.replicas,
                "minReplicas": description.replicas,
                "maxReplicas": description.replicas,
                "rayStartParams": {"num-cpus": str(max(1, math.floor(description.cores))), **store},
                "template": _pod(description, "ray-worker", cores=description.cores, memory_gb=description.memory_gb),
            }
        ],
    }


def _ray_version() -> str:
    """The image's."""
    lines = resource(JOB_LOCK).splitlines()
    return next(line.partition("==")[2].split()[0] for line in lines if line.startswith("ray=="))


def _pod(description: Description, name: str, *, cores: float, memory_gb: float, node: bool = True) -> Manifest:
    variables = {"RAY_USAGE_STATS_ENABLED": "0", **description.variables}
    container = {
        **confined_container(description, name, variables, cores, memory_gb),
        **(_probes() if node else {}),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shared", "mountPath": "/dev/shm"}],
    }
    volumes: list[Manifest] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}},
        {"name": "shared", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
    ]
    return template(description, container, volumes, **({} if node else {"restartPolicy": "Never"}))


def _probes() -> Manifest:
    """The operator's own need programs that the image does not have."""
    return {
        f"{name}Probe": {
            "exec": {"command": [PYTHON, "-c", _HEALTH]},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        }
        for name, failures in (("startup", 30), ("liveness", 6), ("readiness", 3))
    }


def _network_policy(description: Description) -> Manifest:
    """In and out: each other. In: the operator, which asks how the job is. Out: names, and TLS to the job's store."""
    own = {"podSelector": {"matchLabels": selector(description)}}
    operator = {"namespaceSelector": {}, "podSelector": {"matchLabels": _OPERATOR}}
    asked = {"from": [operator], "ports": [{"protocol": "TCP", "port": _SUBMIT_PORT}]}
    return policy(description, ingress=[{"from": [own]}, asked], egress=[{"to": [own]}, DNS, INTERNET])
