"""Rendering a real model, and the validators of whoever reads what was rendered."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from hermetic.deploy import Description, Rendered, render
from hermetic.serve.access import append_line, new_token, token_line

ROOT = Path(__file__).parent.parent.parent
HOSTS = ROOT / "tests" / "hosts"
TOOLS = HOSTS / "manifests" / ".venv" / "bin"
AZUREML = HOSTS / "azureml" / ".venv" / "bin" / "python"
CHECK = (TOOLS / "python", HOSTS / "manifests" / "check.py")
REGISTRY = "example.azurecr.io"


def build_wheel(folder: Path) -> Path:
    """Hermetic's wheel, as a user builds it. The build backend is this environment's: nothing is downloaded.

    Processes that test at the same time build in the same folder, so they wait for each other.
    """
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    with (ROOT / "build" / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=960)
    (wheel,) = folder.glob("hermetic-*.whl")
    return wheel


def new_tokens(file: Path) -> str:
    """A tokens file with one tenant; gives the token."""
    token = new_token()
    append_line(file, token_line("clinic", token))
    return token


def rendered(target: str, directory: Path, description: Description, **changes: Any) -> Rendered:
    return render(target, replace(description, **changes), directory)


def document(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def checked(*command: str | Path) -> str:
    """What a validator prints; AssertionError with its reasons if it does not accept the files."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=480)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(*command: str | Path) -> bool:
    return subprocess.run(list(map(str, command)), capture_output=True, check=False, timeout=480).returncode != 0


def check_manifests(*files: Path) -> None:
    checked(*CHECK, *files)
