"""One real client of 0.9 for all tests of its format: making its keys takes seconds."""

from collections.abc import Iterator

import pytest
from old_client import OldClient, old_client


@pytest.fixture(scope="session")
def old() -> Iterator[OldClient]:
    with old_client() as client:
        yield client
