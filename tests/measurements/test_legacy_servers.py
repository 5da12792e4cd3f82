"""The benchmark of legacy clients: the same requests through 0.9's own server and both of Hermetic's, all right."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import legacy
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

PYTHON = Path(__file__).parents[1] / "hosts" / "guide_client" / ".venv" / "bin" / "python"
"""An environment with encrypted-inference 0.9 that the tests have anyway; the benchmark makes one of its own."""


def test_three_servers_answer_the_same_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "peer_python", lambda *named: PYTHON)
    X, y = load_iris(return_X_y=True)
    classifier = LogisticRegression().fit(X, y == 1)
    rows = list(legacy.measure_legacy(classifier, X, repeat=1, new_clients=1))
    assert [one.name.split(",")[0] for one in rows] == [
        "encrypted-inference 0.9's own EIServer",
        "hermetic",
        "hermetic serve --legacy-clients",
    ]
    own, drop_in, service = rows
    for one in rows:
        assert one.relative_error <= 1e-5
        assert one.key_bytes == own.key_bytes > 8e6
        assert min(one.known_ms, one.first_ms, one.decrypt_ms) > 0
    assert own.request_bytes == drop_in.request_bytes < service.request_bytes
    heads, *lines = legacy.answered_lines(rows)
    assert heads == ["", *(one.name for one in rows)] and {len(line) for line in lines} == {4}
