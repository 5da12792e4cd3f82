"""Checks rendered files, run by the Python of this directory's environment: check.py FILE…; exit code 1 and reasons.

Kubernetes          the JSON schema of the kind, unknown fields refused
ServiceMonitor      the models that are generated from the Prometheus operator's own definitions
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
