"""The benchmark of whole classifiers: its figures are of real encrypted predictions, and a peer that is not there says
why.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.classifiers import Missing, compare, report_lines, tumours_task
from benchmarks.peers import environments
from benchmarks.peers.environments import PEERS, Peer, run_peer

PEER = """
import argparse, json
import numpy as np
from measuring import labels, silence_stdout, timed

parser = argparse.ArgumentParser()
for name in ("--input", "--repeat", "--repeat-server", "--word"):
    parser.add_argument(name)
options = parser.parse_args()
with np.load(options.input) as arrays, silence_stdout() as out:
    print("chatter")
    times = []
    scores = timed(times, lambda: arrays["x"] @ arrays["coef"].T + arrays["intercept"])
    predicted = labels(scores)
    figures = dict.fromkeys(FIGURES, times[0])
    print(json.dumps(figures | {"name": options.word, "predicted": predicted}), file=out)
"""


def test_hermetic_predicts_as_the_plain_model_does() -> None:
    task = tumours_task()
    (report,) = compare(task, 2, peers=False)
    assert not isinstance(report, Missing)
    assert report["predicted"] == report["plain"] == list(task.estimators["hermetic"].predict(task.X))
    assert report["repeat"]["server"] == len(task.X) == len(task.y)
    assert report["max_error"] <= 1e-2
    lines = {line[0]: line[1] for line in report_lines(task, [report])}
    plain = np.mean(np.array(report["plain"]) == task.y)
    assert lines["accuracy, plain"] == lines["accuracy, encrypted"] == f"{plain:.1%}"
    assert lines["drop"] == "+0.0%"


def test_a_peer_that_does_not_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment of the tests, which has no Concrete ML."""
    monkeypatch.setattr(environments, "peer_python", lambda *named: Path(sys.executable))
    task = tumours_task()
    (missing,) = compare(replace(task, estimators={}, rivals=task.rivals[:1]), 1)
    assert missing == Missing("concrete-ml", "ModuleNotFoundError: No module named 'concrete'")


def test_a_peers_script_finds_what_the_scripts_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment of the tests: what a peer prints while it works does not reach its report."""
    (tmp_path / "peer.py").write_text(f"FIGURES = {sorted(environments.PeerReport.__annotations__)!r}\n{PEER}")
    (tmp_path / "measuring.py").write_text((environments.SCRIPTS / "measuring.py").read_text())
    monkeypatch.setattr(environments, "SCRIPTS", tmp_path)
    monkeypatch.setattr(environments, "peer_python", lambda *named: Path(sys.executable))
    monkeypatch.setitem(PEERS, "here", Peer("here", (), "peer.py", ("--word", "here")))
    data = tmp_path / "data.npz"
    np.savez(data, coef=np.eye(3), intercept=np.zeros(3), x=np.eye(3)[[2, 0, 1]])
    report = run_peer("here", data, repeat=1, repeat_server=1)
    assert report["name"] == "here" and report["predicted"] == [2, 0, 1] and report["server_ms"] > 0
