"""Manifests that say who may reach the service, what it may reach, and what is secret."""

from __future__ import annotations

import base64
from typing import Any

from ..serve.access import METRICS, new_token, token_line
from .description import Description
from .image import PORT
from .kubernetes_names import metadata, selector
from .service import scheme, secret_files
from .tree import Manifest

_METADATA_SERVICE = "169.254.169.254/32"


def _namespace(name: str) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


DNS: Manifest = {
    "to": [_namespace("kube-system")],
    "ports": [{"protocol": one, "port": 53} for one in ("UDP", "TCP")],
}
"""Looking up names."""

INTERNET: Manifest = {
    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [_METADATA_SERVICE]}}, {"ipBlock": {"cidr": "::/0"}}],
    "ports": [{"protocol": "TCP", "port": 443}],
}
"""TLS to anywhere but the machine's metadata service, which hands out credentials."""


def secrets(description: Description) -> list[Manifest]:
    """Tokens with certificate and key; the variables; and a fresh token that reads metrics alone."""
    files = secret_files(description)
    token = new_token()
    line = token_line(METRICS, token, role=METRICS)
    files["tokens"] = files["tokens"].rstrip() + f"\n{line}\n".encode()
    found = [
        _secret(description, "-files", files),
        _secret(description, "-metrics", {"token": token.encode()}),
    ]
    if description.secrets:
        found.append(environment_secret(description))
    if description.has_tls:
        pair = {"tls.crt": files["certificate.pem"], "tls.key": files["key.pem"]}
        found.append(_secret(description, "-tls", pair, kind="kubernetes.io/tls"))
    return found


def environment_secret(description: Description) -> Manifest:
    """The secret variables, as ``NAME-environment``."""
    return _secret(description, "-environment", {name: value.encode() for name, value in description.secrets.items()})


def _secret(description: Description, suffix: str, data: dict[str, bytes], kind: str = "Opaque") -> Manifest:
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(description, suffix)}
    return {**head, "type": kind, "data": encoded}


def service_account(description: Description) -> Manifest:
    """An account of its own without rights; with an identity, the one that Azure exchanges for it."""
    about: dict[str, Any] = metadata(description)
    if description.identity:
        about["annotations"] = {
            **about.get("annotations", {}),
            "azure.workload.identity/client-id": description.identity,
        }
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": about,
        "automountServiceAccountToken": False,
    }


def network_policy(description: Description) -> Manifest:
    """In: the ingress controller and Prometheus. Out: names, and with a shared store TLS to anywhere but the machine's
    metadata service, which hands out credentials."""
    callers = [_namespace(description.ingress_namespace), _namespace(description.monitoring_namespace)]
    store = [INTERNET] if description.store_is_shared else []
    return policy(
        description,
        ingress=[{"from": callers, "ports": [{"protocol": "TCP", "port": PORT}]}],
        egress=[DNS, *store],
    )


def policy(description: Description, ingress: list[Manifest], egress: list[Manifest]) -> Manifest:
    """The description's pods talk to those, and to nobody else."""
    spec = {
        "podSelector": {"matchLabels": selector(description)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": ingress,
        "egress": egress,
    }
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return {**kind, "metadata": metadata(description), "spec": spec}


def service_monitor(description: Description) -> Manifest:
    """How the Prometheus operator finds ``/metrics``, and the token it shows."""
    endpoint: Manifest = {
        "port": "http",
        "path": "/metrics",
        "scheme": scheme(description).lower(),
        "interval": "30s",
        "authorization": {"type": "Bearer", "credentials": {"name": f"{description.name}-metrics", "key": "token"}},
    }
    if description.has_tls:
        # The certificate names the public host, not the pod that is asked.
        endpoint["tlsConfig"] = {"serverName": description.host} if description.host else {"insecureSkipVerify": True}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(description),
        "spec": {"selector": {"matchLabels": selector(description)}, "endpoints": [endpoint]},
    }
