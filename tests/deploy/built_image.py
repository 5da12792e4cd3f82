"""Building an image from its Dockerfile with buildah, and running it as the compose file says; neither needs a daemon.

The base is a Debian with Python (``make base-image``), under the name that the Dockerfile has. What runs is the image's
own files, in a mount namespace: read-only, as the image's user, without capabilities. Limits of memory and processor
need control groups that a test may not make, so they are left out.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rendering import ROOT

from hermetic.deploy.description import BASE_IMAGE

LONGEST_BUILD = 1200
BASE = ROOT / "build" / "base-image" / "files.tar"
BASE_DOCKERFILE = f"FROM scratch\nADD {BASE.name} /\nRUN ln -s python3 /usr/bin/python\n"
AS_ROOT = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
# What of pip's settings says where packages come from.
PIP_PLACES = ("cert", "find-links", "index-url", "proxy", "trusted-host")

RUN = """\
set -e
root=$1 user=$2 tmp=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o "$tmp" tmpfs "$root/tmp"
while [ "$1" != -- ]; do mkdir -p "$root/$2"; mount --bind "$1" "$root/$2"; shift 2; done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all --no-new-privs "$@"
"""


@dataclass(frozen=True)
class Image:
    """A built image: its files, what it says of itself, and bytes beyond its base."""

    tag: str
    root: Path
    config: dict[str, Any]
    layers: list[str]
    added_bytes: int

    @property
    def command(self) -> list[str]:
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def healthcheck(self) -> list[str]:
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return command

    def start(
        self, command: Sequence[str], service: dict[str, Any], mounts: dict[str, Path], **options: Any
    ) -> subprocess.Popen[str]:
        """Run a command in the image, confined as the compose file's service says."""
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        (place, _, tmp), user = service["tmpfs"][0].partition(":"), service["user"].partition(":")[0]
        assert place == "/tmp"
        bound = [str(one) for path, source in mounts.items() for one in (source, path.lstrip("/"))]
        variables = dict(one.split("=", 1) for one in self.config["Env"]) | service["environment"]
        environment = [f"{name}={value}" for name, value in variables.items()]
        inside = ["env", "-i", "-C", self.config["WorkingDir"], *environment, *command]
        where = [str(self.root), user, tmp]
        whole = [*AS_ROOT, "unshare", "--mount", "sh", "-c", RUN, "sh", *where, *bound, "--", *inside]
        return subprocess.Popen(whole, text=True, **options)

    def said(self, command: Sequence[str], service: dict[str, Any], **mounts: Path) -> str:
        """What a command prints, whatever it ends with."""
        process = self.start(command, service, mounts, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return process.communicate(timeout=LONGEST_BUILD)[0]


@dataclass(frozen=True)
class Builder:
    """Images in a store of its own."""

    folder: Path

    def buildah(self, *arguments: str | Path) -> str:
        """What it prints; AssertionError with its reasons if it fails."""
        store = ["--root", self.folder / "store", "--runroot", self.folder / "run", "--storage-driver", "vfs"]
        command = [*AS_ROOT, "buildah", *map(str, [*store, *arguments])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_BUILD)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return done.stdout

    def build(self, context: Path, tag: str) -> Image:
        """As a user of buildah does it, and with this machine's own settings of pip."""
        options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--no-cache", "--timestamp", "0"]
        self.buildah("bud", *options, *self._pip_settings(), "--tag", tag, context)
        container = self.buildah("from", "--pull-never", tag).strip()
        inspected = json.loads(self.buildah("inspect", "--type", "image", tag))
        return Image(
            tag,
            Path(self.buildah("mount", container).strip()),
            inspected["Docker"]["config"],
            inspected["Docker"]["rootfs"]["diff_ids"],
            sum(layer["size"] for layer in json.loads(inspected["Manifest"])["layers"][1:]),
        )

    def base(self) -> None:
        """The base image, from its files."""
        assert BASE.exists(), f"{BASE} must be there. make base-image makes it"
        (self.folder / "Dockerfile").write_text(BASE_DOCKERFILE)
        file, tag = self.folder / "Dockerfile", f"docker.io/library/{BASE_IMAGE}"
        self.buildah("bud", "--isolation", "chroot", "--format", "docker", "--tag", tag, "--file", file, BASE.parent)

    def _pip_settings(self) -> list[str]:
        command = [sys.executable, "-m", "pip", "config", "list"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = {}
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if (name := name.rpartition(".")[2]) in PIP_PLACES:
                found[name] = ast.literal_eval(value)
        file = self.folder / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in found.items()))
        places = {word for value in found.values() for word in value.split() if Path(word).exists()}
        mounts = [f"{file}:/etc/pip.conf:ro", *(f"{place}:{place}:ro" for place in sorted(places))]
        return [f"--volume={mount}" for mount in mounts]


@contextlib.contextmanager
def builder() -> Iterator[Builder]:
    """With the base image; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="images-"))
    found = Builder(folder)
    try:
        found.base()
        yield found
    finally:
        found.buildah("rm", "--all")
        subprocess.run([*AS_ROOT, "rm", "-rf", str(folder)], check=True)
