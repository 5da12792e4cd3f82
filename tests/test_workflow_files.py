"""The workflows of .github: actionlint finds nothing in them, and they run what the Makefile has."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ROOT / "tests" / "hosts" / "manifests" / ".venv" / "bin" / "actionlint"


def findings(*files: Path) -> list[dict[str, Any]]:
    done = subprocess.run([ACTIONLINT, "-format", "{{json .}}", *files], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_actionlint_finds_nothing() -> None:
    assert [path.name for path in WORKFLOWS] == ["release.yml", "test.yml", "wheels.yml"]
    assert findings(*WORKFLOWS) == []


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [("runs-on: ubuntu-24.04", "runs-on: ubuntu-1.0", "runner-label"), ("needs: build", "needs: nothing", "job-needs")],
)
def test_actionlint_would_find_something(old: str, new: str, kind: str, tmp_path: Path) -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "release.yml"
    changed.write_text(text.replace(old, new), encoding="utf-8")
    assert kind in {one["kind"] for one in findings(changed)}


def test_what_is_run_is_there() -> None:
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    edges = re.findall(r"edge: ([a-z]+)$", text, re.MULTILINE)
    assert edges == ["oldest", "newest"]
    assert set(edges) <= {name for line in targets for name in line.split()}
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_edges_are_tested_on_the_pythons_that_are_claimed() -> None:
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    claimed = [int(minor) for minor in re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', project)]
    tested = [int(minor) for minor in re.findall(r'^ +python: "3\.(\d+)"', text, re.MULTILINE)]
    assert tested == [min(claimed), max(claimed)]


def test_nothing_is_published_with_a_stored_secret() -> None:
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        assert "secrets." not in text, path.name
        assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE), path.name
