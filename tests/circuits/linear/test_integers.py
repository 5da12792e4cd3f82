"""Reals to integers: what is refused, what is nearest, and that every worst case is one, in exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermetic import CompiledModel, InputError, PrecisionError
from hermetic.circuits.linear.integers import (
    MAX_RESULT_BITS,
    IntegerMap,
    guaranteed_error,
    quantize_map,
    recombine,
    worst_case,
)
from hermetic.compiler.inputs import InputRange
from hermetic.inputs.grid import Grid
from hermetic.rlwe.parameters import PROFILES
from known_weights import INPUTS, WEIGHTS, compiled, regression, up_to

seeds = st.integers(0, 2**32 - 1)


def exact_grid(lower: float, upper: float, step: float, features: int = 3) -> Grid:
    ones = np.ones(features)
    return InputRange(lower * ones, upper * ones, step * ones).grid(0)


def real_grid(lower: float, upper: float, bits: int, features: int = 3) -> Grid:
    ones = np.ones(features)
    return InputRange(lower * ones, upper * ones, None).grid(bits)


EXACT = {
    "bytes": exact_grid(0, 255, 1),
    "bytes over 255": exact_grid(0, 1, 1 / 255),
    "tenths": exact_grid(-3.7, 12.4, 0.1),
    "threes": exact_grid(-100, 50, 3),
    "counts from a million": exact_grid(10**6, 2 * 10**6, 1),
    "signs": exact_grid(-1, 1, 2),
}
REAL = {
    "unit": real_grid(0, 1, 12),
    "coarse": real_grid(-3, 5, 2),
    "coarsest": real_grid(-4, 4, 1),
    "fine": real_grid(-1, 1, 40),
    "far from zero": real_grid(1e6, 1e6 + 1, 20),
    "large": real_grid(-1e30, 2e30, 16),
    "small": real_grid(1e-30, 2e-30, 16),
}
every_exact_grid = pytest.mark.parametrize("grid", EXACT.values(), ids=EXACT)
every_real_grid = pytest.mark.parametrize("grid", REAL.values(), ids=REAL)
every_grid = pytest.mark.parametrize("grid", [*EXACT.values(), *REAL.values()], ids=[*EXACT, *REAL])


def integers_in(grid: Grid, seed: int, samples: int = 50) -> np.ndarray:
    """Random grid integers (n, d); the ends and their neighbours come first."""
    found = np.random.default_rng(seed).integers(grid.low, grid.high, (samples, grid.features), endpoint=True)
    found[:4] = np.clip(np.stack([grid.low, grid.low + 1, grid.high - 1, grid.high]), grid.low, grid.high)
    return found


def moved(grid: Grid, integers: np.ndarray, steps: float | np.ndarray) -> np.ndarray:
    """The reals that lie so many steps from grid points."""
    return grid.offset + (integers + steps) * grid.step


def hair(grid: Grid) -> float:
    """How far from a grid point a value may be, in steps."""
    if not grid.exact:
        return 0.5
    whole = float(grid.step[0]).is_integer() and float(grid.offset[0]).is_integer()
    return 2.0**-32 if whole else 2.0**-14


# --- the grid -------------------------------------------------------------------------------------------------------


@every_grid
def test_grid_points_are_their_integers(grid: Grid) -> None:
    integers = integers_in(grid, 0)
    found = grid.quantize(moved(grid, integers, 0))
    assert found.dtype == np.int64
    assert (found == integers).all()


@every_grid
def test_the_range_is_that_of_the_integers(grid: Grid) -> None:
    assert (grid.quantize(np.stack([grid.lower, grid.upper])) == np.stack([grid.low, grid.high])).all()
    assert (grid.magnitude == np.maximum(abs(grid.low), abs(grid.high))).all()


@every_real_grid
@given(seed=seeds)
@settings(max_examples=20)
def test_reals_become_the_nearest_grid_point(grid: Grid, seed: int) -> None:
    """Within half a step, up to the rounding of float64, judged in exact arithmetic."""
    values = np.random.default_rng(seed).uniform(grid.lower, grid.upper, size=(10, grid.features))
    for row, integers in zip(values, grid.quantize(values), strict=True):
        for u, (value, integer) in enumerate(zip(row.tolist(), integers.tolist(), strict=True)):
            step = Fraction(float(grid.step[u]))
            distance = abs(Fraction(value) - Fraction(float(grid.offset[u])) - integer * step)
            assert distance <= step * (Fraction(1, 2) + Fraction(int(grid.magnitude[u]), 2**51))


@every_exact_grid
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_hair_off_an_exact_grid_is_accepted_and_no_more(grid: Grid, sign: int) -> None:
    integers = integers_in(grid, 1)
    assert (grid.quantize(moved(grid, integers, sign * 0.5 * hair(grid))) == integers).all()
    for feature in range(grid.features):
        steps = np.zeros(grid.features)
        steps[feature] = sign * 2 * hair(grid)
        with pytest.raises(InputError, match=rf"feature {feature} must be .* plus a multiple of .*round_inputs=True"):
            grid.quantize(moved(grid, integers, steps))


@every_exact_grid
def test_rounding_is_opt_in_on_an_exact_grid(grid: Grid) -> None:
    integers = integers_in(grid, 2)
    for steps in (-0.4, 0.4):
        values = moved(grid, integers, steps)
        with pytest.raises(InputError, match="plus a multiple of"):
            grid.quantize(values)
        assert (grid.quantize(values, round_inputs=True) == integers).all()


@every_grid
@pytest.mark.parametrize(("end", "outwards"), [("low", -1), ("high", 1)])
def test_values_out_of_range_are_refused_unless_clipped(grid: Grid, end: str, outwards: int) -> None:
    limit = getattr(grid, end)
    for feature in range(grid.features):
        for far in (0.6, 1, 1000, 1e12):
            values = moved(grid, integers_in(grid, 3), 0)
            values[7, feature] = moved(grid, limit, outwards * far)[feature]
            with pytest.raises(
                InputError, match=rf"feature {feature} must be between .*\(sample 7, feature {feature}\)"
            ):
                grid.quantize(values, round_inputs=True)
            assert grid.quantize(values, clip=True)[7, feature] == limit[feature]


@every_real_grid
def test_up_to_half_a_step_out_of_range_is_the_end(grid: Grid) -> None:
    for limit, outwards in ((grid.low, -1), (grid.high, 1)):
        for steps in (0.4, 0.499):
            assert (grid.quantize(moved(grid, limit, steps * outwards)[None]) == limit).all()
    binary = real_grid(-4, 4, 1)  # -1, 0 and 1: exactly half a step beyond is a tie, and 2 is the even one
    assert (binary.quantize(np.stack([binary.lower - 2, binary.upper + 2])) == [[-1] * 3, [1] * 3]).all()


@every_grid
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused_even_when_clipping(grid: Grid, value: float) -> None:
    values = moved(grid, integers_in(grid, 4), 0)
    values[5, 1] = value
    for options in ({}, {"clip": True}, {"round_inputs": True}, {"clip": True, "round_inputs": True}):
        with pytest.raises(InputError, match=rf"must be finite. Got {value:g} \(sample 5, feature 1\)"):
            grid.quantize(values, **options)


def test_pixels_of_every_common_type_are_exact() -> None:
    pixels = np.arange(256, dtype=np.uint8)[:, None]
    whole, scaled = exact_grid(0, 255, 1, 1), exact_grid(0, 1, 1 / 255, 1)
    expected = whole.quantize(pixels.astype(np.float64))
    assert (np.diff(expected, axis=0) == 1).all()
    for kind in (np.float32, np.float64):
        assert (whole.quantize(pixels.astype(kind).astype(np.float64)) == expected).all()
        for scaling in (pixels.astype(kind) / kind(255), pixels.astype(kind) * kind(1 / 255)):
            assert (scaled.quantize(scaling.astype(np.float64)) == expected).all()


def test_half_precision_pixels_are_refused_rather_than_rounded_in_silence() -> None:
    halves = (np.arange(256) / 255).astype(np.float16).astype(np.float64)[:, None]
    with pytest.raises(InputError, match="plus a multiple of"):
        exact_grid(0, 1, 1 / 255, 1).quantize(halves)


# --- integer maps ---------------------------------------------------------------------------------------------------


def exact_worst_case(weights: np.ndarray, bias: np.ndarray, grid: Grid) -> int:
    """The largest |result| over all inputs in range, in Python integers: every input at one of its ends."""
    worst = 0
    for row, b in zip(weights.tolist(), bias.tolist(), strict=True):
        ends = [(w * low, w * high) for w, low, high in zip(row, grid.low.tolist(), grid.high.tolist(), strict=True)]
        top, bottom = b + sum(max(pair) for pair in ends), b + sum(min(pair) for pair in ends)
        worst = max(worst, top, -bottom)
    return worst


@st.composite
def grids(draw: st.DrawFn, features: int) -> Grid:
    """Any ranges of integers, feature by feature: symmetric, one-sided, away from zero, of two values."""
    rng = np.random.default_rng(draw(seeds))
    bits = draw(st.integers(0, 40))
    ends = rng.integers(-(1 << bits), 1 << bits, size=(2, features), endpoint=True)
    if draw(st.booleans()):
        ends[0] = -ends[1]
    low, high = ends.min(axis=0), np.maximum(ends.max(axis=0), ends.min(axis=0) + 1)
    return Grid(np.zeros(features), np.ones(features), low, high, exact=True)


@st.composite
def real_maps(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Weights (k, d) and bias (k,) of any sort and magnitude, and a grid."""
    k, d = draw(st.integers(1, 4)), draw(up_to(40))
    rng = np.random.default_rng(draw(seeds))
    magnitude = 10.0 ** draw(st.integers(-80, 80))
    weights = WEIGHTS[draw(st.sampled_from(sorted(WEIGHTS)))](rng, (k, d)) * magnitude
    bias = rng.normal(size=k) * magnitude * draw(st.sampled_from([0, 1e-12, 1, 1e12]))
    return weights, bias, draw(grids(d))


@given(real=real_maps(), result_bits=st.integers(2, MAX_RESULT_BITS), limbs=st.integers(1, 4))
@settings(max_examples=150)
def test_quantised_maps_never_exceed_their_bits(
    real: tuple[np.ndarray, np.ndarray, Grid], result_bits: int, limbs: int
) -> None:
    """In every limb, for every input in range, as Python integers; and worst_case says so, without being far off."""
    weights, bias, grid = real
    try:
        found = quantize_map(weights, bias, grid, result_bits, limbs)
    except PrecisionError:
        return
    exact = exact_worst_case(found.weights, found.bias, grid)
    bound = worst_case(found.weights, found.bias, grid)
    assert exact <= bound <= (1 << (result_bits - 1)) - 1
    terms = (np.abs(found.weights).astype(object) @ grid.magnitude.astype(object) + np.abs(found.bias)).max()
    assert bound <= exact + 2 + terms * (grid.features + 12) // 2**51


def whole(found: IntegerMap, outputs: int) -> tuple[list[list[int]], list[int]]:
    """The integer weights and biases that the limbs stand for, as Python integers."""
    shift = [1 << (found.limb_bits * i) for i in range(found.limbs)]
    w = found.weights.astype(object).reshape(found.limbs, outputs, -1)
    b = found.bias.astype(object).reshape(found.limbs, outputs)
    return sum(s * one for s, one in zip(shift, w, strict=True)).tolist(), sum(
        s * one for s, one in zip(shift, b, strict=True)
    ).tolist()


@given(real=real_maps(), result_bits=st.integers(2, MAX_RESULT_BITS), limbs=st.integers(1, 4))
@settings(max_examples=150)
def test_limbs_are_the_digits_of_the_nearest_integers(
    real: tuple[np.ndarray, np.ndarray, Grid], result_bits: int, limbs: int
) -> None:
    weights, bias, grid = real
    try:
        found = quantize_map(weights, bias, grid, result_bits, limbs)
    except PrecisionError:
        return
    integer_weights, integer_bias = whole(found, len(bias))
    scale = Fraction(2) ** found.scale_exponent
    for reals, integers in ((weights.ravel(), np.ravel(integer_weights)), (bias, integer_bias)):
        for real_value, integer in zip(reals.tolist(), integers, strict=True):
            assert abs(Fraction(real_value) * scale - int(integer)) <= Fraction(1, 2)
    if limbs == 1:
        assert found.limb_bits == 0
        return
    lower = found.weights.reshape(limbs, -1)[:-1]
    half = 1 << (found.limb_bits - 1)
    assert (lower >= -half).all()
    assert (lower < half).all()


@given(real=real_maps(), result_bits=st.integers(2, MAX_RESULT_BITS))
@settings(max_examples=100)
def test_no_finer_scale_would_fit(real: tuple[np.ndarray, np.ndarray, Grid], result_bits: int) -> None:
    """Twice the scale would exceed T bits (up to the rounding of weights to integers), or 61 bits a weight."""
    weights, bias, grid = real
    try:
        found = quantize_map(weights, bias, grid, result_bits, 1)
    except PrecisionError:
        return
    if not weights.any():
        return
    doubled = 2 * exact_worst_case(found.weights, found.bias, grid)
    rounding = 2 * int(grid.magnitude.astype(object).sum()) + 2
    heaviest = np.abs(found.weights).max()
    assert doubled + rounding >= (1 << (result_bits - 1)) - 1 or heaviest >= 1 << (MAX_RESULT_BITS - 3)


def test_results_too_small_for_any_weight_are_refused() -> None:
    grid = exact_grid(0, 255, 1, 784)
    with pytest.raises(PrecisionError, match="8-bit results leave no room for limbs over 784 features"):
        quantize_map(np.ones((1, 784)), np.zeros(1), grid, 8, 2)


@given(real=real_maps(), result_bits=st.integers(2, MAX_RESULT_BITS), limbs=st.integers(1, 4))
@settings(max_examples=100)
def test_nothing_that_fits_is_refused(real: tuple[np.ndarray, np.ndarray, Grid], result_bits: int, limbs: int) -> None:
    """T bits hold weights of two bits, with any inputs in range: then they hold a map, with any number of limbs."""
    weights, bias, grid = real
    reach = int(grid.magnitude.astype(object).sum()) + 1
    if 2 * reach <= (1 << (result_bits - 1)) - 1:
        quantize_map(weights, bias, grid, result_bits, limbs)


@given(real=real_maps(), result_bits=st.integers(8, MAX_RESULT_BITS), seed=seeds)
def test_integer_maps_compute_what_they_say(
    real: tuple[np.ndarray, np.ndarray, Grid], result_bits: int, seed: int
) -> None:
    weights, bias, grid = real
    try:
        found = quantize_map(weights, bias, grid, result_bits, 1)
    except PrecisionError:
        return
    values = integers_in(grid, seed, 5)
    exact = values.astype(object) @ found.weights.T.astype(object) + found.bias.astype(object)
    assert (found.apply(values) == exact).all()
    assert found.norms == [sum(map(abs, row)) for row in found.weights.tolist()]


def test_norms_do_not_overflow() -> None:
    weights = np.full((1, 1000), -(1 << 61))
    assert IntegerMap(weights, np.zeros(1, dtype=np.int64), 0, 1, 0).norms == [1000 << 61]


@given(
    limbs=st.integers(1, 4),
    limb_bits=st.integers(2, 15),
    exponent=st.integers(-100, 1000),
    outputs=st.integers(1, 3),
    seed=seeds,
)
def test_recombining_rounds_only_as_float64_does(
    limbs: int, limb_bits: int, exponent: int, outputs: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    results = rng.integers(-(1 << 61), 1 << 61, size=(3, limbs * outputs)) >> rng.integers(0, 61)
    found = recombine(results, limbs, limb_bits, exponent)
    assert found.shape == (3, outputs)
    parts = results.reshape(3, limbs, outputs).tolist()
    for i in range(3):
        for v in range(outputs):
            terms = [Fraction(parts[i][limb][v]) * 2 ** (limb * limb_bits) for limb in range(limbs)]
            scale = Fraction(2) ** -exponent
            tolerance = sum(map(abs, terms)) * scale * limbs / 2**52
            assert abs(Fraction(float(found[i, v])) - sum(terms) * scale) <= tolerance


def test_one_limb_below_53_bits_is_read_without_rounding() -> None:
    results = np.array([[(1 << 53) - 1, -5, 0]])
    assert recombine(results, 1, 0, 60).tolist() == [[((1 << 53) - 1) / 2**60, -5 / 2**60, 0.0]]


# --- the guaranteed error -------------------------------------------------------------------------------------------


def worst_inputs(model: CompiledModel, weights: np.ndarray) -> np.ndarray:
    """Two inputs for every output, which make every part of its error as large as it gets and of one sign."""
    grid, (integer_weights, _) = model.signature.grid, whole(model.integers, len(weights))
    scale = Fraction(2) ** -model.signature.circuit.scale_exponent
    rows = []
    for row, integers in zip(weights, integer_weights, strict=True):
        in_steps = [Fraction(float(w)) * Fraction(float(step)) for w, step in zip(row, grid.step, strict=True)]
        residual = [float(w - integer * scale) for w, integer in zip(in_steps, integers, strict=True)]
        for sign in (1, -1):
            end = np.where(sign * np.array(residual) > 0, grid.high, grid.low)
            rows.append(moved(grid, end, 0.99 * hair(grid) * sign * np.sign(row)))
    return np.array(rows)


def scores_of(model: CompiledModel, X: np.ndarray) -> np.ndarray:
    """What decryption gives for X."""
    one = model.integers
    return recombine(one.apply(model.signature.grid.quantize(X)), one.limbs, one.limb_bits, one.scale_exponent)


def largest_error(model: CompiledModel, weights: np.ndarray, bias: np.ndarray, X: np.ndarray) -> Fraction:
    """The largest |decrypted score - W·x - b|, without rounding but that of the decrypted scores themselves."""
    largest = Fraction(0)
    for x, row in zip(X.tolist(), scores_of(model, X).tolist(), strict=True):
        for w, b, score in zip(weights.tolist(), bias.tolist(), row, strict=True):
            exact = sum(Fraction(a) * Fraction(c) for a, c in zip(w, x, strict=True)) + Fraction(b)
            largest = max(largest, abs(Fraction(score) - exact))
    return largest


@given(
    shape=st.tuples(st.integers(1, 3), up_to(50)),
    kind=st.sampled_from(sorted(WEIGHTS)),
    inputs=st.sampled_from(sorted(INPUTS)),
    profile=st.sampled_from(sorted(PROFILES)),
    magnitude=st.integers(-60, 60),
    seed=seeds,
    data=st.data(),
)
@settings(max_examples=50)
def test_the_guaranteed_error_is_never_exceeded(
    shape: tuple[int, int], kind: str, inputs: str, profile: str, magnitude: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    weights = WEIGHTS[kind](rng, shape) * 10.0**magnitude
    bias = rng.normal(size=shape[0]) * 10.0**magnitude * data.draw(st.sampled_from([0, 1, 1000]))
    model = compiled(weights, bias, profile=profile, **INPUTS[inputs])
    error, grid = model.signature.error, model.signature.grid
    X = np.concatenate([worst_inputs(model, weights), moved(grid, integers_in(grid, seed, 5), 0)])
    X = np.clip(X, grid.lower, grid.upper) if not grid.exact else X
    assert largest_error(model, weights, bias, X) <= Fraction(error)
    scores = recombine(
        model.integers.apply(grid.quantize(X)),
        model.integers.limbs,
        model.integers.limb_bits,
        model.integers.scale_exponent,
    )
    assert np.abs(scores - regression(weights, bias).predict(X)).max() <= error


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("inputs", sorted(INPUTS.keys() - {"signs"}))
@pytest.mark.parametrize("features", [1, 30, 300])
def test_the_guaranteed_error_is_nearly_reached(profile: str, inputs: str, features: int) -> None:
    """The bound is no larger than it has to be: the worst input comes within a seventh of it."""
    rng = np.random.default_rng(features)
    weights, bias = rng.normal(size=(2, features)), rng.normal(size=2)
    model = compiled(weights, bias, profile=profile, **INPUTS[inputs])
    found = largest_error(model, weights, bias, worst_inputs(model, weights))
    assert 0.85 * model.signature.error <= found <= model.signature.error


def test_the_rounding_of_float64_is_part_of_the_guaranteed_error() -> None:
    """Whole numbers near 10^12: nothing is rounded to a grid, but weights times inputs have more bits than float64."""
    rng = np.random.default_rng(5)
    weights, bias = rng.normal(size=(3, 30)), rng.normal(size=3)
    model = compiled(weights, bias, profile="precise", input_range=(1e12, 1e12 + 4), input_step=1)
    X = moved(model.signature.grid, integers_in(model.signature.grid, 0), 0)
    assert 1e-5 < largest_error(model, weights, bias, X) <= model.signature.error
    assert 1e-5 < np.abs(scores_of(model, X) - regression(weights, bias).predict(X)).max() <= model.signature.error


def test_what_the_estimator_itself_rounds_is_part_of_the_guaranteed_error() -> None:
    weights, bias = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, 0.5])
    model = compiled(weights, bias, profile="fast", **INPUTS["reals"])
    grid = model.signature.grid
    in_steps = weights * grid.step, bias + weights @ grid.offset
    plain, more = (
        guaranteed_error(*in_steps, np.zeros(2), model.integers, grid, own) for own in (0.0, np.array([0.0, 7.0]))
    )
    assert 7.0 < more <= 7.0 + plain + 0.1


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_limbs_keep_the_error_they_guarantee(factor: int) -> None:
    rng = np.random.default_rng(factor)
    weights, bias = rng.normal(size=(2, 30)), rng.normal(size=2)
    plain = compiled(weights, bias, profile="fast", **INPUTS["reals"])
    model = compiled(weights, bias, profile="fast", tolerance=plain.signature.error / factor, **INPUTS["reals"])
    assert model.signature.circuit.limbs > 1
    assert model.signature.error <= plain.signature.error / factor
    found = largest_error(model, weights, bias, worst_inputs(model, weights))
    assert 0.85 * model.signature.error <= found <= model.signature.error


def test_guaranteed_errors_have_two_digits() -> None:
    model = compiled([[1.0, 2.0]], [0.5], profile="fast", **INPUTS["reals"])
    assert float(f"{model.signature.error:.1e}") == model.signature.error
