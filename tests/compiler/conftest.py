"""Estimators are small here: threads that wait for each other would take longer than the work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sklearn.ensemble  # noqa: F401  (threadpool_limits reaches only the libraries that are loaded)
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """One thread for BLAS and OpenMP."""
    with threadpool_limits(limits=1):
        yield
