"""What an old scikit-learn leaves out of the tables, in the summary of the tests that were skipped."""

from __future__ import annotations

from collections import Counter

import pytest
import sklearn
from packaging.version import Version

from locked import locked_version

from . import since, test_estimators, test_own_precision, test_wrapped

TABLES = test_estimators.EVERY, test_own_precision.CASES, test_wrapped.REFUSED
"""Of the modules with cases that need a newer version."""


def test_no_case_is_left_out_at_the_locked_version_and_older_ones_say_which() -> None:
    if Version(sklearn.__version__) < Version(locked_version("scikit-learn")):
        counts = Counter(since.LEFT_OUT)
        told = "; ".join(f"{reason} ({count})" for reason, count in counts.items())
        pytest.skip(f"{counts.total()} cases are left out with scikit-learn {sklearn.__version__}: {told}")
    assert not since.LEFT_OUT


def test_a_case_is_left_out_with_its_reason_before_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(since, "LEFT_OUT", [])
    monkeypatch.setattr(sklearn, "__version__", "1.7.2")
    assert since.since("1.7", "alphas=3", lambda: "one") == ["one"]
    assert since.since("1.10", "a later option", lambda: 1 / 0, lambda: 1 / 0) == []
    assert since.LEFT_OUT == ["a later option needs scikit-learn 1.10"] * 2
