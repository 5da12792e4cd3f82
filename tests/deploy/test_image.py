"""What the image holds, proven by building it as its Dockerfile says and asking the service in it."""

import contextlib
import json
import re
import shutil
import ssl
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from built_image import Builder, Image, builder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rendering import HOSTS, ROOT, document, rendered

import hermetic
from fitted import digits
from hermetic import RemoteModel
from hermetic.deploy import Description
from hermetic.deploy.image import USER, resource
from hermetic.errors import AuthenticationError, SettingsError
from ports import free_port

LONGEST_START = 240
PIN = re.compile(r"^([a-z0-9-]+)==\S+.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


MOST_ADDED_BYTES = 250_000_000
SECRETS, STATE = "/run/secrets", "/var/lib/hermetic"


@pytest.fixture(scope="module")
def images() -> Iterator[Builder]:
    with builder() as found:
        yield found


@pytest.fixture(scope="module")
def context(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    (wheel,) = material.glob("*.whl")
    models = (material / "digits.hermetic",)
    rendered("docker", folder, Description("digits", models, wheel, tokens=material / "tokens"))
    return folder


@pytest.fixture(scope="module")
def image(images: Builder, context: Path) -> Image:
    """Built once: what differs between the tests is mounted, as Docker does it."""
    return images.build(context / "image", "digits:1")


@dataclass(frozen=True)
class Running:
    """A service of a rendered compose file, in its image."""

    image: Image
    service: dict[str, Any]
    mounts: dict[str, Path]
    port: int
    process: subprocess.Popen[str]

    def is_healthy(self) -> bool:
        check = self.image.start(self.image.healthcheck, self.service, self.mounts)
        return check.wait(timeout=LONGEST_START) == 0

    def status(self) -> dict[str, str]:
        """What the kernel says of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def running(image: Image, folder: Path) -> Iterator[Running]:
    """The service of a rendered compose file, healthy. It must end well when it is told to."""
    (folder / "secrets").chmod(0o755)  # Docker mounts the files, not their directory
    (state := folder / "state").mkdir()
    state.chmod(0o777)
    port = free_port()
    service = document(folder / "compose.yaml")["services"]["digits"]
    service["environment"] |= {"HERMETIC_PORT": str(port)}
    mounts = {SECRETS: folder / "secrets", STATE: state}
    process = image.start(image.command, service, mounts, stderr=subprocess.PIPE)
    found = Running(image, service, mounts, port, process)
    try:
        wait_until_healthy(found)
        yield found
    finally:
        process.terminate()
        _, log = process.communicate(timeout=LONGEST_START)
    assert process.returncode == 0, log
    assert any(json.loads(line).get("event") == "listening" for line in log.splitlines())
    assert not found.is_healthy()


def test_the_service_in_the_image_answers(image: Image, description: Description, tmp_path: Path, token: str) -> None:
    rendered("docker", tmp_path, description)
    with running(image, tmp_path) as service:
        url = f"http://127.0.0.1:{service.port}"
        with hermetic.connect(url, model="digits", token=token) as remote:
            assert_right(remote)
        assert len(list((tmp_path / "state/keys").rglob("*/clinic/*"))) == 1
        with pytest.raises(AuthenticationError):
            hermetic.connect(url, model="digits", token="wrong")
        assert_confined(service.status())


def assert_confined(status: dict[str, str]) -> None:
    assert {status["Uid"], status["Gid"]} == {"\t".join([str(USER)] * 4)}
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_the_service_in_the_image_speaks_tls(
    image: Image, description: Description, tmp_path: Path, token: str
) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    rendered("docker", tmp_path / "out", description, tls_certificate=certificate, tls_key=key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with (
        running(image, tmp_path / "out") as service,
        hermetic.connect(f"https://127.0.0.1:{service.port}", model="digits", token=token, verify=trust) as remote,
    ):
        assert_right(remote)


def assert_right(remote: RemoteModel) -> None:
    X = digits().X[:20]
    assert np.array_equal(remote.predict(X), digits().estimator.predict(X))


def wait_until_healthy(service: Running) -> None:
    deadline = time.monotonic() + LONGEST_START
    while not service.is_healthy():
        assert service.process.poll() is None, service.process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_nothing_in_the_image_can_be_written(image: Image, context: Path) -> None:
    service = document(context / "compose.yaml")["services"]["digits"]
    for place in ("/srv/hermetic/models/x", "/opt/hermetic/x", STATE + "/x", "/x"):
        assert "Read-only file system" in image.said(["touch", place], service)
    assert image.said(["sh", "-c", "touch /tmp/x && echo written"], service) == "written\n"
    assert "Permission denied" in image.said(["sh", "-c", "cp /bin/true /tmp/x && /tmp/x"], service)


def test_the_image_is_small(image: Image) -> None:
    assert 50_000_000 < image.added_bytes <= MOST_ADDED_BYTES


def test_the_bill_of_materials_is_what_the_image_holds(image: Image, context: Path) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    service = document(context / "compose.yaml")["services"]["digits"]
    held = json.loads(image.said(["/opt/hermetic/bin/python", "-c", code], service))
    bill = json.loads((context / "sbom.cdx.json").read_text())
    assert sorted((canonicalize_name(name), version) for name, version in held) == sorted(
        (one["name"], one["version"]) for one in bill["components"]
    )


def test_the_same_files_give_the_same_image(images: Builder, image: Image, context: Path, tmp_path: Path) -> None:
    shutil.copytree(context / "image", tmp_path / "elsewhere")
    assert images.build(tmp_path / "elsewhere", "digits:2").layers == image.layers


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


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    return {pin[1]: hashes(pin[0]) for pin in PIN.finditer(lock)}


def test_the_lock_of_the_service_is_part_of_the_projects_own() -> None:
    """Written by make lock. It holds what `hermetic[serve]` needs, at the versions everything is tested with."""
    pinned = pins(resource("serve.lock"))
    whole = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert closure("hermetic", frozenset({"serve"})) <= set(pinned)
    assert {name: whole[name] for name in pinned} == pinned


def test_the_lock_of_the_scoring_script_is_part_of_where_it_is_tested() -> None:
    """What an Azure environment installs is what the inference server of the tests runs with."""
    pinned = pins(resource("score.lock"))
    tested = pins((HOSTS / "azureml" / "requirements.lock").read_text(encoding="utf-8"))
    assert closure("hermetic", frozenset()) <= set(pinned)
    assert {name: tested[name] for name in pinned} == pinned


def test_the_lock_of_a_batch_job_has_what_it_needs() -> None:
    pinned = pins(resource("ray.lock"))
    assert closure("hermetic", frozenset({"ray"})) <= set(pinned)


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
