"""How a network is run: the range of its hidden values, the polynomials of its activations, and the cheapest ring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from ..arrays import Reals
from ..circuits.bounds import MIN_LAMBDA_BITS
from ..circuits.decimals import round_up
from ..circuits.networks.guarantee import slopes
from ..circuits.networks.network import HiddenLayer, Network
from ..circuits.networks.planner import NetworkChoice, most_layers
from ..circuits.networks.planner import choose as choose_scales
from ..circuits.networks.ranges import HiddenRange
from ..circuits.networks.window import Window
from ..errors import CompileError, PrecisionError
from ..inputs.grid import Grid
from ..rlwe.parameters import NETWORK_PROFILES, Parameters
from .activations import Activation, distances, polynomials
from .agreement import ENOUGH, agreement
from .inputs import InputRange
from .network_map import NetworkMap

PROVED, CALIBRATED = "proved", "calibrated"
"""Where the bounds of hidden values come from: all inputs in range, or the owner's sample."""

_GRID_BITS = 24
_MARGIN = 1.1
_DEGREES = (8, 4, 2)
"""Of the polynomials that stand for activations which are none: what is nearer first, and then what takes less room."""

_EXACT = 2
_DEFAULT_SHARE = 0.04
"""Of the spread of scores, that encryption may cost where no tolerance is asked for."""

_FURTHER = 8
"""Roundings of a value beside those of sums."""


def choose(
    network: NetworkMap,
    inputs: InputRange,
    sample: Reals | None,
    *,
    profile: str | None = None,
    tolerance: float | None = None,
    flooding: float | None = None,
    spread: float | None = None,
    hidden_range: str | None = None,
) -> NetworkChoice:
    """The cheapest ring that meets the tolerance and the flooding, with the range proved where it fits; where not, or
    where activations are fitted, calibrated on the ``sample`` (n, d) of what is encrypted. Of fitted ones, the cheapest
    that agrees on 99 % of the sample; where none does, that which agrees most.

    Raises
    ------
    PrecisionError
        If none meets them; the message says what would.
    CompileError
        If a range must be calibrated and there is no sample.
    """
    grid = inputs.grid(_GRID_BITS)
    ways, layers = _ways(network, grid, sample, hidden_range), len(network.layers)
    profiles = list(NETWORK_PROFILES.values()) if profile is None else [NETWORK_PROFILES[profile]]
    tried = [(one, way) for one in profiles for way in ways if layers <= most_layers(one, way.degree)]
    if not tried:
        most = max(most_layers(one, way.degree) for one in profiles for way in ways)
        raise PrecisionError(
            f"a network may have {most} hidden layers in the profile {profiles[-1].profile!r}. Got {layers}: train one "
            "with fewer, or keep the first ones as public features."
        )
    wanted = max(MIN_LAMBDA_BITS, flooding or 0.0)
    found: list[tuple[float, NetworkChoice]] = []
    refused: list[str] = []
    for parameters, way in tried:
        one = way.prepared
        try:
            choice = _scaled(one, grid, parameters, wanted, _allowed(one, tolerance, spread))
        except PrecisionError as error:
            refused.append(f"{parameters.profile}, degree {one.network.degree}: {error}")
            continue
        found.append((one.agreement, choice))
        if one.agreement >= ENOUGH:
            return choice
    if not found:
        raise PrecisionError(f"no polynomials and ring are as wanted. {' '.join(refused)}")
    return max(found, key=lambda one: one[0])[1]


def _scaled(way: _Prepared, grid: Grid, parameters: Parameters, wanted: float, allowed: float) -> NetworkChoice:
    found = choose_scales(way.network, grid, way.hidden, tolerance=allowed, parameters=parameters, window=way.window)
    if found.circuit.lambda_bits < wanted:
        raise PrecisionError(
            f"answers must be flooded by {wanted:g} bits. They are by {found.circuit.lambda_bits:g}: ask for a larger "
            "tolerance, or train the network with a smaller range."
        )
    return replace(found, error=round_up(found.error + way.distance), own_rounding=np.array([way.distance]))


@dataclass(frozen=True, eq=False)
class _Way:
    """A degree of activations, and what prepares the network so."""

    degree: int
    prepare: Callable[[], _Prepared]

    @cached_property
    def prepared(self) -> _Prepared:
        """The network as it is run so."""
        return self.prepare()


def _ways(network: NetworkMap, grid: Grid, sample: Reals | None, hidden_range: str | None) -> list[_Way]:
    """How the network may be run, what is better first."""
    fitted = any(layer.activation.coefficients is None for layer in network.layers)
    if hidden_range not in (None, PROVED, CALIBRATED):
        raise CompileError(f"hidden_range must be {PROVED} or {CALIBRATED}. Got {hidden_range!r} instead.")
    if hidden_range == PROVED and fitted:
        raise CompileError(
            "hidden_range must be calibrated where activations are fitted by polynomials. Got 'proved': pass X_sample, "
            "or train the network with square activations."
        )
    if (hidden_range == CALIBRATED or fitted) and sample is None:
        raise CompileError("a network whose range is calibrated must be compiled with X_sample. Got none.")
    if fitted:
        return [_way(network, grid, sample, degree, calibrated=True) for degree in _DEGREES]
    wanted = [PROVED, CALIBRATED] if hidden_range is None and sample is not None else [hidden_range or PROVED]
    return [_way(network, grid, sample, _EXACT, calibrated=one == CALIBRATED) for one in wanted]


def _way(network: NetworkMap, grid: Grid, sample: Reals | None, degree: int, *, calibrated: bool) -> _Way:
    highest = max(_degree(layer.activation, degree) for layer in network.layers)
    return _Way(highest, partial(_prepared, network, grid, sample, degree, calibrated=calibrated))


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A network in units of its inputs' range, the range of its hidden values, a bound on how far its polynomials and
    the grid are from the estimator, and how much of the sample they agree on.
    """

    network: Network
    hidden: HiddenRange
    distance: float
    agreement: float
    window: Window | None


def _prepared(network: NetworkMap, grid: Grid, sample: Reals | None, degree: int, *, calibrated: bool) -> _Prepared:
    middle, half = (grid.low + grid.high) / 2, np.maximum((grid.high - grid.low) / 2, 0.5)
    units = np.zeros((1, grid.features)) if sample is None else ((sample - grid.offset) / grid.step - middle) / half
    scaled, activations = _in_units(network, grid, units, degree, calibrated=calibrated)
    found = HiddenRange.calibrated(scaled, units, _MARGIN) if calibrated else HiddenRange.proved(scaled)
    steps = 0.0 if grid.exact else 0.5 / half
    moved = slopes(scaled, found.limits)[0] @ (np.abs(scaled.first.weights) * steps).sum(axis=1)
    same = 1.0 if sample is None else agreement(network.head, network.scores(sample), scaled.scores(units))
    sums = _MARGIN * _term_sums(network, grid, sample) if calibrated else _term_sums(network, grid, None)
    apart = _apart(network, activations) + _rounding(network, [one.limits for one in activations], sums)
    return _Prepared(scaled, found, float((apart + moved).max()), same, network.window)


@dataclass(frozen=True, eq=False)
class _Activated:
    """The limits (H,) of a layer's hidden values, its polynomials (H, D+1) in units of them, and bounds (H,) on how far
    these are from its activation.
    """

    limits: Reals
    polynomials: Reals
    distances: Reals


def _in_units(
    network: NetworkMap, grid: Grid, units: Reals, degree: int, *, calibrated: bool
) -> tuple[Network, list[_Activated]]:
    """The network in units of its inputs' range and of each layer's limits, with polynomials as activations: of a
    degree where they are fitted, else of their own.
    """
    middle, half = (grid.low + grid.high) / 2, np.maximum((grid.high - grid.low) / 2, 0.5)
    first = network.layers[0].weights
    layer, shift = first * (grid.step * half), network.layers[0].bias + first @ (grid.offset + grid.step * middle)
    before, reach = units, np.ones(grid.features)
    highest = max(_degree(one.activation, degree) for one in network.layers)
    layers: list[HiddenLayer] = []
    activations: list[_Activated] = []
    after = [*((one.weights, one.bias) for one in network.layers[1:]), (network.readout, network.bias)]
    for one, (weights, bias) in zip(network.layers, after, strict=True):
        hidden, largest = before @ layer.T + shift, np.abs(layer) @ reach + np.abs(shift)
        limits = np.minimum(_MARGIN * np.abs(hidden).max(axis=0), largest) if calibrated else largest
        limits = np.where(limits > 0, limits, 1.0)
        fitted = _padded(polynomials(one.activation, hidden, limits, degree), highest)
        activations.append(_Activated(limits, fitted, distances(one.activation, fitted, limits)))
        without = fitted * (np.arange(fitted.shape[1]) > 0)
        layers.append(HiddenLayer(layer / limits[:, None], shift / limits, without))
        before, reach = layers[-1].activated(hidden / limits), layers[-1].activated_reach(largest / limits)
        layer, shift = weights, bias + weights @ fitted[:, 0]
    return Network(tuple(layers), layer, shift), activations


def _degree(activation: Activation, fitted: int) -> int:
    """The degree of an activation's polynomials: its own, or that of fitted ones."""
    return fitted if activation.coefficients is None else max(activation.coefficients.shape[-1] - 1, _EXACT)


def _padded(rows: Reals, degree: int) -> Reals:
    """Polynomials (H, D+1) with zeros up to a degree."""
    return np.pad(rows, ((0, 0), (0, max(0, degree + 1 - rows.shape[1]))))


def _apart(network: NetworkMap, activations: list[_Activated]) -> Reals:
    """How far polynomials move scores (k,) at most from those of the activations they stand for."""
    moved = np.zeros(1)
    for number, (layer, one) in enumerate(zip(network.layers, activations, strict=True)):
        through = layer.activation.slopes(one.limits) * (np.abs(layer.weights) @ moved) if number else 0.0
        moved = one.distances + through
    return np.asarray(np.abs(network.readout) @ moved)


def _rounding(network: NetworkMap, limits: list[Reals], sums: Reals) -> Reals:
    """What the estimator's own sums round at most (k,), to first order: of first hidden values whose terms add up to
    ``sums`` (H,) at most, and all within their ``limits`` (H,); the rest of float64's is far below.
    """
    added = network.layers[0].weights.shape[1] if network.window is None else network.window.taps
    after = [*(np.abs(layer.weights) for layer in network.layers[1:]), np.abs(network.readout)]
    biases = [*(layer.bias for layer in network.layers[1:]), network.bias]
    hidden = (added + _FURTHER) * sums
    for layer, limit, weights, bias in zip(network.layers, limits, after, biases, strict=True):
        values = (len(limit) + _FURTHER) * (np.abs(layer.activation.apply(limit)) + 1.0)
        hidden = weights @ (hidden * layer.activation.slopes(limit) + values) + (len(limit) + _FURTHER) * np.abs(bias)
    return np.asarray(network.precision * hidden)


def _term_sums(network: NetworkMap, grid: Grid, sample: Reals | None) -> Reals:
    """The largest sum (H,) of the absolute terms of the first hidden values: of a sample (n, d), or of all inputs in
    range.
    """
    largest = np.maximum(np.abs(grid.offset + grid.step * grid.low), np.abs(grid.offset + grid.step * grid.high))
    sizes, layer = largest[None] if sample is None else np.abs(sample), network.layers[0]
    return np.asarray((sizes @ np.abs(layer.weights).T).max(axis=0) + np.abs(layer.bias))


def _allowed(prepared: _Prepared, tolerance: float | None, spread: float | None) -> float:
    """What encryption may move scores by."""
    if tolerance is None:
        return _DEFAULT_SHARE * (1.0 if spread is None else spread)
    if tolerance <= prepared.distance:
        raise PrecisionError(
            f"scores of the network's polynomials are within {prepared.distance:.2g} of its own. A tolerance of "
            f"{tolerance:g} is less: ask for a larger one, or train the network with square activations."
        )
    return tolerance - prepared.distance
