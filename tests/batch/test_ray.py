"""The engine on a cluster: two real nodes of Ray on this machine, in a network of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tabled import ROWS, Case

from hermetic.errors import SettingsError

HERE = Path(__file__).parent


def in_a_network_of_its_own(*command: str) -> subprocess.CompletedProcess[str]:
    """It goes before what else the machine does, where that may be said: Ray gives up nodes that start slowly."""
    modules = os.pathsep.join([str(HERE), str(HERE.parent), *sys.path])
    return subprocess.run(
        ["nice", "-n", "-15", "unshare", "--map-root-user", "--net", *command],
        capture_output=True, text=True, check=False, timeout=900, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": modules},
    )  # fmt: skip


def test_a_job_is_scored_on_two_nodes_and_survives_four_losses_of_one(tmp_path: Path) -> None:
    done = in_a_network_of_its_own(sys.executable, str(HERE / "ray_cluster.py"), str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [one for one in done.stdout.splitlines() if one.startswith('{"said"')]  # Ray prints remarks of its own
    found = json.loads(line)
    assert len(found["lost"]) == 4
    for said in found["said"]:
        assert (said["rows"], said["answered"], said["failures"]) == (ROWS, ROWS, [])


def test_without_ray_it_is_named(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setitem(sys.modules, "ray.data", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    case.encrypted()
    with pytest.raises(SettingsError, match=r"engine ray needs Ray. Install it with: pip install 'hermetic\[ray\]'"):
        case.scored(engine="ray://somewhere:10001")
