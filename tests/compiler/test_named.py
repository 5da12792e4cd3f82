"""Ranges and steps by the names of columns: names decide, not the order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

import hermetic
from hermetic import CompileError

X, Y = load_diabetes(return_X_y=True, as_frame=True)
X = X[["age", "bmi", "bp"]]
LOW, HIGH = X.min() - 0.1 * X.std(), X.max() + X.std()
MODEL = Ridge().fit(X, Y)
PLAIN = hermetic.compile(MODEL, input_range=(LOW.to_numpy(), HIGH.to_numpy())).signature

SHUFFLED = ["bp", "age", "bmi"]
FORMS: dict[str, Any] = {
    "Series": (LOW, HIGH),
    "Series in another order": (LOW[SHUFFLED], HIGH[SHUFFLED[::-1]]),
    "dicts": (dict(LOW[SHUFFLED]), HIGH.to_dict()),
    "a dict of pairs": {name: (LOW[name], HIGH[name]) for name in SHUFFLED},
    "a Series of pairs": pd.Series({name: (LOW[name], HIGH[name]) for name in SHUFFLED}),
    "a Series without names": (LOW.reset_index(drop=True), HIGH.to_numpy()),
}


@pytest.mark.parametrize("form", FORMS)
def test_names_decide_the_order(form: str) -> None:
    assert hermetic.compile(MODEL, input_range=FORMS[form]).signature == PLAIN


def test_a_number_may_stand_beside_names() -> None:
    assert hermetic.compile(MODEL, input_range=(-1, dict(HIGH))).signature.grid.lower.max() == -1


def test_names_are_those_of_the_sample_where_the_model_has_none() -> None:
    unnamed = Ridge().fit(X.to_numpy(), Y)
    model = hermetic.compile(unnamed, X, input_range=FORMS["dicts"])
    assert np.array_equal(model.signature.grid.lower, PLAIN.grid.lower)


def test_names_are_those_of_inputs_where_features_are_public() -> None:
    estimator = make_pipeline(PolynomialFeatures(2), Ridge()).fit(X, Y)
    found = [hermetic.compile(estimator, input_range=FORMS[form]).signature for form in ("Series", "a dict of pairs")]
    assert found[0] == found[1]


def test_steps_have_names_too() -> None:
    steps = {"bp": 0.5, "age": 0.25, "bmi": 1.0}
    one = hermetic.compile(MODEL, input_range=(-1, 1), input_step=steps).signature
    other = hermetic.compile(MODEL, input_range=(-1, 1), input_step=[0.25, 1.0, 0.5]).signature
    assert one == other
    assert one.grid.step.tolist() == [0.25, 1.0, 0.5]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ((dict(LOW), {"age": 1, "bmi": 1}), r"input_range must name every column, and no other: it lacks \['bp'\]\."),
        ((dict(LOW, s1=0), HIGH), r"no other: the model has no \['s1'\]"),
        ({"age": (0, 1), "BMI": (0, 1), "bp": (0, 1)}, r"it lacks \['bmi'\], and the model has no \['BMI'\]"),
        (
            {"age": 1, "bmi": (0, 1), "bp": (0, 1)},
            r"a pair \(smallest, largest\), or one for each name.* Got 1 in",
        ),
        ((0, 1, 2), r"must be a pair \(smallest, largest\)"),
    ],
)
def test_names_that_are_not_the_models_are_shown(limits: Any, words: str) -> None:
    with pytest.raises(CompileError, match=words):
        hermetic.compile(MODEL, input_range=limits)


def test_a_model_without_names_says_where_they_come_from() -> None:
    with pytest.raises(CompileError, match=r"columns have no names. Got dict with names: fit the model on a DataFrame"):
        hermetic.compile(Ridge().fit(X.to_numpy(), Y), input_range=(dict(LOW), 1))
