"""The packing's law: products of packed polynomials hold the matrix product at the targets, and nothing else there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from hermetic.circuits.packing import Layout, pack_samples, pack_weights, released, targets
from hermetic.errors import ParameterError


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any layout of a small ring."""
    degree = 1 << draw(st.integers(0, 6))
    samples = 1 << draw(st.integers(0, degree.bit_length() - 1))
    features = draw(st.integers(1, degree // samples))
    outputs = draw(st.integers(1, degree // samples // features))
    return Layout(degree, samples, features, outputs)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Layout, np.ndarray, np.ndarray]:
    """A layout, samples (n, d) that fit one chunk, and weights (k, d); up to four polynomials of each kind."""
    layout = draw(layouts())
    n = draw(st.integers(1, layout.samples))
    d, k = draw(st.integers(1, 4 * layout.features)), draw(st.integers(1, 4 * layout.outputs))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([1, 255, 2**29]))
    values = rng.integers(-largest, largest, size=(n, d), endpoint=True)
    return layout, values, rng.integers(-largest, largest, size=(k, d), endpoint=True)


def in_powers_of_x(coefficients: np.ndarray, layout: Layout) -> np.ndarray:
    """A weight polynomial, given in X^B, as its N coefficients."""
    out = np.zeros(layout.ring_degree, dtype=np.int64)
    out[:: layout.samples] = coefficients
    return out


def products(layout: Layout, values: np.ndarray, weights: np.ndarray) -> list[list[int]]:
    """The G result polynomials, in Python integers."""
    query, packed = pack_samples(values, layout), pack_weights(weights, layout)
    results = []
    for row in packed:
        terms = [reference.negacyclic_product(in_powers_of_x(w, layout), q) for w, q in zip(row, query, strict=True)]
        results.append([sum(column) for column in zip(*terms, strict=True)])
    return results


@given(problems())
def test_targets_hold_the_matrix_product(problem: tuple[Layout, np.ndarray, np.ndarray]) -> None:
    layout, values, weights = problem
    expected = (values.astype(object) @ weights.astype(object).T).T
    (groups,) = released(layout, len(values), len(weights))
    results = products(layout, values, weights)
    assert len(results) == len(groups) == layout.result_polynomials(len(weights))
    for group, (result, index) in enumerate(zip(results, groups, strict=True)):
        found = np.array(result, dtype=object)[index]
        assert found.tolist() == expected[group * layout.outputs : (group + 1) * layout.outputs].tolist()


@given(layout=layouts(), data=st.data())
def test_a_single_term_reaches_a_target_only_where_it_belongs(layout: Layout, data: st.DataObject) -> None:
    """One input x[i, u] times one weight w[v, t]: at target (v, i) if u = t, at no target otherwise; wrap included."""
    sample = data.draw(st.integers(0, layout.samples - 1))
    u, t = (data.draw(st.integers(0, layout.features - 1)) for _ in range(2))
    output = data.draw(st.integers(0, layout.outputs - 1))
    values = np.zeros((layout.samples, layout.features), dtype=np.int64)
    weights = np.zeros((layout.outputs, layout.features), dtype=np.int64)
    values[sample, u], weights[output, t] = 1, 1
    (result,) = products(layout, values, weights)
    expected = np.zeros((layout.outputs, layout.samples), dtype=np.int64)
    expected[output, sample] = u == t
    assert np.array(result)[targets(layout, layout.samples, layout.outputs)].tolist() == expected.tolist()
    assert sum(map(abs, result)) == 1


def test_the_drawing() -> None:
    """N=16, B=2, f=3, r=2, as drawn in the module's text; xiu is 10i+u+1 and wvu is 100(10v+u+1)."""
    layout = Layout(16, 2, 3, 2)
    x = np.array([[1, 2, 3], [11, 12, 13]])
    w = 100 * np.array([[1, 2, 3], [11, 12, 13]])
    assert pack_samples(x, layout).tolist() == [[1, 11, 2, 12, 3, 13] + 10 * [0]]
    assert pack_weights(w, layout).tolist() == [[[300, 200, 100, 1300, 1200, 1100, 0, 0]]]
    assert targets(layout, 2, 2).tolist() == [[4, 5], [10, 11]]
    (result,) = products(layout, x, w)
    assert [result[i] for i in (4, 5, 10, 11)] == (w @ x.T).ravel().tolist()


def test_missing_samples_and_features_are_zeros() -> None:
    layout = Layout(32, 4, 3, 2)
    packed = pack_samples(np.ones((3, 4), dtype=np.int64), layout)
    assert packed.shape == (2, 32)
    assert packed.sum() == 12
    weights = pack_weights(np.ones((3, 4), dtype=np.int64), layout)
    assert weights.shape == (2, 2, 8)
    assert weights.sum() == 12


@given(layout=layouts(), data=st.data())
def test_every_sample_and_output_is_released_once(layout: Layout, data: st.DataObject) -> None:
    """Each result polynomial's coefficients are labelled with what they hold; released words name every pair once, in
    the documented order: chunk, group, output, sample."""
    samples = data.draw(st.integers(1, 3 * layout.samples))
    outputs = data.draw(st.integers(1, 3 * layout.outputs))
    chunks = released(layout, samples, outputs)
    assert len(chunks) == layout.chunks(samples)
    found = []
    for chunk, groups in enumerate(chunks):
        assert len(groups) == layout.result_polynomials(outputs)
        for group, index in enumerate(groups):
            sample, rest = index % layout.samples, index // layout.samples
            feature, output = rest % layout.features, rest // layout.features
            assert (feature == layout.features - 1).all()
            names = zip((chunk * layout.samples + sample).flat, (group * layout.outputs + output).flat, strict=True)
            found += [(int(i), int(v)) for i, v in names]
            assert index.max() < layout.ring_degree
    in_order = [
        (i, v)
        for first in range(0, samples, layout.samples)
        for v in range(outputs)
        for i in range(first, min(first + layout.samples, samples))
    ]
    assert found == in_order


@given(layout=layouts(), count=st.integers(1, 200))
def test_counts_are_the_fewest_that_hold_everything(layout: Layout, count: int) -> None:
    for held, polynomials in (
        (layout.features, layout.query_polynomials(count)),
        (layout.outputs, layout.result_polynomials(count)),
        (layout.samples, layout.chunks(count)),
    ):
        assert (polynomials - 1) * held < count <= polynomials * held


def test_points_are_the_distinct_values_of_a_weight_polynomial() -> None:
    assert Layout(4096, 1, 784, 5).points == 4096
    assert Layout(4096, 4096, 1, 1).points == 1


@pytest.mark.parametrize(
    ("samples", "features", "outputs"),
    [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-2, 1, 1), (3, 1, 1), (6, 2, 1), (1, 17, 1), (4, 2, 3), (16, 2, 1), (32, 1, 1)],
)
def test_impossible_layouts_are_refused(samples: int, features: int, outputs: int) -> None:
    with pytest.raises(ParameterError, match=rf"B·f·r <= 16 .* Got B={samples}, f={features}, r={outputs}"):
        Layout(16, samples, features, outputs)
