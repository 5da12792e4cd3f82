"""What the image holds, proven by building it as its Dockerfile says and asking the service in it."""

import json
import re
import shutil
import subprocess
import time
import zipfile
from importlib.metadata import requires
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from built_image import Built, built
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rendering import ROOT, document, rendered

import hermetic
from fitted import digits
from hermetic.deploy import Description
from hermetic.errors import SettingsError
from serve.stores import free_port

LONGEST_START = 60
PIN = re.compile(r"^([a-z0-9-]+)==\S+.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def test_the_service_in_the_image_answers(description: Description, tmp_path: Path, token: str) -> None:
    rendered("docker", tmp_path / "out", description)
    service = document(tmp_path / "out" / "compose.yaml")["services"]["digits"]
    port = free_port()
    environment = {**service["environment"], "HERMETIC_PORT": str(port)}
    with built(tmp_path / "out" / "image") as image:
        shutil.copy(tmp_path / "out" / "secrets" / "tokens", image.root / "run/secrets/tokens")
        assert is_healthy(image, environment) is False
        process = image.start(image.entrypoint, environment, stderr=subprocess.PIPE)
        try:
            wait_until_healthy(image, environment, process)
            remote = hermetic.connect(f"http://127.0.0.1:{port}", model="digits", token=token)
            fitted = digits()
            X = fitted.X[:20]
            assert np.array_equal(remote.predict(X), fitted.estimator.predict(X))
            assert len(list((image.root / "var/lib/hermetic/keys").rglob("*/clinic/*"))) == 1
        finally:
            process.terminate()
            _, log = process.communicate(timeout=90)
        assert process.returncode == 0, log
        assert any(json.loads(line).get("event") == "listening" for line in log.splitlines())


def is_healthy(image: Built, environment: dict[str, str]) -> bool:
    check = image.start(image.healthcheck, environment)
    return check.wait(timeout=30) == 0


def wait_until_healthy(image: Built, environment: dict[str, str], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LONGEST_START
    while not is_healthy(image, environment):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_only_what_the_image_needs_is_sent_to_the_builder(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path, description)
    sent = {line[1:] for line in (tmp_path / "image" / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    there = {path.name for path in (tmp_path / "image").iterdir()} - {"Dockerfile", ".dockerignore"}
    assert sent == there


def test_everything_is_locked_by_hash(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path, description)
    lock = (tmp_path / "image" / "requirements.lock").read_text()
    pins = list(PIN.finditer(lock))
    assert len(pins) > 20
    assert all("--hash=sha256:" in pin[0] for pin in pins)


def closure(name: str, extras: frozenset[str]) -> set[str]:
    """What the installed package needs with these extras, and what that needs, on this machine."""
    found: dict[str, frozenset[str]] = {}
    waiting = [(name, extras)]
    while waiting:
        one, wanted = waiting.pop()
        if wanted <= found.get(one, frozenset()) and one in found:
            continue
        found[one] = found.get(one, frozenset()) | wanted
        for text in requires(one) or ():
            need = Requirement(text)
            if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return set(found) - {name}


def test_the_lock_of_the_service_is_part_of_the_projects_own() -> None:
    """Written by make lock. It holds what `hermetic[serve]` needs, at the versions everything is tested with."""
    lock = files("hermetic.deploy").joinpath("serve.lock").read_text(encoding="utf-8")
    whole = {pin[1]: hashes(pin[0]) for pin in PIN.finditer((ROOT / "requirements.lock").read_text(encoding="utf-8"))}
    pinned = {pin[1]: hashes(pin[0]) for pin in PIN.finditer(lock)}
    assert closure("hermetic", frozenset({"serve"})) <= set(pinned)
    assert {name: whole[name] for name in pinned} == pinned


def hashes(pin: str) -> tuple[str, frozenset[str]]:
    version = re.match(r"\S+==(\S+)", pin)
    assert version
    return version[1], frozenset(re.findall(r"sha256:[0-9a-f]{64}", pin))


@pytest.mark.parametrize("content", [b"no archive", None])
def test_another_wheel_is_refused(description: Description, tmp_path: Path, content: bytes | None) -> None:
    wheel = tmp_path / "other-1.0-py3-none-any.whl"
    if content:
        wheel.write_bytes(content)
    else:
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("other-1.0.dist-info/METADATA", "Name: other\n")
    with pytest.raises(SettingsError, match=r"must be that of hermetic .* pip wheel --no-deps"):
        rendered("docker", tmp_path / "out", description, wheel=wheel)


def test_the_base_image_can_be_pinned_by_its_bytes(description: Description, tmp_path: Path) -> None:
    rendered("docker", tmp_path, description, base_image="python@sha256:abc")
    assert (tmp_path / "image" / "Dockerfile").read_text().startswith("FROM python@sha256:abc\n")
