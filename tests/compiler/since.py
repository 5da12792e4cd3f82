"""Options that came to scikit-learn after the oldest version that is allowed: there, cases with them are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sklearn
from packaging.version import Version

T = TypeVar("T")

LEFT_OUT: list[str] = []
"""Why each case is not in its table; ``test_since.py`` prints them."""


def since(version: str, option: str, *cases: Callable[[], T]) -> list[T]:
    """What ``cases`` build with an ``option`` that scikit-learn has since ``version``; nothing before it."""
    if Version(sklearn.__version__) >= Version(version):
        return [case() for case in cases]
    LEFT_OUT.extend([f"{option} needs scikit-learn {version}"] * len(cases))
    return []
