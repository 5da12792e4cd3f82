"""Kubernetes: manifests for a replicated service that scales, survives drains and talks to few."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from ..errors import SettingsError
from .description import Description
from .image import PORT, STATE, image_tree
from .kubernetes_access import network_policy, secrets, service_account, service_monitor
from .kubernetes_names import metadata, selector
from .kubernetes_pods import confined_container, template
from .registry import build_command, need_registry
from .service import GRACE_SECONDS, LIVE, READY, environment, scheme
from .tree import File, Manifest, Tree

_SECRETS = "/run/hermetic"


def tree(description: Description) -> Tree:
    """The image, manifests below ``manifests/`` and ``monitoring/``, and notes on Azure Kubernetes Service.

    Raises
    ------
    SettingsError
        If the image names no registry, there is no tokens file, or several replicas share no store.
    """
    need_registry(description)
    if description.most_replicas > 1 and not description.store_is_shared:
        raise SettingsError(
            f"several replicas need one key store that all of them read: store must be az://, s3:// or gs://. Got "
            f"{description.store or 'a directory'} for up to {description.most_replicas} replicas: name a store, or "
            "run one."
        )
    manifests = {
        "deployment": File.yaml(_deployment(description)),
        "service": File.yaml(_service(description)),
        "autoscaler": File.yaml(_autoscaler(description)),
        "disruption-budget": File.yaml(_disruption_budget(description)),
        "network-policy": File.yaml(network_policy(description)),
        "secrets": File.yaml(*secrets(description), mode=0o600),
        "service-account": File.yaml(service_account(description)),
    }
    if not description.store_is_shared:
        manifests["volume"] = File.yaml(_volume(description))
    if description.host:
        manifests["ingress"] = File.yaml(_ingress(description))
    return {
        **image_tree(description),
        **{f"manifests/{name}.yaml": file for name, file in manifests.items()},
        "monitoring/service-monitor.yaml": File.yaml(service_monitor(description)),
        "NOTES.md": File.text(_NOTES.format(name=description.name, image=description.image_name)),
    }


def commands(description: Description, directory: Path) -> tuple[str, ...]:
    """Builds and pushes the image, applies the manifests; the last one needs the Prometheus operator in the cluster."""
    apply = (f"kubectl apply --filename {quote(str(directory / one))}" for one in ("manifests", "monitoring"))
    return (build_command(description, directory), *apply)


def _deployment(description: Description) -> Manifest:
    # No number of replicas: the autoscaler sets it, and applying this again must not undo that.
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(description),
        "spec": {
            "selector": {"matchLabels": selector(description)},
            "strategy": strategy if description.store_is_shared else {"type": "Recreate"},
            "template": _pod(description),
        },
    }


def _pod(description: Description) -> Manifest:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(description)},
    }
    return template(
        description,
        _container(description),
        _volumes(description),
        terminationGracePeriodSeconds=GRACE_SECONDS,
        topologySpreadConstraints=[spread],
    )


def _container(description: Description) -> Manifest:
    mounts = [
        {"name": "secrets", "mountPath": _SECRETS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if not description.store_is_shared:
        mounts.append({"name": "state", "mountPath": STATE})
    variables = environment(description, _SECRETS)
    return {
        **confined_container(description, "hermetic", variables, description.cores, description.memory_gb),
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": _probe(description, LIVE, seconds=2, failures=30),
        "livenessProbe": _probe(description, LIVE, seconds=10, failures=3),
        "readinessProbe": _probe(description, READY, seconds=5, failures=2),
        "volumeMounts": mounts,
    }


def _probe(description: Description, path: str, *, seconds: int, failures: int) -> Manifest:
    get = {"path": path, "port": "http", "scheme": scheme(description)}
    return {"httpGet": get, "periodSeconds": seconds, "timeoutSeconds": 4, "failureThreshold": failures}


def _volumes(description: Description) -> list[Manifest]:
    volumes: list[Manifest] = [
        {"name": "secrets", "secret": {"secretName": f"{description.name}-files", "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    if not description.store_is_shared:
        volumes.append({"name": "state", "persistentVolumeClaim": {"claimName": description.name}})
    return volumes


def _service(description: Description) -> Manifest:
    port = {"name": "http", "port": 443 if description.has_tls else 80, "targetPort": "http"}
    spec = {"type": "ClusterIP", "selector": selector(description), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(description), "spec": spec}


def _autoscaler(description: Description) -> Manifest:
    busy = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    }
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": description.name},
        "minReplicas": description.replicas,
        "maxReplicas": description.most_replicas,
        "metrics": [busy],
    }
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    return {**kind, "metadata": metadata(description), "spec": spec}


def _disruption_budget(description: Description) -> Manifest:
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(description)},
    }
    kind = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    return {**kind, "metadata": metadata(description), "spec": spec}


def _volume(description: Description) -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(description), "spec": spec}


def _ingress(description: Description) -> Manifest:
    # Queries are larger than the 1 MB that the controller lets through by default.
    annotations = {
        "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
        "nginx.ingress.kubernetes.io/backend-protocol": scheme(description),
    }
    backend = {"service": {"name": description.name, "port": {"name": "http"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**metadata(description), "annotations": annotations},
        "spec": {
            "ingressClassName": description.ingress_class,
            "tls": [{"hosts": [description.host], "secretName": f"{description.name}-tls"}],
            "rules": [{"host": description.host, "http": {"paths": [path]}}],
        },
    }


_NOTES = """\
# {name} on Azure Kubernetes Service

1. Let the cluster pull the image `{image}`, and get its credentials:
   `az aks update --name CLUSTER --resource-group GROUP --attach-acr REGISTRY`,
   `az aks get-credentials --name CLUSTER --resource-group GROUP`.
2. Network policies are enforced only by a cluster that was made with `--network-policy` (`cilium`, `calico`, `azure`).
   The policy here admits the ingress controller and Prometheus, each from its namespace, and lets the service look up
   names and speak TLS to its key store. The machines' metadata address is closed.
3. For a key store in Azure's blobs without an account key, use a workload identity: make the cluster with
   `--enable-oidc-issuer --enable-workload-identity`, give a managed identity the role `Storage Blob Data Contributor`
   on the container, federate it with the service account `{name}`, and render with `--identity CLIENT_ID`.
4. `az aks approuting enable --name CLUSTER --resource-group GROUP` installs the ingress controller that
   `manifests/ingress.yaml` is written for (there with `--host`). It ends TLS with the certificate in the secret
   `{name}-tls`, which cert-manager or Azure's key vault keeps there unless you rendered with a certificate of your own.
5. The autoscaler needs the metrics server, which these clusters have. Rates and quotas are counted in each replica: a
   tenant may take up to the limit from every one.
6. `monitoring/` is for the Prometheus operator. The token in the secret `{name}-metrics` reads metrics, nothing else.
"""
