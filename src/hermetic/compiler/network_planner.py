"""How a network is run: the range of its hidden values, the polynomials of its activations, and the cheapest ring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Reals
from ..circuits.bounds import MIN_LAMBDA_BITS
from ..circuits.decimals import round_up
from ..circuits.networks.network import Network
from ..circuits.networks.planner import NetworkChoice, slopes
from ..circuits.networks.planner import choose as choose_scales
from ..circuits.networks.ranges import HiddenRange
from ..errors import CompileError, PrecisionError
from ..inputs.grid import Grid
from ..rlwe.parameters import NETWORK_PROFILES
from .activations import distances, polynomials
from .inputs import InputRange
from .network_map import NetworkMap

PROVED, CALIBRATED = "proved", "calibrated"
"""Where the bounds of hidden values come from: all inputs in range, or the owner's sample."""

_GRID_BITS = 24
_MARGIN = 1.1
_DEGREE = 4
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
    where activations are fitted, calibrated on the ``sample`` (n, d) of what is encrypted.

    Raises
    ------
    PrecisionError
        If none meets them; the message says what would.
    CompileError
        If a range must be calibrated and there is no sample.
    """
    grid = inputs.grid(_GRID_BITS)
    ways = _ways(network, hidden_range, sample is not None)
    wanted = max(MIN_LAMBDA_BITS, flooding or 0.0)
    tried: list[str] = []
    for parameters in NETWORK_PROFILES.values() if profile is None else [NETWORK_PROFILES[profile]]:
        for way in ways:
            prepared = _prepared(network, grid, sample if way == CALIBRATED else None)
            allowed = _allowed(prepared, tolerance, spread)
            try:
                found = choose_scales(prepared.network, grid, prepared.hidden, tolerance=allowed, parameters=parameters)
            except PrecisionError as error:
                tried.append(f"{parameters.profile}, {way}: {error}")
                continue
            if found.circuit.lambda_bits >= wanted:
                whole = round_up(found.error + prepared.distance)
                return replace(found, error=whole, own_rounding=np.array([prepared.distance]))
            tried.append(f"{parameters.profile}, {way}: flooded by {found.circuit.lambda_bits} bits")
    raise PrecisionError(
        f"answers must be flooded by {wanted:g} bits within the tolerance. They are not ({'; '.join(tried)}): ask for "
        "a larger tolerance, or train the network with a smaller range."
    )


def _ways(network: NetworkMap, hidden_range: str | None, sampled: bool) -> list[str]:
    fitted = network.activation.coefficients is None
    if hidden_range not in (None, PROVED, CALIBRATED):
        raise CompileError(f"hidden_range must be {PROVED} or {CALIBRATED}. Got {hidden_range!r} instead.")
    if hidden_range == PROVED and fitted:
        raise CompileError(
            "hidden_range must be calibrated where activations are fitted by polynomials. Got 'proved': pass X_sample, "
            "or train the network with square activations."
        )
    if (hidden_range == CALIBRATED or fitted) and not sampled:
        raise CompileError("a network whose range is calibrated must be compiled with X_sample. Got none.")
    if hidden_range is not None or fitted or not sampled:
        return [hidden_range or (CALIBRATED if fitted else PROVED)]
    return [PROVED, CALIBRATED]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A network in units of its inputs' range, the range of its hidden values, and a bound on how far its polynomials
    and the grid are from the estimator.
    """

    network: Network
    hidden: HiddenRange
    distance: float


def _prepared(network: NetworkMap, grid: Grid, sample: Reals | None) -> _Prepared:
    """``sample`` is what the range is calibrated on, or None where it is proved."""
    middle, half = (grid.low + grid.high) / 2, np.maximum((grid.high - grid.low) / 2, 0.5)
    layer = network.layer * (grid.step * half)
    shift = network.shift + network.layer @ (grid.offset + grid.step * middle)
    units = np.zeros((1, grid.features)) if sample is None else ((sample - grid.offset) / grid.step - middle) / half
    hidden = units @ layer.T + shift
    reach = np.abs(layer).sum(axis=1) + np.abs(shift)
    limits = reach if sample is None else np.minimum(_MARGIN * np.abs(hidden).max(axis=0), reach)
    limits = np.where(limits > 0, limits, 1.0)
    fitted = polynomials(network.activation, hidden, limits, _DEGREE)
    bias = network.bias + network.readout @ fitted[:, 0]
    without = fitted * (np.arange(fitted.shape[1]) > 0)
    scaled = Network(layer / limits[:, None], shift / limits, without, network.readout, bias)
    found = HiddenRange.proved(scaled) if sample is None else HiddenRange.calibrated(scaled, units, _MARGIN)
    apart = np.abs(network.readout) @ distances(network.activation, fitted, limits)
    steps = 0.0 if grid.exact else 0.5 / half
    moved = slopes(scaled, found.limits) @ (np.abs(scaled.weights) * steps).sum(axis=1)
    return _Prepared(scaled, found, float((apart + moved + _rounding(network, reach)).max()))


def _rounding(network: NetworkMap, reach: Reals) -> Reals:
    """What the estimator's own sums round at most (k,), to first order; the rest of float64's is far below."""
    additions = sum(network.layer.shape) + _FURTHER
    terms = np.abs(network.readout) @ (1.0 + reach * network.activation.slope + np.abs(network.activation.apply(reach)))
    return np.asarray(additions * network.precision * (terms + np.abs(network.bias)))


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
