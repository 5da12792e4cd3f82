"""Which parameters, result bits, limbs and layouts: the cheapest that guarantee what was asked.

More result bits T mean finer weights, but each of them takes about two bits of flooding: one because the flooding must
stay below half the scale, one because the weights it hides are twice as large. So for given parameters and limbs there
is one T, the largest that is flooded enough, and how much a first guess is flooded tells about where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..arrays import Reals
from ..circuits.cost import Offer
from ..circuits.linear import bounds, plan
from ..circuits.linear.integers import MAX_RESULT_BITS, IntegerMap, guaranteed_error, quantize_map
from ..circuits.linear.public import LinearCircuit
from ..circuits.linear.server import lambda_bits
from ..circuits.packing import Layout
from ..errors import CompileError, PrecisionError
from ..inputs.grid import Grid
from ..rlwe.parameters import FAST, PROFILES, Parameters
from .inputs import InputRange
from .linear import LinearMap
from .spread import SMALL

DEFAULT_LAMBDA = {"fast": 28.0, "precise": 40.0}
"""The least flooding, in bits, unless the caller asks for another."""

_MAX_LIMBS = 4
_RESULT_BITS = range(9, MAX_RESULT_BITS + 1)
_MAX_INPUT_BITS = 40
_WEIGHT_BITS = MAX_RESULT_BITS - 1
_LARGEST_SCORE = 1e250
_MAX_CHUNK_BYTES = 128 << 20


@dataclass(frozen=True, eq=False)
class Choice:
    """A way to run a model, with everything it guarantees."""

    linear: LinearMap
    parameters: Parameters
    result_bits: int
    grid: Grid
    integers: IntegerMap

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """The cheapest layout for every batch size worth having, with the flooding of its answers."""
        flood = bounds.flood_bits(self.parameters, self.result_bits)
        layouts = best_layouts(self.parameters, self.grid.features, len(self.integers.weights), flood)
        return tuple(
            Offer(layout, math.floor(lambda_bits(self.integers, layout, flood) * 10) / 10) for layout in layouts
        )

    @property
    def circuit(self) -> LinearCircuit:
        """What becomes public of it."""
        one = self.integers
        return LinearCircuit(
            self.parameters,
            self.grid,
            len(self.linear.bias),
            self.result_bits,
            one.scale_exponent,
            one.limbs,
            one.limb_bits,
            self.offers,
        )

    @property
    def lambda_bits(self) -> float:
        """The least flooding of any answer."""
        return self.circuit.lambda_bits

    @cached_property
    def error(self) -> float:
        """Guaranteed bound on |score - estimator's score|."""
        linear, grid = self.linear, self.grid
        folded = linear.folded + linear.terms @ np.abs(grid.offset)
        if linear.reach is not None:
            folded = folded + np.maximum(linear.reach - np.abs(linear.weights), 0) @ (grid.step * grid.magnitude)
        return guaranteed_error(*_in_steps(linear, grid), folded, self.integers, grid, self.own_rounding)

    @property
    def own_rounding(self) -> Reals | float:
        """What the model's own method rounds beyond float64, for every score."""
        grid, terms = self.grid, self.linear.terms
        return self.linear.rounding_of(lambda: grid.largest_sum(terms * grid.step) + terms @ np.abs(grid.offset))


def choose(
    linear: LinearMap,
    inputs: InputRange,
    *,
    profile: str | None = None,
    tolerance: float | None = None,
    flooding: float | None = None,
    spread: float | None = None,
) -> Choice:
    """The cheapest choice that meets ``tolerance``, flooded as much as the tolerance allows; without a tolerance, the
    most precise of one limb in the profile. Without either, the cheapest whose error is small beside the ``spread`` of
    scores, where one is.

    Raises
    ------
    PrecisionError
        If no choice meets the tolerance or the flooding; the message says what would.
    CompileError
        If scores exceed what float64 can hold with room to spare.
    """
    _check_scores(linear, inputs)
    if tolerance is None:
        parameters = FAST if profile is None else PROFILES[profile]
        found = _most_precise(linear, inputs, parameters, 1, flooding)
        if found is None:
            raise PrecisionError(_what_floods(linear, inputs, parameters, flooding))
        return found if profile is not None or spread is None else _small_beside(spread, found, inputs, flooding)
    profiles = PROFILES.values() if profile is None else [PROFILES[profile]]
    tried: list[Choice] = []
    for parameters, limbs in _by_cost(profiles, *linear.weights.shape):
        choice = _most_precise(linear, inputs, parameters, limbs, flooding)
        if choice is not None and choice.error <= tolerance:
            return _more_flooding(choice, linear, inputs, tolerance)
        tried += [] if choice is None else [choice]
    if not tried:
        raise PrecisionError(_what_floods(linear, inputs, list(profiles)[-1], flooding))
    raise PrecisionError(_what_fits(tried, tolerance, less=_floods_less(linear, inputs, tried, tolerance)))


def _small_beside(spread: float, first: Choice, inputs: InputRange, flooding: float | None) -> Choice:
    """The first choice, or the cheapest whose error is small beside a spread; none that is no better."""
    wanted, linear = SMALL * spread, first.linear
    if first.error <= wanted or float(np.max(first.own_rounding)) > wanted:
        return first
    found = [first]
    for parameters, limbs in _by_cost(PROFILES.values(), *linear.weights.shape):
        choice = _most_precise(linear, inputs, parameters, limbs, flooding)
        found += [] if choice is None else [choice]
        if found[-1].error <= wanted:
            return found[-1]
    return min(found, key=lambda one: one.error)


def _check_scores(linear: LinearMap, inputs: InputRange) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        reach = np.maximum(np.abs(inputs.lower), np.abs(inputs.upper))
        largest = float((linear.terms @ reach + np.abs(linear.bias) + linear.folded).max())
    if not largest <= _LARGEST_SCORE:
        raise CompileError(
            f"scores must stay below {_LARGEST_SCORE:g} for every input in range. These may reach {largest:g}: "
            "scale the model's inputs or targets, or narrow input_range."
        )


def _by_cost(profiles: Iterable[Parameters], outputs: int, features: int) -> list[tuple[Parameters, int]]:
    """Parameters and limbs, those that answer one sample in the least time first."""

    def single_ms(option: tuple[Parameters, int]) -> float:
        parameters, limbs = option
        layouts = plan.candidate_layouts(parameters, 1, features, outputs * limbs)
        best = plan.cheapest(parameters, tuple(layouts), features, outputs * limbs, 1)
        return plan.cost(parameters, best, features, outputs * limbs, 1).estimated_ms

    return sorted([(one, limbs) for one in profiles for limbs in range(1, _MAX_LIMBS + 1)], key=single_ms)


def _wanted_lambda(parameters: Parameters, flooding: float | None) -> float:
    return max(bounds.MIN_LAMBDA_BITS, DEFAULT_LAMBDA[parameters.profile] if flooding is None else flooding)


def _what_floods(linear: LinearMap, inputs: InputRange, parameters: Parameters, flooding: float | None) -> str:
    wanted = _wanted_lambda(parameters, flooding)
    coarsest = _at(linear, inputs, parameters, _RESULT_BITS[0], 1)
    most = "no flooding" if coarsest is None else f"flooding={coarsest.lambda_bits:g}"
    ways = ["ask for that or less"] if coarsest is not None else ["compile fewer features in one model"]
    ways += ["pass profile='precise'"] if parameters == FAST else []
    return (
        f"{wanted:g} bits of flooding must fit profile {parameters.profile!r}. The most that fits is {most}: "
        f"{', or '.join(ways)}."
    )


def _floods_less(linear: LinearMap, inputs: InputRange, tried: list[Choice], tolerance: float) -> bool:
    """Whether the least flooding that is allowed would meet the tolerance, in one of the ways that were tried."""
    choices = (
        _most_precise(linear, inputs, one.parameters, one.integers.limbs, bounds.MIN_LAMBDA_BITS) for one in tried
    )
    return any(one is not None and one.error <= tolerance for one in choices)


def _what_fits(tried: list[Choice], tolerance: float, *, less: bool) -> str:
    """What meets a tolerance, or might: where the model itself rounds by more than that, no other option does."""
    best = min(tried, key=lambda one: one.error)
    own = float(np.max(best.own_rounding))
    ways = [f"tolerance={best.error!r} or more"]
    ways += [f"less flooding, such as flooding={bounds.MIN_LAMBDA_BITS:g}"] if less else []
    ways += [] if own > tolerance else ["a narrower input_range"]
    ways += [] if own > tolerance or best.grid.exact else ["the input_step that inputs are multiples of"]
    ways += [] if own > tolerance or any(one.parameters != FAST for one in tried) else ["profile='precise'"]
    ways += [f"a model in float64 (this one rounds by up to {own:.2g} itself)"] if own > tolerance / 2 else []
    return (
        f"tolerance={tolerance:g} must be guaranteed for every input in range. The least error that can be is "
        f"{best.error!r}, with profile {best.parameters.profile!r}, {best.integers.limbs} limbs and "
        f"{best.lambda_bits:g} bits of flooding: pass {', '.join(ways[:-1])} or {ways[-1]}."
    )


def _most_precise(
    linear: LinearMap, inputs: InputRange, parameters: Parameters, limbs: int, flooding: float | None
) -> Choice | None:
    """The choice with the most result bits that is flooded enough."""
    wanted = _wanted_lambda(parameters, flooding)
    possible = [bits for bits in _RESULT_BITS if bounds.flood_bits(parameters, bits) >= wanted]
    found = None
    low, high = _RESULT_BITS[0], max(possible, default=0)
    guess = round(math.log2(parameters.query_modulus) - wanted) // 2
    while low <= high:
        guess = min(max(guess, low), high)
        choice = _at(linear, inputs, parameters, guess, limbs)
        spare = math.inf if choice is None else choice.lambda_bits - wanted
        if spare >= 0:
            found, low = choice or found, guess + 1
        else:
            high = guess - 1
        guess = low if choice is None else guess + math.floor(spare / 2)
    return found


def _more_flooding(choice: Choice, linear: LinearMap, inputs: InputRange, tolerance: float) -> Choice:
    """The same parameters with as few result bits as the tolerance allows: every bit less floods more."""
    made = {0: choice}

    def too_few(fewer: int) -> bool:
        smaller = _at(linear, inputs, choice.parameters, choice.result_bits - fewer, choice.integers.limbs)
        if smaller is None or smaller.error > tolerance or smaller.lambda_bits < choice.lambda_bits:
            return True
        made[fewer] = smaller
        return False

    return made[_last_before(too_few, 1, choice.result_bits - _RESULT_BITS[0])]


def _last_before(fails: Callable[[int], bool], first: int, last: int) -> int:
    """The number before the first of first..last that fails, by bisection."""
    while first <= last:
        middle = (first + last) // 2
        if fails(middle):
            last = middle - 1
        else:
            first = middle + 1
    return last


def _at(linear: LinearMap, inputs: InputRange, parameters: Parameters, result_bits: int, limbs: int) -> Choice | None:
    """The choice for given result bits; None if the integers have no room in them."""
    grid = inputs.grid(_input_bits(result_bits, linear.weights.shape[1], limbs))
    try:
        integers = quantize_map(*_in_steps(linear, grid), grid, result_bits, limbs)
    except PrecisionError:
        return None
    return Choice(linear, parameters, result_bits, grid, integers)


def _in_steps(linear: LinearMap, grid: Grid) -> tuple[Reals, Reals]:
    """Weights and bias of a map from grid integers to scores."""
    return linear.weights * grid.step, linear.bias + linear.weights @ grid.offset


def _input_bits(result_bits: int, features: int, limbs: int) -> int:
    """The resolution b of real inputs that balances the two worst-case errors, whatever the weights are.

    With R = sum of |w_u|·range_u, rounding inputs errs by up to R/2^(b+1), and rounding weights by about
    d·2^b·R/2^(T+2) with one limb. A further limb makes weights finer by the bits that d·2^b leaves of T.
    """
    spread = math.ceil(math.log2(features))

    def error(bits: int) -> float:
        limb_bits = min(result_bits - bits - spread, _WEIGHT_BITS // limbs) if limbs > 1 else 0
        if limbs > 1 and limb_bits < 2:
            return math.inf
        return 2.0 ** -(bits + 1) + 2.0 ** (spread + bits - result_bits - 2 - limb_bits * (limbs - 1))

    return min(range(2, _MAX_INPUT_BITS + 1), key=error)


def best_layouts(parameters: Parameters, features: int, outputs: int, flood: int) -> list[Layout]:
    """The cheapest layout that may answer a batch, for every power of two of samples; small ones first.

    Large batches of wide or tall models are left to several requests, where one would take too many bytes.
    """

    def fits(one: Layout, samples: int) -> bool:
        if not bounds.layout_allowed(parameters, one, features, flood, samples):
            return False
        full = plan.cost(parameters, one, features, outputs, one.samples)
        return one.samples == 1 or full.request_bytes + full.response_bytes <= _MAX_CHUNK_BYTES

    def cheapest(layouts: Iterable[Layout], samples: int) -> Iterator[Layout]:
        allowed = [layout for layout in layouts if fits(layout, samples)]
        if allowed:
            yield plan.cheapest(parameters, tuple(allowed), features, outputs, samples)

    sizes = [1 << i for i in range(parameters.ring_degree.bit_length())]
    own = [one for size in sizes for one in cheapest(plan.candidate_layouts(parameters, size, features, outputs), size)]
    return sorted({one for size in sizes for one in cheapest(own, size)}, key=lambda one: one.samples)
