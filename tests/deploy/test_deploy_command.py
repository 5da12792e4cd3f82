"""`hermetic deploy` as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermetic.deploy import Description, render

HERMETIC = str(Path(sys.executable).with_name("hermetic"))


def deploy(material: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (wheel,) = material.glob("*.whl")
    command = [HERMETIC, "deploy", "digits.hermetic", "--wheel", str(wheel), "--tokens", "tokens", *options]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **variables}
    return subprocess.run(
        command, cwd=material, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def test_it_lists_the_files_and_the_command(material: Path, tmp_path: Path) -> None:
    done = deploy(material, "--target", "docker", "-o", str(tmp_path / "out"), "--tag", "team=a")
    assert done.returncode == 0, done.stderr
    for name in ("image/Dockerfile", "image/requirements.lock", "compose.yaml", "secrets/tokens"):
        assert name in done.stdout
        assert (tmp_path / "out" / name).is_file()
    assert f"docker compose --file {tmp_path}/out/compose.yaml up --build --detach" in done.stdout


def test_secret_variables_come_from_the_environment(material: Path, tmp_path: Path) -> None:
    options = ("--target", "docker", "-o", str(tmp_path / "out"), "--secret-env", "STORE_KEY")
    missing = deploy(material, *options)
    assert (missing.returncode, "STORE_KEY must be set" in missing.stderr) == (1, True)
    done = deploy(material, *options, STORE_KEY="s3cret")
    assert done.returncode == 0
    assert "s3cret" not in done.stdout + done.stderr
    assert (tmp_path / "out" / "secrets" / "environment").read_text() == "STORE_KEY='s3cret'\n"


@pytest.mark.parametrize("option", ["--tag", "--env"])
def test_pairs_need_an_equals_sign(material: Path, tmp_path: Path, option: str) -> None:
    done = deploy(material, "--target", "docker", "-o", str(tmp_path / "out"), option, "team")
    assert (done.returncode, f"{option} must be NAME=VALUE" in done.stderr) == (1, True)


def test_what_is_there_is_kept_without_force(material: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = deploy(material, "--target", "docker", "-o", str(tmp_path))
    assert done.returncode == 1
    assert "must be empty or new" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_force_replaces_what_was_rendered_and_nothing_else(description: Description, tmp_path: Path) -> None:
    changed = {**vars(description), "image": "example.azurecr.io/digits:1", "host": "predict.example.com"}
    render("kubernetes", Description(**changed), tmp_path)
    (tmp_path / "manifests" / "mine.yaml").write_text("mine")
    render("kubernetes", Description(**{**changed, "host": None}), tmp_path, force=True)
    left = {path.name for path in (tmp_path / "manifests").iterdir()}
    assert "ingress.yaml" not in left
    assert {"mine.yaml", "deployment.yaml"} <= left


def test_a_listing_that_points_elsewhere_removes_nothing(description: Description, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".hermetic-deploy.json").write_text('["../precious", 7]')
    render("docker", description, out, force=True)
    assert precious.read_text() == "kept"
