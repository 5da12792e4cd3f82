"""Checks rendered files, run by the Python of this directory's environment: check.py FILE…; exit code 1 and reasons.

Kubernetes          the JSON schema of the kind, unknown fields refused
ServiceMonitor      the models that are generated from the Prometheus operator's own definitions
RayJob, RayCluster  the fields of the operator's API, and Kubernetes' schema for the pods in them
container groups    the models of Azure's SDK: types and required fields, and nothing that they do not know
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import yaml


def kubernetes(document: dict) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def monitor(document: dict) -> None:
    from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor

    read = ServiceMonitor.model_validate(document)
    same(document, json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)))


def aci(document: dict) -> None:
    from azure.mgmt.containerinstance.models import ContainerGroup

    body = {name: value for name, value in document.items() if name not in ("apiVersion", "name", "type")}
    group = ContainerGroup.from_dict(body)
    given(group)
    same(body, group.serialize())


POD, TEXTS = "a pod's template", {str: str}
RAY_HEAD = {"rayStartParams!": TEXTS, "template!": POD, "serviceType": str, "enableIngress": bool}
RAY_WORKERS = {
    "groupName!": str,
    "replicas": int,
    "minReplicas!": int,
    "maxReplicas!": int,
    "rayStartParams!": TEXTS,
    "template!": POD,
    "numOfHosts": int,
    "idleTimeoutSeconds": int,
}
RAY_CLUSTER = {
    "rayVersion": str,
    "headGroupSpec!": RAY_HEAD,
    "workerGroupSpecs": [RAY_WORKERS],
    "enableInTreeAutoscaling": bool,
    "suspend": bool,
}
RAY_JOB = {
    "entrypoint": str,
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "rayClusterSpec": RAY_CLUSTER,
    "submitterPodTemplate": POD,
    "submissionMode": str,
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "suspend": bool,
}
RAY = {"RayJob": RAY_JOB, "RayCluster": RAY_CLUSTER}
"""What Ray's operator (KubeRay, ray.io/v1) reads of what may be rendered; a field with ! must be there."""


def ray(document: dict) -> None:
    if document["apiVersion"] != "ray.io/v1":
        raise ValueError(f"{document['apiVersion']} is no API of the operator")
    fields(document["spec"], RAY[document["kind"]], document["kind"])


def fields(found: object, known: object, where: str) -> None:
    """Raise ValueError for what is unknown, missing or of another type, with its place."""
    if known is POD:
        kubernetes({"apiVersion": "v1", "kind": "Pod", "metadata": found["metadata"], "spec": found["spec"]})
    elif known is TEXTS:
        for name, value in found.items():
            fields(value, str, f"{where}.{name}")
    elif isinstance(known, list):
        for number, one in enumerate(found):
            fields(one, known[0], f"{where}[{number}]")
    elif isinstance(known, dict):
        kinds = {name.rstrip("!"): kind for name, kind in known.items()}
        wanted = {name.rstrip("!") for name in known if name.endswith("!")}
        if wrong := (found.keys() - kinds.keys()) | (wanted - found.keys()):
            raise ValueError(f"{where}: unknown or missing: {', '.join(sorted(wrong))}")
        for name, value in found.items():
            fields(value, kinds[name], f"{where}.{name}")
    elif type(found) is not known:
        raise ValueError(f"{where} must be {known.__name__}. Got {found!r}")


def given(model: object) -> None:
    """Raise ValueError for a required field that is missing anywhere in a model of the SDK."""
    for name, rule in getattr(model, "_validation", {}).items():
        if rule.get("required") and getattr(model, name) is None:
            raise ValueError(f"{type(model).__name__}.{name} is required")
    for value in vars(model).values():
        for one in value if isinstance(value, list) else [value]:
            if hasattr(one, "_attribute_map"):
                given(one)


def checker(document: dict) -> Callable[[dict], None]:
    if document.get("type") == "Microsoft.ContainerInstance/containerGroups":
        return aci
    if document.get("kind") in RAY:
        return ray
    return monitor if document.get("kind") == "ServiceMonitor" else kubernetes


def same(written: object, understood: object) -> None:
    """Whatever the model did not understand is missing from what it gives back."""
    if written != understood:
        raise ValueError(
            f"understood was only:\n{json.dumps(understood, indent=1)}\nof:\n{json.dumps(written, indent=1)}"
        )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for one in yaml.safe_load_all(Path(name).read_text(encoding="utf-8")):
            try:
                checker(one)(one)
            except Exception as error:
                sys.exit(f"{name}, {one.get('kind', '')}: {type(error).__name__}: {error}")
    print("ok")
