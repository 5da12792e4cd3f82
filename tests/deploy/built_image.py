"""Building an image without Docker: its Dockerfile's own instructions, carried out below a directory of this machine.

Only the paths change, and the making of the user is left out. What is built runs as the image's user if the tests run
as root, and as the tests' own user otherwise. Python is the tests' own, copied if that user cannot reach it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_INSTALL = 1200
NOT_NEEDED = ("site-packages", "test", "idlelib", "config-*", "*.a")
PLACES = ("/opt/hermetic", "/srv/hermetic", "/var/lib/hermetic", "/run/secrets")
USER = 10001


@dataclass(frozen=True)
class Built:
    """The image's file system below ``root``, and what its Dockerfile says of running it."""

    root: Path
    entrypoint: list[str]
    healthcheck: list[str]

    def place(self, text: str) -> str:
        """The text with the image's paths replaced by those on this machine."""
        for path in PLACES:
            text = text.replace(path, f"{self.root}{path}")
        return text

    def start(self, command: list[str], environment: dict[str, str], **options: Any) -> subprocess.Popen[str]:
        """Run a command as the image's user, with this environment and nothing of the tests' own."""
        user = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
        variables = {name: self.place(value) for name, value in environment.items()} | libraries(self.root)
        return subprocess.Popen(
            [self.place(one) for one in command], env=variables, cwd=self.root, text=True, **user, **options
        )


def reachable(place: Path) -> bool:
    """Whether the image's user can read what is there."""
    return os.geteuid() != 0 or all(one.stat().st_mode & 0o005 == 0o005 for one in (place, *place.parents))


def python(root: Path) -> Path:
    """The base image's Python."""
    copied = root / "usr/local"
    prefix = copied if copied.exists() else Path(sys.base_prefix)
    return prefix / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def libraries(root: Path) -> dict[str, str]:
    """Where the copied Python finds its own shared library."""
    return {"LD_LIBRARY_PATH": str(root / "usr/local/lib")}


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Name and arguments of each; a line that ends in a backslash goes on."""
    lines = re.sub(r"\\\n", " ", dockerfile).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


@contextlib.contextmanager
def built(context: Path) -> Iterator[Built]:
    """Carry out the Dockerfile of a build context; everything is gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="image-", dir="/tmp"))
    root.chmod(0o755)
    said = instructions((context / "Dockerfile").read_text())
    last = dict(said)
    image = Built(
        root,
        json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"]),
        json.loads(last["HEALTHCHECK"].partition("CMD ")[2]),
    )
    try:
        if not reachable(Path(sys.base_prefix)):
            shutil.copytree(sys.base_prefix, root / "usr/local", symlinks=True, ignore=_ignored)
        for path in PLACES:
            (root / path.lstrip("/")).mkdir(parents=True)
        _own(root / "var/lib/hermetic")
        for name, arguments in said:
            if name == "COPY":
                _copy(image, context, arguments)
            elif name == "RUN" and "useradd" not in arguments:
                _run(image, arguments)
        yield image
    finally:
        shutil.rmtree(root)


def _ignored(folder: str, names: list[str]) -> set[str]:
    """Everything in the prefix but this Python and its libraries."""
    if folder == sys.base_prefix:
        return set(names) - {"bin", "lib"}
    return set(shutil.ignore_patterns(*NOT_NEEDED)(folder, names))


def _copy(image: Built, context: Path, arguments: str) -> None:
    options = [one for one in arguments.split() if one.startswith("--")]
    *sources, target = [one for one in arguments.split() if not one.startswith("--")]
    place = image.root / "srv/hermetic" / target
    for source in sources:
        if (context / source).is_dir():
            shutil.copytree(context / source, place)
        else:
            shutil.copy(context / source, place)
    if f"--chown={USER}:{USER}" in options:
        _own(place)


def _own(place: Path) -> None:
    if os.geteuid() == 0:
        for one in (place, *place.rglob("*")):
            os.chown(one, USER, USER)


def _run(image: Built, command: str) -> None:
    """In the work directory, with the tests' Python as the base image's."""
    script = re.sub(r"^python ", f"{python(image.root)} ", image.place(command))
    done = subprocess.run(
        ["sh", "-ec", script], cwd=image.root / "srv/hermetic", capture_output=True, text=True, timeout=LONGEST_INSTALL,
        check=False, env=os.environ | libraries(image.root),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
