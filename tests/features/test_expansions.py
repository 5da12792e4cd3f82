"""Splines, monomials, random and kernel features: scikit-learn's own, and within their limits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_approximation import AdditiveChi2Sampler, PolynomialCountSketch, RBFSampler, SkewedChi2Sampler
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from hermetic.errors import InputError, ParameterError
from hermetic.features.block import Block
from hermetic.features.chi2 import AdditiveChi2
from hermetic.features.count_sketch import CountSketch
from hermetic.features.fourier import Fourier, Logarithms
from hermetic.features.landmarks import Landmarks
from hermetic.features.monomials import Monomials
from hermetic.features.splines import EXTRAPOLATIONS, Splines

RANDOM = np.random.default_rng(0)
X = np.concatenate([RANDOM.normal(size=(200, 2)) * [1, 100] + [0, 1e4], RANDOM.integers(0, 9, (200, 1))], axis=1)
KNOTS = [[0.0, 1.0, 1.5, 3.0, 4.0], [-2.0, -1.0, -1.0, 0.0, 7.0], [0.0, 0.1, 0.2, 0.3, 0.5]]

BLOCKS: list[Block] = [
    *(
        Splines(KNOTS, degree, extrapolation)
        for degree in (1, 2, 3)
        for extrapolation in EXTRAPOLATIONS
        if extrapolation != "error"
    ),
    Splines(KNOTS, 3, "linear", last=False, zeros=True),
    Monomials(3, [(0,), (0, 0), (0, 0, 1), (1, 2), (0, 1, 2), (2, 2, 2, 2), (1, 1, 2, 2, 2)]),
    Monomials(3, [(0,), (1, 1), (0, 1, 2)], [0.3, 0.1, -7.0]),
    Fourier(RANDOM.normal(size=(3, 20)), RANDOM.uniform(0, 2 * math.pi, 20)),
    CountSketch(RANDOM.integers(0, 8, (3, 4)), RANDOM.choice([-1, 1], (3, 4)), 8, 0.5, 2.0),
    Landmarks(RANDOM.normal(size=(5, 3)), 0.1),
]
POSITIVE: list[Block] = [AdditiveChi2(3, 3, 0.4), AdditiveChi2(3, 1, 0.8), AdditiveChi2(3, 2, 3.0), Logarithms(3, 0.5)]


def name(block: Block) -> str:
    return f"{block.kind}{getattr(block, 'degree', '')}{getattr(block, 'extrapolation', '')}"


def check_limits(block: Block, ends: list[tuple[float, float]], seed: int) -> None:
    """Corners of the range, and points inside, have features within the limits."""
    lower, upper = np.sort(np.array(ends) + 0.0, axis=1).T  # of 0 and -0, some versions of uniform know an order
    low, high = block.limits(lower, upper)
    assert low.shape == high.shape == (block.outputs,)
    random = np.random.default_rng(seed)
    inside = random.uniform(lower, upper, (100, block.inputs))
    corners = np.where(random.random((30, block.inputs)) < 0.5, lower, upper)
    features = block.apply(np.clip(np.concatenate([inside, corners]), lower, upper))
    slack = 1e-9 * np.maximum(np.abs(low), np.abs(high)).max() + 1e-300
    assert (features >= low - slack).all()
    assert (features <= high + slack).all()


@pytest.mark.parametrize("block", BLOCKS, ids=name)
@settings(max_examples=30, deadline=None)
@given(ends=st.lists(st.tuples(*[st.floats(-30, 30)] * 2), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_limits_hold_for_every_input_in_range(block: Block, ends: list[tuple[float, float]], seed: int) -> None:
    check_limits(block, ends, seed)


@pytest.mark.parametrize("block", POSITIVE, ids=name)
@settings(max_examples=30, deadline=None)
@given(ends=st.lists(st.tuples(*[st.floats(0, 30)] * 2), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_limits_hold_where_inputs_are_not_negative(block: Block, ends: list[tuple[float, float]], seed: int) -> None:
    check_limits(block, ends, seed)


@pytest.mark.parametrize("block", [one for one in BLOCKS if not one.missing.any()], ids=name)
@pytest.mark.parametrize("width", [1e-3, 4.0])
def test_limits_are_not_much_wider_than_the_features(block: Block, width: float) -> None:
    """On a narrow range within three times what random inputs reach, and on a wide one within a few times."""
    lower = np.array([0.3, -0.7, 0.15])
    low, high = block.limits(lower, lower + width)
    features = block.apply(np.random.default_rng(0).uniform(lower, lower + width, (5000, 3)))
    reached = np.ptp(features, axis=0)
    if width < 1:
        assert ((high - low) <= 3 * reached + 1e-6).all()
    else:
        assert np.median((high - low) / np.maximum(reached, 1e-9)) < 4


@pytest.mark.parametrize("block", BLOCKS + POSITIVE, ids=name)
def test_are_the_same_after_json(block: Block) -> None:
    again = type(block).from_document(json.loads(json.dumps(block.document())))  # type: ignore[attr-defined]
    values = np.random.default_rng(1).uniform(0, 2, (7, 3))
    assert again.document() == block.document()
    np.testing.assert_array_equal(again.apply(values), block.apply(values))
    assert again.apply(values[:0]).shape == (0, block.outputs)


class TestSplines:
    @pytest.mark.parametrize("extrapolation", EXTRAPOLATIONS)
    @pytest.mark.parametrize("degree", [1, 2, 3, 5])
    @pytest.mark.parametrize("knots", ["uniform", "quantile"])
    @pytest.mark.parametrize("bias", [True, False])
    def test_are_those_of_scikit_learn(self, extrapolation: str, degree: int, knots: str, bias: bool) -> None:
        if degree == 1 and extrapolation == "linear":
            extrapolation = "continue"  # scikit-learn's tangents of degree 1 start at another knot
        own = SplineTransformer(7, degree, knots=knots, extrapolation=extrapolation, include_bias=bias).fit(X)
        mine = Splines([one.t[degree:-degree] for one in own.bsplines_], degree, extrapolation, last=bias)
        span = 0.0 if extrapolation == "error" else 0.7 * np.ptp(X, axis=0)
        for values in (X, X + span, X - span):
            np.testing.assert_allclose(mine.apply(values), own.transform(values), rtol=1e-11, atol=1e-11)

    def test_a_missing_input_has_features_0(self) -> None:
        missing = np.array([[0.5, np.nan, 0.1]])
        found = Splines(KNOTS, zeros=True).apply(missing)
        assert (found[:, 7:14] == 0).all()
        np.testing.assert_allclose(found.sum(), 2)
        assert Splines(KNOTS, zeros=True).missing.all()
        assert not Splines(KNOTS).missing.any()

    def test_inputs_beyond_the_knots_are_refused_where_asked(self) -> None:
        with pytest.raises(InputError, match=r"-2 to 7 for input 1. Got 8 \(sample 0\)"):
            Splines(KNOTS, extrapolation="error").apply(np.array([[0.5, 8.0, 0.1]]))
        with pytest.raises(ParameterError, match=r"-2 to 7 for input 1. The range reaches from 0 to 9"):
            Splines(KNOTS, extrapolation="error").limits(np.zeros(3), np.array([1.0, 9.0, 0.5]))

    def test_limits_without_an_end(self) -> None:
        ends = np.full(3, np.inf)
        low, high = Splines(KNOTS).limits(-ends, ends)
        assert low.min() >= -1e-12
        assert high.max() <= 1 + 1e-12
        assert np.isinf(Splines(KNOTS, extrapolation="linear").limits(-ends, ends)).all()

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [({"knots": []}, "inputs with splines"), ({"knots": [[1.0]]}, "knots must be"), ({"degree": 0}, "degree"),
         ({"knots": [[0.0, 0.0, 1.0]]}, "increas"), ({"knots": [[2.0, 1.0]]}, "increas"), ({"degree": True}, "deg"),
         ({"knots": "ab"}, "list of"), ({"knots": [["a", "b"]]}, "knots must be"), ({"last": 1}, "true or false"),
         ({"extrapolation": "same"}, "must be one of"), ({"extrapolation": "periodic", "knots": [[0.0, 1.0]]}, "4 or"),
         ({"knots": [[-1e308, 1e308]]}, "finite"), ({"extrapolation": [1]}, "must be one of")],
    )  # fmt: skip
    def test_wrong_parameters_are_named(self, wrong: dict[str, object], message: str) -> None:
        with pytest.raises(ParameterError, match=message):
            Splines.from_document({**Splines(KNOTS).document(), **wrong})


class TestMonomials:
    @pytest.mark.parametrize("interactions", [True, False])
    @pytest.mark.parametrize("degree", [2, 3, (2, 4)])
    def test_are_those_of_scikit_learn(self, interactions: bool, degree: Any) -> None:
        own = PolynomialFeatures(degree, interaction_only=interactions, include_bias=False).fit(X)
        mine = Monomials(3, [np.repeat(range(3), row).tolist() for row in own.powers_])
        np.testing.assert_allclose(mine.apply(X), own.transform(X), rtol=1e-14)

    def test_products_of_steps_are_steps(self) -> None:
        steps = Monomials(2, [(0,), (0, 1), (0, 0)]).steps(np.array([0.5, 3.0]))
        assert steps.tolist() == [0.5, 1.5, 0.25]
        assert Monomials(2, [(0,), (0, 1)]).steps(np.array([0.0, 3.0])).tolist() == [0, 0]
        centred = Monomials(2, [(0,), (1,), (1, 1)], [0.25, 6.0]).steps(np.array([0.5, 3.0]))
        assert centred.tolist() == [0, 3, 9]

    def test_limits_are_exact(self) -> None:
        low, high = Monomials(2, [(0,), (0, 0), (0, 1), (0, 0, 1)]).limits(np.array([-1.0, 2.0]), np.array([2.0, 3.0]))
        assert low.tolist() == [-1, 0, -3, 0]
        assert high.tolist() == [2, 4, 6, 12]

    def test_which_inputs_are_used(self) -> None:
        assert Monomials(4, [(1,), (1, 3)]).used.tolist() == [False, True, False, True]

    @pytest.mark.parametrize(
        "wrong",
        [{"factors": []}, {"factors": [[]]}, {"factors": [[3]]}, {"factors": [[1, 0]]}, {"factors": [[0] * 17]},
         {"factors": [[0.0]]}, {"factors": 3}, {"inputs": 0}, {"inputs": "3"}, {"factors": [["0"]]}, {"centre": [1.0]},
         {"centre": ["1"] * 3}],
    )  # fmt: skip
    def test_wrong_parameters_are_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ParameterError, match="must be"):
            Monomials.from_document({"inputs": 3, "factors": [[0, 1]], "centre": [0.0] * 3, **wrong})


class TestRandomFeatures:
    def test_fourier_features_are_those_of_scikit_learn(self) -> None:
        own = RBFSampler(gamma=1e-4, n_components=50, random_state=0).fit(X)
        mine = Fourier(own.random_weights_, own.random_offset_)
        np.testing.assert_allclose(mine.apply(X), own.transform(X), rtol=0, atol=1e-13)

    def test_skewed_chi_squared_features_are_those_of_scikit_learn(self) -> None:
        values = np.abs(X)
        own = SkewedChi2Sampler(skewedness=0.3, n_components=50, random_state=0).fit(values)
        logarithms, mine = Logarithms(3, 0.3), Fourier(own.random_weights_, own.random_offset_)
        np.testing.assert_allclose(mine.apply(logarithms.apply(values)), own.transform(values), rtol=0, atol=1e-13)

    @pytest.mark.parametrize(("samples", "interval"), [(1, 0.8), (2, 0.5), (3, 0.4), (5, 0.1)])
    def test_additive_chi_squared_features_are_those_of_scikit_learn(self, samples: int, interval: float) -> None:
        own = AdditiveChi2Sampler(sample_steps=samples, sample_interval=interval).fit(np.abs(X))
        mine = AdditiveChi2(3, samples, interval).apply(np.abs(X))
        np.testing.assert_allclose(mine, own.transform(np.abs(X)), rtol=1e-13)

    @pytest.mark.parametrize(("degree", "coef0"), [(1, 0), (2, 0), (3, 1.5)])
    def test_count_sketches_are_those_of_scikit_learn(self, degree: int, coef0: float) -> None:
        own = PolynomialCountSketch(gamma=0.1, degree=degree, coef0=coef0, n_components=21, random_state=0).fit(X)
        places, signs = own.indexHash_, own.bitHash_
        if not coef0:
            places, signs = (np.pad(one, ((0, 0), (0, 1)), constant_values=1) for one in (places, signs))
        mine = CountSketch(places, signs, 21, 0.1, coef0)
        expected = own.transform(X)
        np.testing.assert_allclose(mine.apply(X), expected, rtol=0, atol=1e-13 * np.abs(expected).max())

    def test_float64_moves_features_by_less_than_their_rounding(self) -> None:
        """Against 64 bits of mantissa, where inputs are large: phases of thousands, squares that cancel."""
        values = np.abs(X) + np.array([0.0, 0.0, 1e5])
        low, high = values.min(axis=0), values.max(axis=0)
        long = values.astype(np.longdouble)
        fourier = Fourier(RANDOM.normal(size=(3, 50)), RANDOM.uniform(0, 6, 50))
        exact = np.cos(long @ fourier.weights.astype(np.longdouble) + fourier.offset) * math.sqrt(2 / 50)
        sketch = CountSketch(RANDOM.integers(0, 8, (3, 4)), RANDOM.choice([-1, 1], (3, 4)), 8, 0.5, 2.0)
        direct = self.sketched(
            sketch, np.hstack([long * np.sqrt(np.longdouble(0.5)), np.full((len(X), 1), np.sqrt(2))])
        )
        chi2 = AdditiveChi2(3, 2, 3.0)
        radius = np.sqrt(2 * long * 3 / np.cosh(np.longdouble(math.pi) * 3))
        waves = np.hstack([np.sqrt(long * 3), radius * np.cos(3 * np.log(long)), radius * np.sin(3 * np.log(long))])
        near = Landmarks(values[:9], 1e-4)
        others = [(fourier, exact), (sketch, direct), (near, rbf_kernel(values, values[:9], gamma=1e-4)),
                  (chi2, waves)]  # fmt: skip
        for block, expected in others:
            moved = np.abs(block.apply(values) - expected).astype(np.float64)
            allowed = block.rounding(low, high)
            largest = np.abs(expected).max().astype(np.float64)
            assert (moved <= allowed + 4e-16 * largest).all()
            assert allowed.max() < 1e-6 * max(1.0, largest)
        assert np.abs(fourier.apply(values) - exact).max() > 1e-14

    def sketched(self, sketch: CountSketch, scaled: np.ndarray) -> np.ndarray:
        """The convolution, term by term."""
        found = np.zeros((len(scaled), sketch.outputs), dtype=np.longdouble)
        found[:, 0] = 1
        for places, signs in zip(sketch.places, sketch.signs, strict=True):
            following = np.zeros_like(found)
            for value, place, sign in zip(scaled.T, places, signs, strict=True):
                following += np.roll(found, place, axis=1) * (value * sign)[:, None]
            found = following
        return found

    def test_landmarks_are_the_kernel_of_scikit_learn(self) -> None:
        mine = Landmarks(X[:9], 1e-3).apply(X)
        np.testing.assert_allclose(mine, rbf_kernel(X, X[:9], gamma=1e-3), rtol=0, atol=1e-10)

    @pytest.mark.parametrize("block", [AdditiveChi2(3), Logarithms(3, 0.0)], ids=name)
    def test_negative_inputs_are_refused(self, block: Block) -> None:
        values = np.array([[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]])
        with pytest.raises(InputError, match=r"must (not be negative|be above 0)\. Got -2 \(sample 1, feature 1\)"):
            block.apply(values)
        with pytest.raises(ParameterError, match="range of input 1 starts at -2: pass input_range"):
            block.limits(values.min(axis=0), values.max(axis=0))

    @pytest.mark.parametrize(
        ("block", "wrong"),
        [
            (Fourier([[1.0]], [0.0]), {"weights": []}),
            (Fourier([[1.0]], [0.0]), {"weights": [[]]}),
            (Fourier([[1.0]], [0.0]), {"weights": [[1.0], [1.0, 2.0]]}),
            (Fourier([[1.0]], [0.0]), {"weights": [["a"]]}),
            (Fourier([[1.0]], [0.0]), {"weights": [[math.nan]]}),
            (Fourier([[1.0, 2.0]], [0.0, 0.0]), {"offset": [0.0]}),
            (Landmarks([[1.0]], 1.0), {"gamma": -1.0}),
            (Landmarks([[1.0]], 1.0), {"gamma": "1"}),
            (Landmarks([[1.0]], 1.0), {"rows": {"a": 1}}),
            (AdditiveChi2(3), {"samples": 0}),
            (AdditiveChi2(3), {"samples": 1 << 40}),
            (AdditiveChi2(3), {"inputs": 1 << 20}),
            (AdditiveChi2(3), {"interval": -1.0}),
            (Logarithms(3, 1.0), {"shift": math.inf}),
            (Logarithms(3, 1.0), {"inputs": 1 << 40}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"places": [[0, 2]]}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"places": [[0, -1]]}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"places": [[0, 0.5]]}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"places": [[0]]}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"places": []}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"signs": [[0, 1]]}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"signs": [[1, 1]] * 17}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"outputs": 1 << 30}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"gamma": 0.0}),
            (CountSketch([[0, 1]], [[1, -1]], 2), {"coef0": -1.0}),
        ],
    )
    def test_hostile_documents_are_refused(self, block: Block, wrong: dict[str, object]) -> None:
        read: Callable[[Any], Block] = type(block).from_document  # type: ignore[attr-defined]
        with pytest.raises(ParameterError, match="must"):
            read({**block.document(), **wrong})
