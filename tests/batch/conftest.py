"""The case that every test of jobs is about, fitted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tabled import Case, case_in


@pytest.fixture(scope="session")
def fitted_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_in(tmp_path_factory.mktemp("fitted"))


@pytest.fixture
def case(tmp_path: Path, fitted_case: Case) -> Case:
    """In a folder of its own."""
    return replace(fitted_case, folder=tmp_path)
