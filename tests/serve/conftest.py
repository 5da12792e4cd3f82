"""One running service for every test that does not need settings of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asking import Caller

from fitted import digits, petals, tumours
from live import Live, serving


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """``hermetic serve`` with three models and two evaluation processes."""
    models = {one.signature.name: one.model for one in (digits(), petals(), tumours())}
    with serving(tmp_path_factory.mktemp("service"), models, "--workers", "2") as live:
        yield live


@pytest.fixture(scope="session")
def known(service: Live) -> Caller:
    """A caller whose public key is stored."""
    caller = Caller(service.url, digits())
    assert caller.put_key().status_code == 201
    return caller
