"""The image's health check, whatever its environment holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fitted import petals
from hermetic.deploy.health import is_alive
from live import serving


def test_it_asks_the_port_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, {"petals": petals().model}) as live:
        for port in (str(live.port), f" {live.port}\n"):
            monkeypatch.setenv("HERMETIC_PORT", port)
            assert is_alive()
    assert not is_alive()


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:8000", "udp://[fd00::1]:53"])
def test_what_kubernetes_sets_for_a_service_called_hermetic_is_no_port(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERMETIC_PORT", port)
    assert is_alive() in (True, False)  # of 8000, the default, where anything may listen: it asks instead of failing
