"""One running service for every test that does not need settings of its own, and the stores that a service uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import Caller
from stores import StoreAt, azurite, s3

from fitted import digits, petals, tumours
from hermetic.object_stores import Store, open_store
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


@pytest.fixture(scope="module")
def az() -> Iterator[StoreAt]:
    with azurite() as one:
        yield one


@pytest.fixture(scope="module")
def s3_store() -> Iterator[StoreAt]:
    with s3() as one:
        yield one


@pytest.fixture
def empty_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Store]:
    """Opens an empty store of a kind; the cloud ones get a prefix of their own for every test."""

    def opened(kind: str) -> Store:
        if kind == "memory":
            return open_store("memory://")
        if kind == "directory":
            return open_store(str(tmp_path / "keys"))
        at: StoreAt = request.getfixturevalue("az" if kind == "az" else "s3_store")
        for name, value in at.environment.items():
            monkeypatch.setenv(name, value)
        return open_store(f"{at.url}/{request.node.name}")

    return opened
