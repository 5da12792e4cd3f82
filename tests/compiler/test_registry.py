"""The registry of readers: its words for the documentation, and the names in its messages."""

from __future__ import annotations

import importlib
import runpy
from importlib.metadata import version
from pathlib import Path

import pytest
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.utils import all_estimators

from hermetic.compiler.sklearn import ESTIMATORS, STEPS
from hermetic.compiler.sklearn.registry import DOCS, NEAREST
from locked import locked_version

ROOT = Path(__file__).parent.parent.parent
NAMED = "scikit-learn", "xgboost-cpu", "lightgbm", "interpret-core"
"""Libraries whose versions the page names."""


def test_the_page_is_what_the_registry_says() -> None:
    """It names the versions that it was written with, so only these can write it again."""
    other = [f"{one} {version(one)}" for one in NAMED if version(one) != locked_version(one)]
    if other:
        pytest.skip(f"{DOCS} is compared at the versions in requirements.lock. Got others: {', '.join(other)}")
    rendered = runpy.run_path(str(ROOT / "docs" / "make_models.py"))["render"]()
    assert (ROOT / DOCS).read_text(encoding="utf-8") == rendered, f"{DOCS} is out of date: run docs/make_models.py"


def test_the_nearest_are_supported_and_the_others_are_not() -> None:
    assert {one.partition("(")[0] for one in NEAREST.values()} <= {*ESTIMATORS, *STEPS}
    assert not {*NEAREST} & {*ESTIMATORS, *STEPS}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_name_is_a_class_of_its_library() -> None:
    names = {name for name, _ in all_estimators()}
    others = {name: one.library for name, one in ESTIMATORS.items() if one.library != "sklearn"}
    assert {*ESTIMATORS, *STEPS, *NEAREST} - {*others} <= names
    for name, library in others.items():
        home = importlib.import_module("interpret.glassbox" if library == "interpret" else library)
        assert isinstance(getattr(home, name), type)
