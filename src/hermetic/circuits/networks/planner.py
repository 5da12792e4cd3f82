"""How a network is run: where inputs go, at which scales, and the bounds that follow.

One budget is shared: the modulus at release must hold scores with their range, and a bit of scale for whatever is to be
precise. Scores come out at a scale S; hidden values have the scale s with S = 2s + a (for quadratic activations), where
a is the exponent of the last layer. So everything that a does not need goes to the hidden values, whose noise is what
flooding has to hide.

    tolerance        what it pays for
    1/4              rounding of the last layer
    1/64             rounding of the first, which costs bits that nothing else needs
    the rest         noise, and flooding: the most that fits
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ...arrays import Reals
from ...errors import ParameterError, PrecisionError
from ...inputs.grid import Grid
from ...rlwe.parameters import NETWORK, Parameters
from ..bounds import max_targets
from ..decimals import round_up
from .arrangement import MAX_CIPHERTEXTS, Arrangement
from .embedding import INTEGER_BITS
from .guarantee import Bounds, release_scale, slopes
from .network import Network
from .public import NetworkCircuit, Range
from .ranges import SLACK, HiddenRange
from .weights import Plaintexts, PrivateNetwork, score_scale
from .window import Window

_KB_PER_MS = 50
"""What a millisecond of evaluation may cost in kB of a request, when the arrangement is chosen: 400 Mbit/s."""

_GIANT_STEP_MS = 0.8
"""Of one giant step at N=8192."""

_LAST_SHARE, _FIRST_SHARE = 1 / 4, 1 / 64


@dataclass(frozen=True, eq=False)
class NetworkChoice:
    """A circuit, the network as it is encoded, and the error that is guaranteed; ``own_rounding`` is what the network
    itself is away from what it stands for.
    """

    circuit: NetworkCircuit
    integers: PrivateNetwork
    error: float
    own_rounding: Reals = field(default_factory=lambda: np.zeros(1))


def choose(
    network: Network,
    grid: Grid,
    hidden: HiddenRange,
    *,
    tolerance: float,
    parameters: Parameters = NETWORK,
    window: Window | None = None,
) -> NetworkChoice:
    """The cheapest arrangement and the scales with the most flooding that keep the error within the tolerance. Where
    the first layer is a convolution, ``window`` is what it reads.

    Raises
    ------
    PrecisionError
        If the modulus holds no scales that do.
    """
    bare = _circuit(network, grid, hidden, tolerance, parameters, window)
    last = _last_exponent(network, bare, hidden, tolerance)
    first = _first_exponent(network, bare, hidden, tolerance, last)
    query = _query_exponent(bare, first, last)
    exponent = _hidden_scale(bare, last) + math.log2(bare.parameters.special_prime) - query
    private = PrivateNetwork(network, exponent, hidden.weights, hidden.limits)
    circuit = _flooded(replace(bare, query_exponent=query), private, tolerance)
    bounds = Bounds.of(private, circuit)
    circuit = replace(circuit, lambda_bits=math.floor(10 * bounds.lambda_bits) / 10)
    return NetworkChoice(circuit, private, round_up(bounds.error))


def _flooded(circuit: NetworkCircuit, private: PrivateNetwork, tolerance: float) -> NetworkCircuit:
    """The circuit with as much flooding as the tolerance leaves room for."""
    rest = tolerance - Bounds.of(private, circuit).error
    flood = math.floor(math.log2(rest) + release_scale(circuit)) + 1 if rest > 0 else 0
    if circuit.range is not None:
        moved = (SLACK - 1) / 2 * circuit.range.limit * 2.0**circuit.range.exponent
        flood = min(flood, math.floor(math.log2(moved * circuit.release_parameters.rescale_factor)))
    if flood < 1:
        raise PrecisionError(f"a tolerance of {tolerance:g} must leave room for noise. Ask for a larger one.")
    most = max_targets(circuit.release_parameters, flood)
    if circuit.words > most:
        raise PrecisionError(f"a network may have {most} outputs with this tolerance. Got {circuit.outputs}.")
    return replace(circuit, flood_bits=flood)


def _circuit(
    network: Network,
    grid: Grid,
    hidden: HiddenRange,
    tolerance: float,
    parameters: Parameters,
    window: Window | None,
) -> NetworkCircuit:
    """A circuit that lacks its exponents of queries and floods."""
    outputs = len(network.readout)
    words = outputs + (hidden.sum_limit is not None)
    arrangement, period = _packing(network, words, parameters, window)
    (kept,) = parameters.kept_primes
    room = math.log2(kept / 2 - 1)
    range_word = None
    if hidden.sum_limit is not None:
        range_word = Range(math.floor(room - math.log2(hidden.largest_sum)) - 1, hidden.sum_limit)
    return NetworkCircuit(
        parameters=parameters,
        grid=grid,
        outputs=outputs,
        arrangement=arrangement,
        period=period,
        degree=network.degree,
        query_exponent=INTEGER_BITS,
        score_exponent=math.floor(room - math.log2(hidden.largest_score + 2 * tolerance)),
        flood_bits=1,
        lambda_bits=0.0,
        range=range_word,
    )


def _packing(network: Network, words: int, parameters: Parameters, window: Window | None) -> tuple[Arrangement, int]:
    """How inputs are arranged, and the period of hidden values.

    Where every word has a period of its own, two neurons share a slot, or one has it to itself if powers beyond squares
    are taken; else one has it, and inputs share one.
    """
    slots, hidden, squares = parameters.ring_degree // 2, network.hidden, network.degree <= 2
    few = _power_of_two(-(-hidden // 2) if squares else hidden)
    if window is None and words * few <= slots:
        return _arrangement(parameters, network, few, paired=False, window=None), few
    many = _power_of_two(hidden if window is None else hidden // window.positions * _power_of_two(window.positions))
    if max(many, words) > slots:
        raise PrecisionError(
            f"neurons and outputs may be {slots} each at N={parameters.ring_degree}. Got {many} and {words}: train a "
            "smaller network."
        )
    return _arrangement(parameters, network, many, paired=True, window=window), many


def _power_of_two(count: int) -> int:
    return 1 << max(0, count - 1).bit_length()


def _arrangement(
    parameters: Parameters, network: Network, period: int, *, paired: bool, window: Window | None
) -> Arrangement:
    """The one that costs least, in time and bytes."""
    slots, inputs = parameters.ring_degree // 2, network.weights.shape[1]
    one = partial(Arrangement, slots, inputs, paired=paired, window=window)
    step_ms = _GIANT_STEP_MS * parameters.ring_degree / 8192
    found = []
    for count in range(1, min(inputs, MAX_CIPHERTEXTS) + 1):
        try:
            each = one(count, 1)
        except ParameterError:
            continue
        repeat = min(slots // (each.each * each.cell), max(1, period // each.cell))
        giants = -(-period // (repeat * each.cell))
        kilobytes = count * parameters.ring_degree * math.prod(parameters.query_primes).bit_length() / 8e3
        found.append((giants * step_ms + kilobytes / _KB_PER_MS, one(count, repeat)))
    if not found:
        cell = 1 if window is None else _power_of_two(window.positions)
        most = slots // cell * MAX_CIPHERTEXTS * (2 if paired else 1)
        taps = inputs if window is None else window.taps
        raise PrecisionError(f"a hidden value may depend on {most} inputs. It depends on {taps}.")
    return min(found, key=lambda each: each[0])[1]


def _hidden_scale(circuit: NetworkCircuit, last: float) -> float:
    """log2 of the scale of hidden values that leaves ``last`` bits to the last layer."""
    total = score_scale(circuit) - last
    if circuit.degree <= 2:
        return total / 2
    return (total / 2 + math.log2(circuit.parameters.data_primes[-1])) / 2


def _query_exponent(circuit: NetworkCircuit, first: float, last: float) -> int:
    found = math.floor(_hidden_scale(circuit, last) + math.log2(circuit.parameters.special_prime) - first)
    if found < INTEGER_BITS:
        raise PrecisionError(
            f"the tolerance and the range of this network need {INTEGER_BITS - found} bits more than the modulus of "
            f"{circuit.parameters.profile!r} has. Ask for a larger tolerance, or train it with a smaller range."
        )
    return found


def _last_exponent(network: Network, circuit: NetworkCircuit, hidden: HiddenRange, tolerance: float) -> float:
    """The least exponent of the last layer whose rounding stays within its share; errors halve with each bit."""
    trial = 12.0
    private = PrivateNetwork(network, _trial_exponent(circuit, trial), hidden.weights, hidden.limits)
    error = Plaintexts(private, circuit).score_error()
    return trial + math.log2(max(error, 1e-300) / (_LAST_SHARE * tolerance))


def _trial_exponent(circuit: NetworkCircuit, last: float) -> float:
    return _hidden_scale(circuit, last) + math.log2(circuit.parameters.special_prime) - circuit.query_exponent


def _first_exponent(
    network: Network, circuit: NetworkCircuit, hidden: HiddenRange, tolerance: float, last: float
) -> float:
    """The least exponent of the first layer whose rounding moves scores by no more than its share."""
    trial = 20.0
    error = Plaintexts(PrivateNetwork(network, trial, hidden.weights, hidden.limits), circuit).hidden_error()
    moved = float((slopes(network, hidden.limits).sum(axis=1) * error).max())
    return trial + math.log2(max(moved, 1e-300) / (_FIRST_SHARE * tolerance))
