"""What the planner promises: error bounds, flooding, layouts; and how many tries it takes."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import hermetic
from hermetic import CompileError, PrecisionError
from hermetic.circuits.linear import bounds, plan
from hermetic.circuits.linear.integers import IntegerMap, guaranteed_error
from hermetic.compiler import planner
from hermetic.compiler.inputs import InputRange, input_range
from hermetic.compiler.linear import LinearMap
from hermetic.head import Head
from hermetic.inputs.grid import Grid
from hermetic.rlwe.parameters import FAST, MAX_ERROR, PRECISE, PROFILES, Parameters
from known_weights import answered, client_of, compiled, regression


def normal(outputs: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (k, d) and bias (k,), the same every time."""
    random = np.random.default_rng(20)
    return random.normal(size=(outputs, features)), random.normal(size=outputs)


WEIGHTS, BIAS = normal(3, 12)
REAL, PIXELS = {"input_range": (-3, 5)}, {"input_range": (0, 1), "input_step": 1 / 255}
COUNTS = {"input_range": (0, 255), "input_step": 1}


def exact_error(weights: Any, bias: Any, one: IntegerMap, grid: Grid) -> Fraction:
    """The largest |score - weights·x - bias|, in rational numbers, over inputs where it should be large: corners, and
    inputs as far from their grid points as a client accepts.
    """
    limbs = one.weights.reshape(one.limbs, len(bias), -1)
    away = np.sign(limbs[-1]) * grid.slack * 0.999
    corner = np.where(limbs[-1] > 0, grid.high, grid.low)
    inner = np.random.default_rng(0).integers(grid.low, grid.high, corner.shape, endpoint=True)
    positions = np.concatenate([corner, -corner, inner + away, inner - away, corner - away])
    X = np.clip(grid.offset + grid.step * positions, grid.lower, grid.upper)
    shifts = [1 << (one.limb_bits * i) for i in range(one.limbs)]
    worst = Fraction(0)
    for x, results in zip(X, one.apply(grid.quantize(X)).tolist(), strict=True):
        for v, (row, b) in enumerate(zip(np.asarray(weights), np.asarray(bias), strict=True)):
            integer = sum(results[v + i * len(bias)] * shift for i, shift in enumerate(shifts))
            expected = sum((Fraction(w) * Fraction(a) for w, a in zip(row, x, strict=True)), Fraction(b))
            worst = max(worst, abs(integer * Fraction(2) ** -one.scale_exponent - expected))
    return worst


# The error


@pytest.mark.parametrize("inputs", [REAL, PIXELS, COUNTS], ids=["real", "pixels", "counts"])
@pytest.mark.parametrize("limbs", [1, 2, 3, 4])
@pytest.mark.parametrize("parameters", [FAST, PRECISE], ids=["fast", "precise"])
def test_the_error_is_a_true_and_a_tight_bound(parameters: Parameters, limbs: int, inputs: dict[str, Any]) -> None:
    """Tight where inputs are rounded: that error is the same whatever the weights round to."""
    finest = planner._most_precise(*as_map(**inputs), parameters, limbs, None)
    assert finest is not None
    for choice in (finest, planner._at(*as_map(**inputs), parameters, finest.result_bits - 6, limbs)):
        assert choice is not None
        assert choice.integers.limbs == limbs
        worst = exact_error(WEIGHTS, BIAS, choice.integers, choice.grid)
        assert worst <= choice.error
        if inputs is REAL:
            assert worst >= choice.error / 8


def as_map(**inputs: Any) -> tuple[LinearMap, InputRange]:
    """WEIGHTS and BIAS, and the range of the inputs, as the planner takes them."""
    step = inputs.get("input_step")
    return LinearMap(WEIGHTS, BIAS, Head("predict")), input_range(WEIGHTS.shape[1], None, inputs["input_range"], step)


@pytest.mark.parametrize("profile", [None, "fast", "precise"])
@pytest.mark.parametrize("tolerance", [10.0, 1e-1, 1e-3, 1e-5])
def test_every_tolerance_is_met_with_the_least_that_meets_it(profile: str | None, tolerance: float) -> None:
    estimator = Ridge(alpha=0.1).fit(*load_diabetes(return_X_y=True))
    X = load_diabetes().data
    model = hermetic.compile(estimator, X, profile=profile, tolerance=tolerance)
    one = model.signature
    assert one.error <= tolerance
    assert profile in (None, one.parameters.profile)
    assert one.lambda_bits >= planner.DEFAULT_LAMBDA[one.parameters.profile]
    assert exact_error(estimator.coef_[None], [estimator.intercept_], model.integers, one.grid) <= one.error
    linear = LinearMap(estimator.coef_[None], np.array([estimator.intercept_]), Head("predict"))
    inputs = InputRange(one.grid.lower, one.grid.upper, None)
    fewer = planner._at(linear, inputs, one.parameters, one.circuit.result_bits - 1, one.circuit.limbs)
    if one.circuit.result_bits > planner._RESULT_BITS[0]:
        assert fewer is None or fewer.error > tolerance


def test_a_loose_tolerance_buys_flooding_and_a_tight_one_costs_limbs_or_primes() -> None:
    estimator, X = Ridge(alpha=0.1).fit(*load_diabetes(return_X_y=True)), load_diabetes().data
    default = hermetic.compile(estimator, X).signature
    loose = hermetic.compile(estimator, X, tolerance=1000 * default.error).signature
    tight = hermetic.compile(estimator, X, tolerance=default.error / 100).signature
    assert loose.parameters.profile == default.parameters.profile == "fast"
    assert loose.circuit.result_bits <= default.circuit.result_bits - 8
    assert loose.lambda_bits >= default.lambda_bits + 16
    assert (tight.parameters.profile, tight.circuit.limbs) != ("fast", 1)
    assert tight.error <= default.error / 100


@pytest.mark.parametrize("options", [{}, {"profile": "fast"}, {"flooding": 40}, {"profile": "precise", "flooding": 60}])
@pytest.mark.parametrize("inputs", [REAL, PIXELS], ids=["real", "pixels"])
def test_a_tolerance_that_cannot_be_names_one_that_can(options: dict[str, Any], inputs: dict[str, Any]) -> None:
    with pytest.raises(PrecisionError, match="The least error that can be is") as refusal:
        compiled(WEIGHTS, BIAS, tolerance=1e-30, **options, **inputs)
    named = float(re.search(r"pass tolerance=(\S+) or more", str(refusal.value))[1])
    model = compiled(WEIGHTS, BIAS, tolerance=named, **options, **inputs)
    assert model.signature.error <= named
    with pytest.raises(PrecisionError, match=re.escape(f"pass tolerance={named!r} or more")):
        compiled(WEIGHTS, BIAS, tolerance=named * 0.999, **options, **inputs)


@pytest.mark.parametrize(("features", "result_bits", "limbs"), [(4, 37, 1), (30, 35, 2), (784, 32, 1), (784, 62, 2)])
def test_the_resolution_of_real_inputs_balances_the_errors(
    features: int, result_bits: int, limbs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other resolution, and the search tries them all, has less than half the error."""
    linear = LinearMap(*normal(2, features), Head("predict"))
    inputs = InputRange(np.full(features, -1.0), np.full(features, 2.0), None)
    parameters = FAST if result_bits < 38 else PRECISE
    chosen = planner._at(linear, inputs, parameters, result_bits, limbs)
    assert chosen is not None
    for bits in range(2, planner._MAX_INPUT_BITS + 1):
        monkeypatch.setattr(planner, "_input_bits", lambda *_, bits=bits: bits)
        other = planner._at(linear, inputs, parameters, result_bits, limbs)
        assert other is None or other.error > chosen.error / 2


def test_the_rounding_of_scalers_is_part_of_the_error() -> None:
    """One scaler moves the inputs far away, the next brings them back: what the estimator's float64 loses on the way is
    neither in the weights nor in the range of the inputs.
    """
    X, y = load_breast_cancer(return_X_y=True)
    there = MinMaxScaler(feature_range=(1e9, 1e9 + 1))
    estimator = make_pipeline(there, StandardScaler(), LogisticRegression()).fit(X, y)
    exact = _scores_in_rational_numbers(estimator, X[:20])
    lost = np.abs(estimator.decision_function(X[:20]) - exact.astype(np.float64)).max()
    assert lost > 1e-7, "there is something to lose"
    with pytest.raises(PrecisionError) as refusal:
        hermetic.compile(estimator, X, tolerance=1e-30)
    least = float(re.search(r"pass tolerance=(\S+) or more", str(refusal.value))[1])
    assert lost < least
    assert hermetic.compile(estimator, X, tolerance=least).signature.error <= least


def _scores_in_rational_numbers(estimator: Any, X: np.ndarray) -> np.ndarray:
    exact = np.vectorize(Fraction, otypes=[object])
    there, back, model = (step for _, step in estimator.steps)
    away = exact(X) * exact(there.scale_) + exact(there.min_)
    scaled = (away - exact(back.mean_)) / exact(back.scale_)
    return np.asarray(scaled @ exact(model.coef_[0]) + Fraction(model.intercept_[0]))


# Flooding


@pytest.mark.parametrize("profile", ["fast", "precise"])
def test_the_default_flooding_is_met(profile: str) -> None:
    for inputs in (REAL, PIXELS, COUNTS):
        one = compiled(WEIGHTS, BIAS, profile=profile, **inputs).signature
        assert one.lambda_bits >= {"fast": 28, "precise": 40}[profile]


@pytest.mark.parametrize(
    ("profile", "flooding"), [("fast", 10), ("fast", 35.5), ("fast", 60), ("precise", 20), ("precise", 90)]
)
def test_any_flooding_that_fits_is_met(profile: str, flooding: float) -> None:
    one = compiled(WEIGHTS, BIAS, profile=profile, flooding=flooding, **REAL).signature
    more = compiled(WEIGHTS, BIAS, profile=profile, flooding=flooding + 4, **REAL).signature
    assert more.lambda_bits - 4 >= flooding <= one.lambda_bits
    assert more.error >= one.error


def test_flooding_below_the_least_is_the_least() -> None:
    assert compiled(WEIGHTS, BIAS, flooding=0.5, **REAL).signature.lambda_bits >= bounds.MIN_LAMBDA_BITS


@pytest.mark.parametrize("profile", ["fast", "precise"])
@pytest.mark.parametrize("tolerance", [None, 1e9])
def test_flooding_that_cannot_be_names_one_that_can(profile: str, tolerance: float | None) -> None:
    with pytest.raises(PrecisionError, match=f"140 bits of flooding must fit profile '{profile}'") as refusal:
        compiled(WEIGHTS, BIAS, flooding=140, profile=profile, tolerance=tolerance, **REAL)
    named = float(re.search(r"most that fits is flooding=(\S+): ask", str(refusal.value))[1])
    assert compiled(WEIGHTS, BIAS, flooding=named, profile=profile, **REAL).signature.lambda_bits >= named
    with pytest.raises(PrecisionError, match="bits of flooding must fit"):
        compiled(WEIGHTS, BIAS, flooding=named + 0.1, profile=profile, **REAL)


@pytest.mark.parametrize("tolerance", [None, 1e-6])
def test_the_flooding_of_every_offer_is_that_of_its_weights(tolerance: float | None) -> None:
    model = compiled(WEIGHTS, BIAS, tolerance=tolerance, **REAL)
    flood = model.signature.flood_bits
    rows = [sum(map(abs, row)) for row in model.integers.weights.tolist()]
    for offer in model.signature.offers:
        r = offer.layout.outputs
        norm = max(sum(rows[i : i + r]) for i in range(0, len(rows), r))
        assert 0 <= flood - math.log2(MAX_ERROR * norm) - offer.lambda_bits < 0.1 + 1e-9


# Layouts


SHAPES = [(1, 1), (1, 2000), (30, 1), (784, 10), (2048, 1000), (4096, 1), (5000, 3), (65_536, 10), (70_000, 2000)]


@pytest.mark.parametrize("parameters", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize(("features", "outputs"), SHAPES)
def test_layouts_are_allowed_and_there_is_always_one_for_a_single_sample(
    parameters: Parameters, features: int, outputs: int
) -> None:
    floods = {bounds.flood_bits(parameters, bits) for bits in planner._RESULT_BITS} - {0}
    for flood in (min(floods), max(floods)):
        layouts = planner.best_layouts(parameters, features, outputs, flood)
        sizes = [one.samples for one in layouts]
        assert sizes == sorted(set(sizes))
        assert all(bounds.layout_allowed(parameters, one, features, flood) for one in layouts)
        assert all(one.features <= features and one.outputs <= outputs for one in layouts)
        chosen = set()
        for samples in (1 << i for i in range(parameters.ring_degree.bit_length())):
            usable = [one for one in layouts if bounds.layout_allowed(parameters, one, features, flood, samples)]
            chosen.add(plan.cheapest(parameters, tuple(usable), features, outputs, samples))
        assert chosen == set(layouts), "every layout is the cheapest for some batch, and every batch has one"


@pytest.mark.parametrize(("features", "outputs"), [(1, 1), (1, 300), (30, 1), (2048, 100), (30_000, 2)])
def test_every_shape_plans_in_few_tries(features: int, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def quantize(*arguments: Any) -> Any:
        tries.append(arguments)
        return QUANTIZE(*arguments)

    monkeypatch.setattr(planner, "quantize_map", quantize)
    weights, bias = normal(outputs, features)
    default = compiled(weights, bias, **PIXELS).signature
    assert len(tries) <= 6
    tries.clear()
    compiled(weights, bias, tolerance=default.error * 100, **PIXELS)
    assert len(tries) <= 12
    tries.clear()
    with pytest.raises(PrecisionError):
        compiled(weights, bias, tolerance=1e-30, **PIXELS)
    assert len(tries) <= 6 * 4 * 2


QUANTIZE = planner.quantize_map


def test_the_number_of_result_bits_is_the_largest_that_is_flooded_enough() -> None:
    """The search by guesses finds what trying all finds."""
    for features, outputs, inputs in ((2, 1, REAL), (12, 3, PIXELS)):
        weights, bias = normal(outputs, features)
        linear = LinearMap(weights, bias, Head("predict"))
        lower, upper = (np.full(features, float(end)) for end in inputs["input_range"])
        step = None if inputs is REAL else np.full(features, 1 / 255)
        for parameters in (FAST, PRECISE):
            for limbs in (1, 3):
                chosen = planner._most_precise(linear, InputRange(lower, upper, step), parameters, limbs, None)
                enough = []
                for bits in planner._RESULT_BITS:
                    if bounds.flood_bits(parameters, bits):
                        one = planner._at(linear, InputRange(lower, upper, step), parameters, bits, limbs)
                        if one and one.lambda_bits >= planner.DEFAULT_LAMBDA[parameters.profile]:
                            enough.append(bits)
                assert chosen is not None
                assert chosen.result_bits == max(enough)


# Weights of every size


EXPONENTS = np.random.default_rng(12).integers(-12, 13, WEIGHTS.shape)
ONE_HUGE = WEIGHTS.copy()
ONE_HUGE[1, 4] = 1e12
PATHOLOGICAL = {
    "zero": (0 * WEIGHTS, 0 * BIAS),
    "only intercepts": (0 * WEIGHTS, BIAS),
    "one weight": (np.eye(3, 12) * [[1], [0], [0]], 0 * BIAS),
    "one huge weight": (ONE_HUGE, BIAS),
    "a huge intercept": (WEIGHTS, BIAS * 1e12),
    "denormal": (WEIGHTS * 1e-310, BIAS),
    "all denormal": (WEIGHTS * 1e-310, BIAS * 1e-310),
    "the least of all": (np.full((3, 12), 5e-324), 0 * BIAS),
    "large": (WEIGHTS * 1e230, BIAS),
    "small": (WEIGHTS * 1e-240, BIAS * 1e-240),
    "of all sizes": (WEIGHTS * 10.0**EXPONENTS, BIAS),
    "powers of two": (2.0**EXPONENTS, 2.0 ** EXPONENTS[:, 0]),
}


@pytest.mark.parametrize("inputs", [REAL, PIXELS, {"input_range": (1e9, 1e9 + 2)}], ids=["real", "pixels", "far"])
@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_weights_of_any_size_keep_their_promise(name: str, inputs: dict[str, Any]) -> None:
    weights, bias = PATHOLOGICAL[name]
    model = compiled(weights, bias, **inputs)
    one = model.signature
    assert exact_error(weights, bias, model.integers, one.grid) <= one.error
    client = client_of(model)
    X = np.stack([one.grid.lower, one.grid.upper])
    with np.errstate(under="ignore"):
        expected = regression(weights, bias).predict(X)
    assert np.abs(client.decrypt(answered(model, client, X)) - expected).max() <= one.error


@pytest.mark.parametrize("weights", [WEIGHTS * 1e300, WEIGHTS * 1e307])
def test_scores_that_float64_cannot_hold_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(CompileError, match=r"scores must stay below 1e\+250 .* These may reach"):
        compiled(weights, BIAS, **REAL)


def test_limbs_hold_intercepts_of_more_bits_than_an_integer() -> None:
    """The bias of all limbs together has more than 64 bits; each limb of it fits."""
    model = compiled(WEIGHTS, BIAS * 1e3, profile="precise", tolerance=2e-9, **REAL)
    one = model.signature
    assert one.circuit.limbs > 1
    assert one.circuit.scale_exponent + math.log2(np.abs(BIAS).max() * 1e3) > 64
    assert exact_error(WEIGHTS, BIAS * 1e3, model.integers, one.grid) <= one.error


def test_whole_numbers_add_nothing_to_the_error() -> None:
    """What is left is the rounding of weights, which the precise profile has bits for."""
    X, y = load_digits(return_X_y=True)
    estimator = LogisticRegression(tol=0.1).fit(X, y)
    fast, precise = (hermetic.compile(estimator, X, profile=profile).signature.error for profile in PROFILES)
    assert fast < 1e-3
    assert precise < 1e-9


def test_the_error_is_a_short_number_that_is_not_rounded_down() -> None:
    linear, inputs = as_map(**REAL)
    choice = planner._at(linear, inputs, FAST, 30, 1)
    assert choice is not None
    grid = choice.grid
    for factor in (1.0, 1e-200, 3e-7, 1e200):
        parts = linear.weights * grid.step * factor, linear.bias * factor
        scaled = planner.quantize_map(*parts, grid, 30, 1)
        error = guaranteed_error(*parts, np.zeros(3), scaled, grid)
        assert error == float(f"{error:.1e}")
        assert error >= (np.abs(parts[0]) @ grid.slack).max()
