"""The files of a batch job on Kubernetes, read by the fields of Ray's operator and by Kubernetes' schemas."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from rendering import CHECK, REGISTRY, check_manifests, document, refused, rendered
from typer.testing import CliRunner

from hermetic.cli.app import app
from hermetic.deploy import Description
from hermetic.errors import SettingsError

JOB: dict[str, Any] = {
    "image": f"{REGISTRY}/digits:1",
    "job": "s3://bucket/march",
    "replicas": 3,
    "cores": 2,
    "memory_gb": 4,
    "tokens": None,
}


def cluster(folder: Path) -> dict[str, Any]:
    return dict(document(folder / "ray-job.yaml")["spec"]["rayClusterSpec"])


def pods(folder: Path) -> list[dict[str, Any]]:
    spec = document(folder / "ray-job.yaml")["spec"]
    groups = (spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"])
    return [*(group["template"] for group in groups), spec["submitterPodTemplate"]]


@pytest.mark.parametrize(
    "change",
    [{}, {"identity": "a-client-id", "secrets": {"AWS_SECRET_ACCESS_KEY": "v"}, "tags": {"team": "a"}, "text": "Job."}],
)
def test_manifests_are_valid(description: Description, tmp_path: Path, change: dict[str, Any]) -> None:
    rendered("ray", tmp_path, description, **{**JOB, **change})
    check_manifests(*(tmp_path / "manifests").iterdir(), tmp_path / "ray-job.yaml", tmp_path / "ray-cluster.yaml")
    assert document(tmp_path / "ray-cluster.yaml")["spec"] == cluster(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shutdownAfterJobFinishes", "shutDownAfterJobFinishes"),
        ("num-cpus: '0'", "num-cpus: 0"),
        ("minReplicas: 3", "minReplicas: three"),
        ("groupName: evaluators", ""),
        ("readOnlyRootFilesystem", "readonlyRootFilesystem"),
        ("ray.io/v1", "ray.io/v2"),
    ],
)
def test_what_the_operator_does_not_know_is_refused(
    description: Description, tmp_path: Path, old: str, new: str
) -> None:
    rendered("ray", tmp_path, description, **JOB)
    text = (path := tmp_path / "ray-job.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert refused(*CHECK, path)


def test_it_scores_the_job_with_a_worker_a_core(description: Description, tmp_path: Path) -> None:
    """The command is one that the command line takes, and ends at the job, which is not there."""
    rendered("ray", tmp_path, description, **JOB | {"variables": {"AWS_REGION": "eu"}})
    program, *arguments = shlex.split(document(tmp_path / "ray-job.yaml")["spec"]["entrypoint"])
    assert program == "hermetic"
    assert arguments[2] == "s3://bucket/march"
    assert arguments[arguments.index("--workers") + 1] == "6"
    model = Path(arguments[arguments.index("--model") + 1])
    assert (tmp_path / "image" / model.relative_to("/srv/hermetic")).is_file()
    there = ["nowhere" if one == arguments[2] else one for one in arguments]
    done = CliRunner().invoke(app, there)
    assert done.exit_code == 1
    assert "the job nowhere" in done.stderr


def test_the_cluster_has_the_ray_that_the_image_has(description: Description, tmp_path: Path) -> None:
    rendered("ray", tmp_path, description, **JOB)
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    (version,) = (one["version"] for one in bill["components"] if one["name"] == "ray")
    assert cluster(tmp_path)["rayVersion"] == version
    assert "ENV PATH=/opt/hermetic/bin:" in (tmp_path / "image" / "Dockerfile").read_text()


def test_evaluators_run_on_workers_alone(description: Description, tmp_path: Path) -> None:
    rendered("ray", tmp_path, description, **JOB)
    (workers,) = cluster(tmp_path)["workerGroupSpecs"]
    assert cluster(tmp_path)["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert workers["rayStartParams"]["num-cpus"] == "2"
    assert {workers[name] for name in ("replicas", "minReplicas", "maxReplicas")} == {3}


def test_pods_are_confined(description: Description, tmp_path: Path) -> None:
    rendered("ray", tmp_path, description, **JOB)
    for pod in pods(tmp_path):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_only_the_cluster_and_the_operator_reach_it(description: Description, tmp_path: Path) -> None:
    """Ray runs the code of whoever reaches it."""
    rendered("ray", tmp_path, description, **JOB)
    policy = document(tmp_path / "manifests" / "network-policy.yaml")["spec"]
    own = policy["podSelector"]["matchLabels"]
    for pod in pods(tmp_path):
        assert own.items() <= pod["metadata"]["labels"].items()
    inside, operator = policy["ingress"]
    assert inside == {"from": [{"podSelector": {"matchLabels": own}}]}
    assert [port["port"] for port in operator["ports"]] == [8265]
    assert operator["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}


def test_secrets_are_in_no_other_file(description: Description, tmp_path: Path) -> None:
    rendered("ray", tmp_path, description, **JOB, secrets={"AWS_SECRET_ACCESS_KEY": "s3cret"})
    secrets = tmp_path / "manifests" / "secrets.yaml"
    assert secrets.stat().st_mode & 0o077 == 0
    assert not any(b"s3cret" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())  # it is base64 there
    for pod in pods(tmp_path):
        assert pod["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "digits-environment"}}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"job": None}, r"job must be the URL that hermetic batch encrypt wrote to"),
        ({"job": "/srv/job"}, r"job must be at s3://, az:// or gs://, which every node reads. Got /srv/job instead"),
        ({"max_replicas": 9}, "a job has as many workers from begin to end"),
        ({"memory_gb": 1}, "memory_gb must be 2 or more: Ray itself takes most of one. Got 1"),
        ({"image": "digits:1"}, "image must name the registry"),
    ],
)
def test_what_does_not_fit_is_refused(
    description: Description, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        rendered("ray", tmp_path, description, **{**JOB, **change})


def test_a_job_is_for_one_model(description: Description, material: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other.hermetic").write_bytes((material / "digits.hermetic").read_bytes())
    with pytest.raises(SettingsError, match=r"a job is for one model\. Got 2"):
        rendered("ray", tmp_path / "out", description, **JOB, models=(*description.models, other))
