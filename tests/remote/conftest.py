"""One service for all tests of a process, with the models of :mod:`served`; every test gets a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hermetic
from hermetic import RemoteModel
from in_process import URL, InProcess, running
from served import MODELS


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    models = {name: make().model for name, make in MODELS.items()}
    with running(tmp_path_factory.mktemp("service"), models) as service:
        yield service


@pytest.fixture
def service(shared_service: InProcess) -> InProcess:
    """The shared service, without the faults and memories of other tests."""
    balancer = shared_service.balancer
    balancer.seen.clear()
    balancer.planned.clear()
    balancer.most_open = 0
    return shared_service


@pytest.fixture
def connect(service: InProcess) -> Callable[..., RemoteModel]:
    """hermetic.connect to the shared service."""

    def connect(model: str = "digits", **options: Any) -> RemoteModel:
        return hermetic.connect(URL, model=model, transport=service.transport, **options)

    return connect
