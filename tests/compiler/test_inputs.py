"""The public range of the inputs: what is found in a sample, what the caller says, and where they contradict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

import hermetic
from hermetic import CompileError
from hermetic.compiler.inputs import InputRange, input_range
from hermetic.compiler.sample import Sample
from hermetic.demo.mnist import load_mnist

BITS = (2, 3, 17, 40)
"""Resolutions of inputs that are not exact."""


def found(X: Any, limits: Any = None, step: Any = None, names: tuple[str, ...] | None = None) -> InputRange:
    """The range of a sample whose second axis, or only one, is the features."""
    features = X.shape[-1] if hasattr(X, "shape") else np.shape(X)[-1]
    return input_range(features, Sample(X, features, names), limits, step)


def said(limits: Any, step: Any = None, features: int = 2) -> InputRange:
    """The range that the caller says, without a sample."""
    return input_range(features, None, limits, step)


def assert_holds(one: InputRange, X: Any) -> None:
    """Every value is in the range, and where a client encrypts it, it is as near its grid point as promised."""
    values = np.atleast_2d(np.asarray(X, dtype=np.float64))
    assert (one.lower <= values).all()
    assert (values <= one.upper).all()
    for bits in BITS if one.step is None else BITS[:1]:
        grid = one.grid(bits)
        points = grid.offset + grid.quantize(values) * grid.step
        assert (np.abs(points - values) <= grid.slack * grid.step * (1 + 1e-9)).all()


# Exact inputs


def test_bytes_are_0_to_255_whatever_the_sample_holds() -> None:
    one = found(np.array([[3, 7], [9, 200]], dtype=np.uint8))
    assert (one.lower.tolist(), one.upper.tolist(), one.step.tolist()) == ([0, 0], [255, 255], [1, 1])


def test_real_images_are_exact() -> None:
    images = load_mnist().train_images[:2000].reshape(2000, 784)
    for X in (images, images.astype(np.float64), images.astype(np.int64)):
        one = found(X)
        assert (set(one.lower), set(one.upper), set(one.step)) == ({0}, {255}, {1})
        assert_holds(one, X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_real_images_divided_by_255_are_exact(dtype: type) -> None:
    X = (load_mnist().train_images[:2000].reshape(2000, 784).astype(dtype) / dtype(255)).astype(dtype)
    one = found(X)
    assert (set(one.lower), set(one.upper), set(one.step)) == ({0}, {1}, {1 / 255})
    assert_holds(one, X)
    assert set(np.rint(X * 255).flat) == set(one.grid(2).quantize(X.astype(np.float64)).reshape(-1) + 128)


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-7, 1e-8, 1e-9, 1e-12, 1e-18, 1e-30])
def test_small_numbers_are_no_black_pixels(size: float) -> None:
    """Amounts in mol or lengths in metres, alone and beside a flag."""
    small = load_iris().data[::10] * size
    for X in (small, np.column_stack([small, np.arange(len(small)) % 2])):
        one = found(X)
        assert one.step is None
        assert_holds(one, X)
        assert len(np.unique(one.grid(12).quantize(X)[:, 2])) == len(np.unique(X[:, 2]))


def test_truth_values_are_0_and_1() -> None:
    for X in (
        np.array([[True, False], [True, True]]),
        [[1, 0], [1, 1]],
        sparse.csr_array([[True, False], [True, True]]),
    ):
        one = found(X)
        assert (one.lower.tolist(), one.upper.tolist(), one.step.tolist()) == ([0, 0], [1, 1], [1, 1])


def test_small_counts_have_the_range_of_their_bits() -> None:
    """All features together, so that one that happens to be constant has a range as well."""
    one = found(load_digits().data)
    assert (set(one.lower), set(one.upper), set(one.step)) == ({0}, {31}, {1})


@pytest.mark.parametrize("second", [(1000, 30_000, 1), (-1, 0, 1)])
def test_other_whole_numbers_are_exact_in_a_widened_range(second: tuple[int, int, int]) -> None:
    X = np.array([(-7, 5, 0), second]).T
    one = found(X)
    assert one.step.tolist() == [1, 1]
    assert (one.lower < X.min(axis=0)).all()
    assert (one.upper > X.max(axis=0)).all()
    assert_holds(one, X)


def test_numbers_of_any_type_are_numbers() -> None:
    rows = [[-1, 300], [4, 7]]
    expected = found(np.array(rows, dtype=np.int64))
    for dtype in (object, np.int16, np.float16, np.float32, np.longdouble):
        one = found(np.array(rows, dtype=dtype))
        assert np.array_equal(one.lower, expected.lower)
        assert np.array_equal(one.upper, expected.upper)
        assert np.array_equal(one.step, expected.step)


def test_whole_numbers_beyond_any_step_are_real_numbers() -> None:
    X = np.array([[10**18, -(2**62)], [3, 2**62], [5, 5]])
    one = found(X)
    assert one.step is None
    assert_holds(one, X)
    assert found(np.array([[10**30, 1], [0, 3]], dtype=object)).step is None


# Real inputs


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_wine, load_diabetes])
def test_ranges_of_real_data_hold_it_and_publish_no_extreme(load: Any) -> None:
    X = load().data
    one = found(X)
    assert one.step is None
    assert_holds(one, X)
    width = X.max(axis=0) - X.min(axis=0)
    for published, extreme in ((one.lower, X.min(axis=0)), (one.upper, X.max(axis=0))):
        assert (np.abs(published - extreme) >= 0.1 * width * (1 - 1e-9)).all()
        assert (np.abs(published - extreme) <= 0.21 * width).all()
        digits = 10.0 ** (np.floor(np.log10(width)) - 1)
        assert np.abs(published / digits - np.rint(published / digits)).max() < 1e-6


def test_samples_that_differ_a_little_publish_the_same() -> None:
    """Rounding is what hides the extremes: widening alone could be computed backwards."""
    X = load_breast_cancer().data
    moved = X.copy()
    moved[np.arange(X.shape[1]) % len(X), np.arange(X.shape[1])] *= 1.0001
    one, other = found(X), found(moved)
    assert np.array_equal(one.lower, other.lower)
    assert np.array_equal(one.upper, other.upper)


def test_published_numbers_are_short() -> None:
    one = found(load_iris().data)
    assert (one.lower.tolist(), one.upper.tolist()) == ([3.9, 1.7, 0.4, -0.2], [8.3, 4.7, 7.5, 2.8])


def test_an_outlier_is_part_of_the_range() -> None:
    X = load_iris().data.copy()
    X[7, 2] = -1e6 - 0.5
    assert_holds(found(X), X)


reals = st.floats(-1e12, 1e12, allow_subnormal=True) | st.floats(-1e-12, 1e-12) | st.floats(-1e90, 1e90)


@given(st.lists(st.tuples(reals, reals, reals), min_size=2, max_size=6))
def test_every_range_that_is_found_holds_its_sample(rows: list[tuple[float, float, float]]) -> None:
    X = np.array(rows)
    one = found(X)
    assert_holds(one, X)
    if one.step is None:
        assert (one.lower < X.min(axis=0)).all()
        assert (one.upper > X.max(axis=0)).all()


@given(
    st.floats(1e-6, 1e6),
    st.floats(-1e3, 1e3),
    st.lists(st.tuples(st.integers(-(10**4), 10**4), st.integers(0, 10**4)), min_size=2, max_size=6),
)
@example(1.0, 1.1029708e-32, [(0, 0), (0, 0)])
def test_every_range_on_given_steps_holds_its_sample(step: float, anchor: float, rows: list[tuple[int, int]]) -> None:
    X = anchor + step * np.array(rows)
    one = found(X, step=step)
    assert one.step.tolist() == [step, step]
    assert (one.lower < X.min(axis=0)).all()
    assert (one.upper > X.max(axis=0)).all()
    assert_holds(one, X)


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
@example(1e9, 3 * np.spacing(1e9))
def test_a_grid_reaches_both_ends_of_its_range(lower: float, width: float) -> None:
    upper = lower + width
    if not lower < upper:
        return
    one = said((lower, upper), features=1)
    for bits in BITS:
        grid = one.grid(bits)
        ends = grid.quantize(np.array([[lower], [upper]]))
        assert (np.abs(ends) <= 1 << (bits - 1)).all()


# What the caller says


def test_limits_are_taken_as_they_are() -> None:
    one = said((-1, [2, 3.5]))
    assert (one.lower.tolist(), one.upper.tolist(), one.step) == ([-1, -1], [2, 3.5], None)


def test_limits_take_their_step_from_a_sample_that_has_one() -> None:
    assert found(np.array([[1, 2], [3, 4.0]]), (0, 10)).step.tolist() == [1, 1]
    assert found(np.array([[0.2, 1], [0.6, 0]]), (-1, 1)).step.tolist() == [1 / 255, 1 / 255]
    assert found(np.array([[1, 2], [3, 4.0]]), (0.5, 10)).step is None, "0.5 is no whole number"
    assert found(np.array([[1, 2], [3, 4.0]]), (0, 10**7)).step is None, "too many steps to be exact"
    assert found(np.array([[1.5, 2], [3, 4.0]]), (0, 10)).step is None


def test_limits_need_no_sample_that_varies() -> None:
    X = np.array([[0.5, 0.1], [0.5, 0.3]])
    assert found(X, (0, 1)).upper.tolist() == [1, 1]


def test_a_step_of_0_makes_whole_numbers_real_ones() -> None:
    X = load_iris().data.round()
    assert found(X).step is not None
    one = found(X, step=0)
    assert one.step is None
    assert_holds(one, X + 0.01)
    assert found(X, (0, 10), 0).step is None
    assert said((0, 10), 0).step is None


def test_steps_may_differ_by_feature() -> None:
    one = said((0, [1, 10]), [0.25, 0.5])
    grid = one.grid(2)
    assert (grid.high - grid.low).tolist() == [4, 20]
    assert (grid.lower.tolist(), grid.upper.tolist()) == ([0, 0], [1, 10])


def test_a_step_without_limits_starts_from_the_sample() -> None:
    X = np.array([[0.1, 100.25], [2.1, 103.75]])
    one = found(X, step=[0.5, 0.25])
    assert one.step.tolist() == [0.5, 0.25]
    assert_holds(one, X)
    assert_holds(one, X + one.step)


@pytest.mark.parametrize(
    ("limits", "step", "message"),
    [
        ((1, 1), None, r"smallest below largest for every feature\. Got 1 and 1 for feature 0"),
        ((0, [1, -1]), None, "Got 0 and -1 for feature 1"),
        ((0, np.inf), None, "must be finite"),
        ((np.nan, 1), None, "must be finite"),
        ((-1e101, 1), None, "must be finite"),
        ((0, [1, 2, 3]), None, r"arrays of shape \(2,\)"),
        ((0, "much"), None, "input_range must be made of numbers"),
        (5, None, r"must be a pair \(smallest, largest\)\. Got 5"),
        ((0, 1, 2), None, r"must be a pair \(smallest, largest\)"),
        ((0, 1), -0.1, "input_step must be positive"),
        ((0, 1), [0.1, 0], r"or 0 for all .* Got 0 for feature 1"),
        ((0, 1), np.nan, "input_step must be positive"),
        ((0, 1), 0.3, r"Got 3\.33333333 steps of 0\.3 for feature 0"),
        ((0, 1), 2, r"Got 0\.5 steps"),
        ((0, 1e6), 1e-9, r"at most 2\^48 steps"),
        ((0, 1), [1, 1, 1], r"input_step must be made of numbers or arrays of shape \(2,\)"),
    ],
)
def test_what_cannot_be_is_refused(limits: Any, step: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        said(limits, step)


def test_a_range_must_come_from_somewhere() -> None:
    with pytest.raises(CompileError, match="Pass X_sample or input_range"):
        input_range(2, None, None, None)
    with pytest.raises(CompileError, match="Pass X_sample or input_range"):
        input_range(2, None, None, 1)


@pytest.mark.parametrize(
    ("limits", "step", "message"),
    [
        ((0, 3), None, r"Feature 1 reaches from 2 to 4 in the sample, beyond 0 to 3: widen input_range"),
        ((1.5, 9), None, "Feature 0 reaches from 1 to 3"),
        ((0, 9), 3, r"on the steps of input_range.* pass the right input_step, or 0"),
        ((0.5, 9.5), 1, "on the steps of input_range"),
        (None, 0.3, "on the steps of input_range"),
    ],
)
def test_a_sample_that_contradicts_is_refused(limits: Any, step: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        found(np.array([[1, 2], [3, 4], [2, 4]]), limits, step)


def test_every_row_of_a_large_sample_is_held_against_the_limits() -> None:
    X = np.zeros((200_000, 8))
    X[150_001, 5] = 2
    with pytest.raises(CompileError, match="Feature 5 reaches"):
        found(X, (0, 1))
    X[150_001, 5] = 0.5
    with pytest.raises(CompileError, match="on the steps"):
        found(X, (0, 1), 1)


def test_constant_columns_reach_from_0_to_their_value(caplog: pytest.LogCaptureFixture) -> None:
    X = load_iris().data.copy()
    X[:, 2] = -1.25
    X[:, 1] = np.nextafter(1.25, 2, where=np.arange(len(X)) % 2 == 0, out=np.full(len(X), 1.25))
    X[:, 3] = 0
    one = found(X)
    assert one.lower.tolist() == [3.9, -0.2, -1.4, -0.1]
    assert one.upper.tolist() == [8.3, 1.4, 0.2, 1.1]
    assert "Feature 1 never varies in X_sample (3 such features)" in caplog.text
    assert_holds(one, X)


@given(st.lists(reals, min_size=1, max_size=4))
def test_one_sample_has_a_range(row: list[float]) -> None:
    X = np.array(row)
    one = found(X)
    assert_holds(one, X[None])
    assert (one.lower <= 0).all()
    assert (one.upper >= 0).all()


def test_values_that_no_score_can_come_from_are_refused() -> None:
    with pytest.raises(CompileError, match=r"Feature 1 of X_sample reaches 1e\+200: check its units"):
        found(np.array([[0, 1e200], [1, 0]]))


# Forms of samples


@pytest.mark.parametrize("X", [load_digits().data, load_iris().data, load_diabetes().data])
def test_every_form_of_a_sample_gives_the_same_range(X: np.ndarray) -> None:
    expected = found(X)
    forms = [
        pd.DataFrame(X),
        sparse.csr_array(X),
        sparse.csc_matrix(X),
        sparse.coo_array(X),
        X.tolist(),
        X.astype(object),
    ]
    for form in forms:
        one = found(form)
        assert np.array_equal(one.lower, expected.lower)
        assert np.array_equal(one.upper, expected.upper)
        assert (one.step is None) == (expected.step is None)


def test_sparse_samples_count_their_zeros_and_their_duplicates() -> None:
    X = sparse.coo_array(([100.5, 200.25, 300.0, 4.0], ([0, 0, 1, 2], [0, 0, 1, 0])), shape=(3, 2))
    assert_holds(found(X), X.toarray())
    halves = np.array([100.5, 200.5, 300.0])
    duplicated = sparse.csr_array((halves, np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    one = found(duplicated)
    assert one.step.tolist() == [1, 1], "the values are 301 and 300"
    assert_holds(one, duplicated.toarray())
    assert duplicated.nnz == 3, "the caller's matrix stays as it was"


def test_a_sample_may_be_a_single_vector_where_a_range_is_known() -> None:
    assert found(np.array([3, 200, 7], dtype=np.uint8)).upper.tolist() == [255] * 3
    assert found([0.5, 0.25], (0, 1)).upper.tolist() == [1, 1]


def test_rows_are_spread_over_the_sample() -> None:
    X = np.arange(20.0).reshape(10, 2)
    for form in (X, sparse.csr_array(X)):
        sample = Sample(form, 2, None)
        assert sample.rows(100).tolist() == X.tolist()
        assert sample.rows(3)[:, 0].tolist() == [0, 8, 18]
        assert sample.rows(1).shape == (1, 2)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 2)), r"shape \(n, 3\)\. Got \(3, 2\)"),
        (np.zeros((0, 3)), r"Got \(0, 3\)"),
        (np.zeros((2, 2, 3)), r"Got \(2, 2, 3\)"),
        (np.zeros(2), r"shape \(n, 3\)"),
        (3.5, r"Got \(\)"),
        (sparse.csr_array((3, 2)), r"Got \(3, 2\)"),
        ([[1, 2, np.nan]], "Feature 2 holds NaN or infinity"),
        ([[1, -np.inf, 3]], "Feature 1 holds NaN or infinity"),
        (sparse.csr_array([[1, 2, np.nan]]), "Feature 2 holds NaN"),
        ([["a", "b", "c"]], "dtype is <U1"),
        ([["1", "2", "3"]], "X_sample must be real numbers"),
        ([[1j, 2, 3]], "dtype is complex128"),
        (sparse.csr_array([[1j, 2, 3]]), "dtype is complex128"),
        (np.array([["2020-01-01"] * 3], dtype="M8[D]"), "dtype is datetime64"),
        ([[1, 2, None]], "Feature 2 holds NaN"),
        (np.array([[1, "x", 3]], dtype=object), "X_sample must be real numbers"),
        (np.array([[1, 10**400, 3]], dtype=object), "X_sample must be real numbers"),
        ([[1, 2], [1, 2, 3]], "X_sample must be real numbers"),
        (pd.DataFrame({"a": [1.0], "b": [None], "c": ["x"]}), "X_sample must be real numbers"),
    ],
)
def test_what_is_no_sample_is_refused(X: Any, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        Sample(X, 3, None)


def test_a_sample_by_name_is_the_same_sample_in_any_order() -> None:
    frame = load_iris(as_frame=True).data
    estimator = LinearRegression().fit(frame, load_iris().target)
    expected = hermetic.compile(estimator, frame)
    assert hermetic.compile(estimator, frame[frame.columns[::-1]].assign(target=0)).signature == expected.signature
    with pytest.raises(CompileError, match=r"X_sample must fit the model: .* Missing: 'petal width \(cm\)'\."):
        hermetic.compile(estimator, frame.iloc[:, :3])


def test_limits_by_name_are_the_same_limits_in_any_order() -> None:
    frame = load_iris(as_frame=True).data
    estimator = LinearRegression().fit(frame, load_iris().target)
    low, high = frame.min() - 1, frame.max() + 1
    expected = hermetic.compile(estimator, input_range=(low.to_numpy(), high.to_numpy())).signature
    backwards = list(frame.columns[::-1])
    for limits in (
        (low[backwards], high),
        (dict(low[backwards]), dict(high)),
        ({**low, "target": 0}, high[backwards]),
        {name: (low[name], high[name]) for name in backwards},
        pd.DataFrame([low, high])[backwards],
    ):
        assert hermetic.compile(estimator, input_range=limits).signature == expected
    with pytest.raises(CompileError, match=r"input_range must fit the model: .* Missing: 'sepal length \(cm\)'"):
        hermetic.compile(estimator, input_range=(low.iloc[1:], high))
    step = pd.Series(0.5, low.index)[backwards]
    step[backwards[0]] = 0.25
    wide = (np.floor(low), np.ceil(high))
    by_name = hermetic.compile(estimator, input_range=wide, input_step=step).signature
    assert by_name == hermetic.compile(estimator, input_range=wide, input_step=step[frame.columns].to_numpy()).signature


def test_limits_by_name_may_stand_beside_a_number() -> None:
    frame = load_iris(as_frame=True).data
    model = hermetic.compile(LinearRegression().fit(frame, load_iris().target), input_range=(-1, dict(frame.max() + 1)))
    np.testing.assert_allclose(model.signature.grid.lower, -1)


def test_names_of_limits_are_those_of_the_sample_where_the_model_has_none() -> None:
    frame = load_iris(as_frame=True).data
    low, high = frame.min() - 1, frame.max() + 1
    estimator = LinearRegression().fit(frame.to_numpy(), load_iris().target)
    found = hermetic.compile(estimator, frame, input_range=(low[::-1], dict(high[::-1]))).signature
    assert found == hermetic.compile(estimator, frame, input_range=(low.to_numpy(), high.to_numpy())).signature
    with pytest.raises(
        CompileError, match=r"input_range must fit the model: .* the model has none: pass rows of numbers"
    ):
        hermetic.compile(estimator, input_range=(dict(low), 9))


def test_names_of_limits_are_those_of_inputs_where_features_are_public() -> None:
    frame = load_iris(as_frame=True).data
    estimator = make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(frame, load_iris().target)
    low, high = frame.min() - 1, frame.max() + 1
    by_name = hermetic.compile(estimator, input_range={name: (low[name], high[name]) for name in frame.columns[::-1]})
    assert by_name.signature == hermetic.compile(estimator, input_range=(low.to_numpy(), high.to_numpy())).signature


def test_errors_about_ranges_name_columns() -> None:
    frame = load_iris(as_frame=True).data.rename(columns=lambda name: name.split(" (")[0].title())
    estimator = LinearRegression().fit(frame, load_iris().target)
    for sample, options, message in (
        (frame.assign(**{"Petal Width": np.nan}), {}, "Column 'Petal Width' holds NaN"),
        (frame.assign(**{"Sepal Width": 1e300}), {}, "Column 'Sepal Width' of X_sample reaches"),
        (frame, {"input_range": (0, 5)}, "Column 'Sepal Length' reaches from 4.3 to 7.9"),
        (None, {"input_range": (0, [1, 1, 0, 1])}, "Got 0 and 0 for column 'Petal Length'"),
        (None, {"input_range": (0, 1), "input_step": [1, 1, 1, 0.3]}, "steps of 0.3 for column 'Petal Width'"),
        (None, {"input_range": (0, 1), "input_step": [1, 1, -1, 1]}, "Got -1 for column 'Petal Length'"),
    ):
        with pytest.raises(CompileError, match=message):
            hermetic.compile(estimator, sample, **options)
