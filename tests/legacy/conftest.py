"""One real client of 0.9 for all tests of its format: making its keys takes seconds."""

from collections.abc import Iterator

import pytest
from legacy_client import LegacyClient, legacy_client


@pytest.fixture(scope="session")
def old() -> Iterator[LegacyClient]:
    with legacy_client() as client:
        yield client
