"""The affine map that every estimator is read as."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from hermetic import CompileError
from hermetic.circuits.linear.public import MAX_FEATURES, MAX_OUTPUTS
from hermetic.compiler.linear import LinearMap, affine
from hermetic.compiler.side_by_side import side_by_side
from hermetic.compiler.sklearn import read_estimator
from hermetic.head import Head

WEIGHTS, BIAS = np.array([[1.0, -2, 0.5], [0, 3, -1]]), np.array([0.25, -4])
HEAD = Head("decision_function", "logistic", np.array([0, 1]), squeeze=True)


def scaled(scale: Any, shift: Any) -> LinearMap:
    return affine(np.diag(np.asarray(scale, dtype=np.float64)), np.asarray(shift, dtype=np.float64))


def vectors(*shape: int) -> Any:
    return arrays(np.float64, shape, elements=st.floats(-1e6, 1e6))


@given(vectors(2, 3), vectors(2), vectors(2, 3), vectors(2, 3), vectors(3))
def test_steps_before_a_map_become_part_of_it(w: Any, b: Any, scales: Any, shifts: Any, x: Any) -> None:
    """Two steps: x -> first -> second -> map. Rounding stays within the terms that were folded."""
    one = LinearMap(w, b, Head("predict")).after(scaled(scales[1], shifts[1])).after(scaled(scales[0], shifts[0]))
    exact = np.vectorize(Fraction, otypes=[object])
    stepped = exact(x)
    for scale, shift in zip(scales, shifts, strict=True):
        stepped = exact(scale) * stepped + exact(shift)
    expected = exact(w) @ stepped + exact(b)
    found = exact(one.weights) @ exact(x) + exact(one.bias)
    terms = one.terms @ np.abs(x) + np.abs(b) + one.folded
    assert (np.abs(found - expected) <= 20 * 2.0**-53 * terms + 1e-300).all()


def test_what_was_folded_adds_up() -> None:
    one = LinearMap(WEIGHTS, BIAS, Head("predict")).after(scaled([2.0, 1, 1], [1.0, -1, 0]))
    assert one.folded.tolist() == [3, 3]
    two = one.after(scaled(np.ones(3), [-1.0, 0, 10]))
    assert two.folded.tolist() == [3 + 2 + 5, 3 + 10]


def test_the_head_stays_when_steps_are_folded() -> None:
    one = LinearMap(WEIGHTS, BIAS, HEAD, feature_names=("a", "b", "c")).after(scaled(np.ones(3), np.ones(3)))
    assert one.head is HEAD
    assert one.feature_names is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_must_be_finite(value: float) -> None:
    broken = WEIGHTS.copy()
    broken[1, 2] = value
    with pytest.raises(CompileError, match=r"coefficients must be finite\. 1 of them"):
        LinearMap(broken, BIAS, Head("predict"))
    with pytest.raises(CompileError, match=r"intercepts must be finite\. 1 of them"):
        LinearMap(WEIGHTS, np.array([0, value]), Head("predict"))
    with pytest.raises(
        CompileError, match=r"coefficients must be finite\. 1 of them .* steps before the model included"
    ):
        LinearMap(WEIGHTS, BIAS, Head("predict")).after(scaled([1, 1, value], np.zeros(3)))


def test_overflow_in_folding_is_not_finite() -> None:
    with pytest.raises(CompileError, match="must be finite"):
        LinearMap(WEIGHTS * 1e200, BIAS, Head("predict")).after(scaled(np.full(3, 1e200), np.zeros(3)))


@pytest.mark.parametrize(
    ("weights", "bias", "words"),
    [
        (np.zeros((2, 3)), np.zeros(3), r"an intercept for each of its 2 outputs\. Got intercepts of shape \(3,\)"),
        (np.zeros((2, 0)), np.zeros(2), "Got one that takes 0 and gives 2: leave it out"),
        (np.zeros((0, 3)), np.zeros(0), "Got one that takes 3 and gives 0: leave it out"),
        (np.zeros((1, MAX_FEATURES + 1)), np.zeros(1), "at most 1,048,576 features .* Got 1,048,577 features"),
        (np.zeros((MAX_OUTPUTS + 1, 1)), np.zeros(MAX_OUTPUTS + 1), "1,048,576 outputs. Got .* 1,048,577 outputs"),
    ],
)
def test_shapes_must_fit(weights: np.ndarray, bias: np.ndarray, words: str) -> None:
    with pytest.raises(CompileError, match=words):
        LinearMap(weights, bias, Head("predict"))


def test_a_step_must_give_what_the_model_takes() -> None:
    with pytest.raises(CompileError, match=r"must give the 3 features that the next one takes\. Got one of 2 instead"):
        LinearMap(WEIGHTS, BIAS, Head("predict")).after(scaled(np.ones(2), np.ones(2)))


def test_terms_that_cancel_are_counted() -> None:
    """x + 1 - x: the weight is 0, the rounding is that of both terms."""
    twice = affine(np.array([[1.0], [1.0]]), np.array([1.0, 0]))
    one = LinearMap(np.array([[1.0, -1]]), np.zeros(1), Head("predict")).after(twice)
    assert one.weights.tolist() == [[0]]
    assert one.bias.tolist() == [1]
    # Two terms, and twice as many roundings as a model of one feature has.
    assert one.terms.tolist() == [[4]]
    assert one.folded.tolist() == [1]


def test_maps_of_the_same_inputs_are_stacked() -> None:
    first = LinearMap(WEIGHTS, BIAS, Head("predict")).after(scaled(np.ones(3), np.ones(3)))
    both = side_by_side([first, LinearMap(WEIGHTS, BIAS, Head("predict"))])
    assert both.weights.tolist() == [*WEIGHTS.tolist(), *WEIGHTS.tolist()]
    assert both.folded.tolist() == [3.5, 4, 0, 0]


@pytest.mark.parametrize("form", [sparse.csr_array, np.asarray])
def test_a_step_may_be_sparse(form: Any) -> None:
    step = affine(form(np.diag([1.0, 0, 2])), np.ones(3))
    one = LinearMap(WEIGHTS, BIAS, Head("predict")).after(step)
    assert one.weights.tolist() == (WEIGHTS * [1, 0, 2]).tolist()
    assert isinstance(step.dense().weights, np.ndarray)
    with pytest.raises(CompileError, match="coefficients must be finite"):
        affine(form(np.diag([1.0, np.nan, 2])))


def test_a_pipeline_is_read_as_one_map() -> None:
    X, y = load_wine(return_X_y=True)
    estimator = make_pipeline(MinMaxScaler((-1, 1)), StandardScaler(), LogisticRegression()).fit(X, y)
    one = read_estimator(estimator)
    assert np.allclose(X @ one.weights.T + one.bias, estimator.decision_function(X), rtol=0, atol=1e-12)


def test_names_come_from_whichever_step_saw_them() -> None:
    frame = load_iris(as_frame=True)
    model = Ridge()
    first = make_pipeline(StandardScaler(), model).fit(frame.data, frame.target)
    later = make_pipeline("passthrough", model).fit(frame.data, frame.target)
    for estimator in (first, later):
        assert read_estimator(estimator).feature_names == tuple(frame.data.columns)
    assert read_estimator(first[-1:].fit(frame.data.to_numpy(), frame.target)).feature_names is None


def test_a_model_that_would_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermetic.compiler.linear.MAX_WEIGHTS", 1000)
    assert affine(np.ones((10, 100))).dense()
    with pytest.raises(CompileError, match="at most 1,000 weights"):
        affine(np.ones((10, 101)))
    with pytest.raises(CompileError, match=r"at most 1,000 weights\. Got 10 outputs of 201 features, 2,010 weights"):
        affine(sparse.csr_array(np.ones((10, 201)))).dense()
