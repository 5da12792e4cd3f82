"""How a network is run: where inputs go, at which scales, and the bounds that follow.

One budget is shared: the modulus at release must hold scores with their range, and a bit of scale for whatever is to be
precise. Scores come out at a scale S; hidden values have the scale s with S = 2s + a (for quadratic activations), where
a is the exponent of the last layer. So everything that a does not need goes to the hidden values, whose noise is what
flooding has to hide.

    tolerance        what it pays for
    1/4              rounding of the last layer
    1/64             rounding of each hidden layer, which costs bits that nothing else needs
    the rest         noise, and flooding: the most that fits
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from ...arrays import Reals
from ...errors import ParameterError, PrecisionError
from ...inputs.grid import Grid
from ...rlwe.parameters import NETWORK, Parameters
from ..bounds import max_targets
from ..decimals import round_up
from .arrangement import MAX_CIPHERTEXTS, Arrangement
from .embedding import INTEGER_BITS
from .guarantee import Bounds, range_network, release_scale, room, slopes
from .network import Network, powers_of
from .public import MAX_DEGREE_ALONE, MAX_FURTHER, RELEASE_LEVEL, NetworkCircuit, Range
from .ranges import SLACK, HiddenRange
from .weights import Plaintexts, PrivateNetwork, score_scale
from .window import Window

_KB_PER_MS = 50
"""What a millisecond of evaluation may cost in kB of a request, when the arrangement is chosen: 400 Mbit/s."""

_GIANT_STEP_MS = 0.8
"""Of one giant step at N=8192."""

_FOLD_MS = 1.0
"""Of one fold there."""

_LAST_SHARE, _HIDDEN_SHARE = 1 / 4, 1 / 64


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
    circuit, exponents = _scaled(_Trial(network, bare, hidden), tolerance)
    private = PrivateNetwork(network, exponents, hidden.weights, hidden.limits)
    if room(private, circuit) < 0:
        raise PrecisionError(
            f"powers of hidden values must fit into the modulus of {parameters.profile!r} for every input in range. "
            f"They need {math.ceil(-room(private, circuit))} bits more: train the network with a smaller range."
        )
    circuit = _flooded(circuit, private, tolerance)
    bounds = Bounds.of(private, circuit)
    circuit = replace(circuit, lambda_bits=math.floor(10 * bounds.lambda_bits) / 10)
    return NetworkChoice(circuit, private, round_up(bounds.error))


def _flooded(circuit: NetworkCircuit, private: PrivateNetwork, tolerance: float) -> NetworkCircuit:
    """The circuit with as much flooding as the tolerance leaves room for."""
    rest = tolerance - Bounds.of(private, circuit).error
    flood = math.floor(math.log2(rest) + release_scale(circuit)) + 1 if rest > 0 else 0
    if circuit.range is not None:
        flood = min(flood, math.floor(math.log2(_range_slack(circuit) * circuit.release_parameters.rescale_factor)))
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
    further = _further(network, parameters)
    arrangement, period = _packing(network, words, parameters, window, max(further, default=1))
    (kept,) = parameters.kept_primes
    whole = math.log2(kept / 2 - 1)
    range_word = None
    if hidden.sum_limit is not None:
        range_word = Range(math.floor(whole - math.log2(hidden.largest_sum)) - 1, hidden.sum_limit)
    return NetworkCircuit(
        parameters=parameters,
        grid=grid,
        outputs=outputs,
        arrangement=arrangement,
        period=period,
        degree=network.degree,
        further=further,
        query_exponent=INTEGER_BITS,
        score_exponent=math.floor(whole - math.log2(hidden.largest_score + 2 * tolerance)),
        flood_bits=1,
        lambda_bits=0.0,
        range=range_word,
    )


def _further(network: Network, parameters: Parameters) -> tuple[int, ...]:
    """The periods of hidden layers after the first, each at least that of the next."""
    if widest := max((layer.width for layer in network.layers[1:] if layer.width > MAX_FURTHER), default=0):
        raise PrecisionError(
            f"hidden layers after the first may have {MAX_FURTHER} neurons. Got {widest}: train a smaller network."
        )
    found: list[int] = []
    for layer in reversed(network.layers[1:]):
        found.append(max(_power_of_two(layer.width), *found[-1:], 1))
    return tuple(found[::-1])


def most_layers(parameters: Parameters, degree: int) -> int:
    """How many hidden layers with activations of a degree the primes allow; 0 if not even one."""
    depth = (powers_of(degree) - 1).bit_length()
    return max(0, (parameters.levels - RELEASE_LEVEL - depth) // (depth + 1) + 1)


def _packing(
    network: Network, words: int, parameters: Parameters, window: Window | None, least: int
) -> tuple[Arrangement, int]:
    """How inputs are arranged, and the period of the first hidden values: at least that of those after them.

    Where every word has a period of its own, two neurons share a slot, or one has it to itself if powers beyond squares
    are taken; else one has it, and inputs share one. That is also how it is with more hidden layers than one, or powers
    beyond the fourth.
    """
    slots, hidden, squares = parameters.ring_degree // 2, network.first.width, network.degree <= 2
    few = _power_of_two(-(-hidden // 2) if squares else hidden)
    if window is None and words * few <= slots and len(network.layers) == 1 and network.degree <= MAX_DEGREE_ALONE:
        return _arrangement(parameters, network, few, paired=False, window=None), few
    many = _power_of_two(hidden if window is None else hidden // window.positions * _power_of_two(window.positions))
    many = max(many, least)
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
    slots, inputs = parameters.ring_degree // 2, network.first.weights.shape[1]
    found = []
    for count in range(1, min(inputs, MAX_CIPHERTEXTS) + 1):
        try:
            bare = Arrangement(slots, inputs, count, 1, paired, window)
        except ParameterError:
            continue
        least = max(period, _power_of_two(bare.each * bare.cell))
        for copies in (1 << power for power in range((slots // least).bit_length())):
            repeat = min(slots // copies // (bare.each * bare.cell), max(1, period // bare.cell))
            one = replace(bare, repeat=repeat, copies=copies)
            found.append((_estimated_ms(one, period, parameters), one))
    if not found:
        cell = 1 if window is None else _power_of_two(window.positions)
        most = slots // cell * MAX_CIPHERTEXTS * (2 if paired else 1)
        taps = inputs if window is None else window.taps
        raise PrecisionError(f"a hidden value may depend on {most} inputs. It depends on {taps}.")
    return min(found, key=lambda each: each[0])[1]


def _estimated_ms(arrangement: Arrangement, period: int, parameters: Parameters) -> float:
    """Of the first layer's rotations and of the request."""
    giants = -(-period // (arrangement.repeat * arrangement.cell))
    folds = math.log2(arrangement.span // period)
    degree, modulus = parameters.ring_degree, math.prod(parameters.query_primes)
    kilobytes = arrangement.ciphertexts * degree * modulus.bit_length() / 8e3
    return degree / 8192 * (giants * _GIANT_STEP_MS + folds * _FOLD_MS) + kilobytes / _KB_PER_MS


def _range_slack(circuit: NetworkCircuit) -> float:
    """By how many units errors may move the range word."""
    one = circuit.range
    return math.inf if one is None else (SLACK - 1) / 2 * one.limit * 2.0**one.exponent


@dataclass(frozen=True, eq=False)
class _Trial:
    """A network encoded at exponents that are tried, in a circuit that lacks those of queries."""

    network: Network
    circuit: NetworkCircuit
    hidden: HiddenRange

    def plaintexts(self, exponent: float) -> Plaintexts:
        """Those of layers at one exponent each."""
        return Plaintexts(self.private(exponent), self.circuit)

    def private(self, exponent: float) -> PrivateNetwork:
        """The network at such an exponent a layer."""
        exponents = (exponent,) * len(self.network.layers)
        return PrivateNetwork(self.network, exponents, self.hidden.weights, self.hidden.limits)


def _scaled(trial: _Trial, tolerance: float) -> tuple[NetworkCircuit, tuple[float, ...]]:
    """The circuit with its exponent of queries, and the exponents of layers: from the last to the first, each as small
    as rounding allows, so that all other bits go to the values before it.
    """
    circuit = trial.circuit
    scale = _hidden_scale(circuit, _last_exponent(trial, tolerance))
    exponents: list[float] = []
    for number in range(len(circuit.further), 0, -1):
        exponents.append(_layer_exponent(trial, number, tolerance))
        scale = _scale_before(circuit, number, scale - exponents[-1])
    special = math.log2(circuit.parameters.special_prime)
    query = math.floor(scale + special - _layer_exponent(trial, 0, tolerance))
    if query < INTEGER_BITS:
        raise PrecisionError(
            f"the tolerance and the range of this network need {INTEGER_BITS - query} bits more than the modulus of "
            f"{circuit.parameters.profile!r} has. Ask for a larger tolerance, or train it with a smaller range."
        )
    exponents.append(scale + special - query)
    return replace(circuit, query_exponent=query), tuple(exponents[::-1])


def _hidden_scale(circuit: NetworkCircuit, last: float) -> float:
    """log2 of the scale of the last hidden values that leaves ``last`` bits to the last layer."""
    return _from_product(circuit, len(circuit.further), score_scale(circuit) - last)


def _scale_before(circuit: NetworkCircuit, number: int, power: float) -> float:
    """log2 of the scale of the hidden values before a layer, from that of the highest power of w that goes into it."""
    dropped = circuit.parameters.data_primes[circuit.levels[number]]
    return _from_product(circuit, number - 1, power + math.log2(dropped))


def _from_product(circuit: NetworkCircuit, layer: int, product: float) -> float:
    """log2 of the scale of a layer's hidden values, from that of the highest power of w before its division."""
    scale = product / 2
    for depth in range(circuit.depth, 0, -1):
        scale = (scale + math.log2(circuit.parameters.data_primes[circuit.levels[layer] - depth])) / 2
    return scale


def _last_exponent(trial: _Trial, tolerance: float) -> float:
    """The least exponent of the last layer whose rounding stays within its share; errors halve with each bit."""
    tried = 12.0
    scale = _hidden_scale(trial.circuit, tried)
    for number in range(len(trial.circuit.further), 0, -1):
        scale = _scale_before(trial.circuit, number, scale - tried)
    first = scale + math.log2(trial.circuit.parameters.special_prime) - trial.circuit.query_exponent
    exponents = (first, *(tried for _ in trial.circuit.further))
    private = PrivateNetwork(trial.network, exponents, trial.hidden.weights, trial.hidden.limits)
    error = Plaintexts(private, trial.circuit).score_error()
    allowed = min(tolerance, _range_slack(trial.circuit) * 2.0**-trial.circuit.score_exponent)
    return tried + math.log2(max(error, 1e-300) / (_LAST_SHARE * allowed))


def _layer_exponent(trial: _Trial, number: int, tolerance: float) -> float:
    """The least exponent of a hidden layer whose rounding moves scores by no more than its share."""
    tried = 20.0
    error = trial.plaintexts(tried).weights_error(number)
    found = [_moved(trial.network, trial, number) * error / tolerance]
    one = trial.circuit.range
    if one is not None:
        word = _moved(range_network(trial.network, trial.hidden.weights), trial, number) * 2.0**one.exponent
        found.append(word * error / _range_slack(trial.circuit))
    return tried + math.log2(max(*found, 1e-300) / _HIDDEN_SHARE)


def _moved(network: Network, trial: _Trial, number: int) -> float:
    """How far all hidden values of a layer move a score of a network, if each moves by 1."""
    return float(slopes(network, trial.hidden.limits)[number].sum(axis=1).max())
