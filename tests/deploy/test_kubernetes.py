"""The manifests, read by Kubernetes' JSON schemas and by the Prometheus operator's models."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import CHECK, REGISTRY, check_manifests, document, refused, rendered

from hermetic.deploy import Description
from hermetic.errors import SettingsError
from hermetic.serve.access import Gatekeeper

SHARED: dict[str, Any] = {
    "image": f"{REGISTRY}/digits:1",
    "store": "az://keys/digits",
    "replicas": 2,
    "max_replicas": 5,
    "host": "predict.example.com",
}
KINDS = {
    "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Secret",
    "ServiceAccount", "Ingress",
}  # fmt: skip


def manifests(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "manifests").iterdir())
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def one_of(folder: Path, kind: str) -> dict[str, Any]:
    return next(one for one in manifests(folder) if one["kind"] == kind)


def container(folder: Path) -> dict[str, Any]:
    (found,) = one_of(folder, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"identity": "a-client-id", "secrets": {"KEY": "v"}, "tags": {"team": "a"}, "text": "Digits."},
        {"store": None, "replicas": 1, "max_replicas": None, "host": None},
    ],
)
def test_manifests_are_valid(description: Description, tmp_path: Path, change: dict[str, Any]) -> None:
    rendered("kubernetes", tmp_path, description, **{**SHARED, **change})
    check_manifests(*(tmp_path / "manifests").iterdir(), *(tmp_path / "monitoring").iterdir())


def test_every_kind_is_there(description: Description, tmp_path: Path) -> None:
    rendered("kubernetes", tmp_path, description, **SHARED)
    assert {one["kind"] for one in manifests(tmp_path)} == KINDS
    assert document(tmp_path / "monitoring" / "service-monitor.yaml")["kind"] == "ServiceMonitor"
    assert "az aks" in (tmp_path / "NOTES.md").read_text()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("manifests/deployment.yaml", "readOnlyRootFilesystem", "readonlyRootFilesystem"),
        ("manifests/autoscaler.yaml", "maxReplicas: 5", "maxReplicas: five"),
        ("monitoring/service-monitor.yaml", "authorization", "authorisation"),
    ],
)
def test_the_schemas_refuse_what_they_do_not_know(
    description: Description, tmp_path: Path, file: str, old: str, new: str
) -> None:
    rendered("kubernetes", tmp_path, description, **SHARED)
    path = tmp_path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert refused(*CHECK, path)


def test_pods_are_confined(description: Description, tmp_path: Path) -> None:
    rendered("kubernetes", tmp_path, description, **SHARED)
    pod = one_of(tmp_path, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # a service named hermetic would set HERMETIC_PORT
    security = container(tmp_path)["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_probes_speak_what_the_service_speaks(description: Description, tmp_path: Path, material: Path) -> None:
    pem = material / "tokens"
    rendered("kubernetes", tmp_path, description, **SHARED, tls_certificate=pem, tls_key=pem)
    probes = [container(tmp_path)[f"{one}Probe"]["httpGet"] for one in ("startup", "liveness", "readiness")]
    assert [one["path"] for one in probes] == ["/healthz", "/healthz", "/v2/health/ready"]
    assert {one["scheme"] for one in probes} == {"HTTPS"}


def test_who_may_reach_it_and_what_it_may_reach(description: Description, tmp_path: Path) -> None:
    rendered("kubernetes", tmp_path, description, **SHARED)
    policy = one_of(tmp_path, "NetworkPolicy")["spec"]
    names = [
        one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in policy["ingress"][0]["from"]
    ]
    assert names == ["app-routing-system", "monitoring"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 443]
    assert policy["egress"][1]["to"][0]["ipBlock"]["except"] == ["169.254.169.254/32"]


def test_selectors_find_the_pods(description: Description, tmp_path: Path) -> None:
    rendered("kubernetes", tmp_path, description, **SHARED)
    pod = one_of(tmp_path, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    monitor = document(tmp_path / "monitoring" / "service-monitor.yaml")["spec"]["selector"]["matchLabels"]
    assert one_of(tmp_path, "Service")["spec"]["selector"].items() <= pod
    assert one_of(tmp_path, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= pod
    assert one_of(tmp_path, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= pod
    assert monitor.items() <= one_of(tmp_path, "Service")["metadata"]["labels"].items()


def test_prometheus_gets_a_token_that_the_service_knows(description: Description, tmp_path: Path, token: str) -> None:
    rendered("kubernetes", tmp_path / "out", description, **SHARED)
    secrets = {one["metadata"]["name"]: one["data"] for one in manifests(tmp_path / "out") if one["kind"] == "Secret"}
    tokens = tmp_path / "tokens"
    tokens.write_bytes(base64.b64decode(secrets["digits-files"]["tokens"]))
    metrics = base64.b64decode(secrets["digits-metrics"]["token"]).decode()
    gatekeeper = Gatekeeper(tokens)
    assert gatekeeper.caller(f"Bearer {metrics}", role="metrics").tenant == "metrics"
    assert gatekeeper.caller(f"Bearer {token}").tenant == "clinic"
    assert (tmp_path / "out" / "manifests" / "secrets.yaml").stat().st_mode & 0o777 == 0o600


def test_one_replica_keeps_its_keys_on_a_volume(description: Description, tmp_path: Path) -> None:
    rendered("kubernetes", tmp_path, description, image=f"{REGISTRY}/digits:1")
    deployment = one_of(tmp_path, "Deployment")["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    assert one_of(tmp_path, "PersistentVolumeClaim")["metadata"]["name"] == "digits"
    assert {"name": "state", "mountPath": "/var/lib/hermetic"} in container(tmp_path)["volumeMounts"]


@pytest.mark.parametrize("store", [None, "/var/lib/keys", "memory://"])
def test_several_replicas_need_one_store(description: Description, tmp_path: Path, store: str | None) -> None:
    with pytest.raises(SettingsError, match="several replicas need one key store that all of them read"):
        rendered("kubernetes", tmp_path, description, **{**SHARED, "store": store})
