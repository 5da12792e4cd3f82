"""The browser's client: its own tests, in Node and in a real Chromium, each file as one test here.

They need what ``make browser`` installs: Node, the packages of ``browser/package-lock.json`` and Chromium.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BROWSER = Path(__file__).parents[2] / "browser"
TOOLS = BROWSER / "node_modules" / ".bin"
NODE = ("node", "--experimental-transform-types", "--no-warnings", "--test", "--test-reporter=spec")
SUITES = sorted((BROWSER / "test").glob("*.test.ts"))
TIMEOUT = 3600


def run(*command: str) -> None:
    if not (TOOLS / "tsc").exists() or shutil.which("chromium") is None:
        message = "the browser's client needs Node packages and Chromium: make browser"
        if os.environ.get("HERMETIC_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    environment = {
        **os.environ,
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
        "HERMETIC_PYTHON": sys.executable,
    }
    done = subprocess.run(
        command, cwd=BROWSER, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_there_are_suites() -> None:
    assert {"page.test.ts", "protocol.test.ts", "service.test.ts"} <= {path.name for path in SUITES}


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.name.removesuffix(".test.ts"))
def test_suite(suite: Path) -> None:
    run(*NODE, str(suite))


def test_types() -> None:
    run("tsc", "-p", ".")


def test_format() -> None:
    run("prettier", "--check", ".")
