"""The model owner's half of a network: private weights, and answers to queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import check_kind
from ...arrays import Integers, Reals
from ...errors import ModelFileError
from ...keys.public import PublicKey
from ...rlwe.public_ring import PublicRing
from ...signature import Signature
from ..masking import MaskingKey, MaskingKeys, check_belongs, lift, workers
from ..query import Query
from .arrangement import Arrangement
from .evaluate import ClientKeys, Program
from .guarantee import check
from .network import HiddenLayer, Network
from .public import NetworkCircuit
from .simulate import simulated
from .weights import PrivateNetwork
from .wire import NetworkResult

_LAYER = ("weights", "bias", "polynomials")
_LAST = ("readout", "offset")


class ServerHalf:
    """Answers queries for one model.

    Parameters
    ----------
    integers
        The private network.
    signature
        The model's.

    Raises
    ------
    ModelFileError
        If network and signature do not fit together, or a bound of :mod:`.guarantee` does not hold.
    """

    def __init__(self, integers: PrivateNetwork, signature: Signature) -> None:
        check_kind(integers, PrivateNetwork, "integers")
        self.integers = integers
        self._signature = signature
        self._circuit = signature.circuit_of(NetworkCircuit)
        _check_shapes(integers, self._circuit)
        check(integers, self._circuit, signature.error)
        self._keys = MaskingKeys(signature.parameters)

    @cached_property
    def program(self) -> Program:
        """The encoded weights."""
        return Program(self.integers, self._circuit)

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, threads: int) -> NetworkResult:
        """Answer a query, see :meth:`hermetic.CompiledModel.evaluate`."""
        check_kind(query, Query, "query")
        key = self._keys.of(public_key)
        check_belongs(query, self._signature, key)
        samples = query.samples
        ask = partial(self._sample, self.program, query, key, max(1, threads // samples))
        with workers(min(threads, samples)) as run:
            answers = run(partial(ask, number) for number in range(samples))
        c1, words = (
            np.concatenate(part, axis=axis) for part, axis in zip(zip(*answers, strict=True), (0, 1), strict=True)
        )
        return NetworkResult(query.parameters, query.batch, c1, words)

    def _sample(self, program: Program, query: Query, key: MaskingKey, threads: int, number: int) -> Any:
        count = self._circuit.arrangement.ciphertexts
        ciphertexts = PublicRing.of(query.parameters).empty_ciphertexts(count)
        lift(query, range(number * count, (number + 1) * count), ciphertexts)
        return program.release(program.scores(ciphertexts, ClientKeys(key), threads), key)

    def prepare(self, samples: int) -> None:
        """Encode the weights, which the first query would do otherwise."""
        _ = self.program

    def masking_key(self, public_key: PublicKey) -> MaskingKey:
        """A public key made ready; the last few are kept."""
        check_kind(public_key, PublicKey, "public_key")
        return self._keys.of(public_key)

    def reference(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) in plain numbers: what decryption must give, within the error."""
        return self.integers.network.scores(self._circuit.units(values))

    def simulate(self, values: Integers) -> Reals:
        """The scores (n, k) of grid integers (n, d) by the integers of an encrypted evaluation: :mod:`.simulate`."""
        words = simulated(self.program, self._circuit.units(values))
        return np.asarray(words[:, : self._circuit.outputs] * 2.0**-self._circuit.score_exponent)

    @property
    def operations(self) -> int:
        """Products of the plain reference for one sample."""
        network = self.integers.network
        return int(sum(layer.weights.size for layer in network.layers) + network.readout.size)

    @property
    def spread_over_range(self) -> float:
        """See :attr:`hermetic.CompiledModel.spread_over_range`; from random inputs in range."""
        inputs = np.random.default_rng(0).uniform(-1, 1, (200, self._circuit.features))
        return float(np.median(self.integers.network.scores(inputs).std(axis=0)))

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the layers."""
        return {name: tensor.shape for name, tensor in _plain_tensors(self.integers.network).items()}

    def tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        """What a model file holds beside the signature."""
        private = self.integers
        found = {name: np.ascontiguousarray(tensor) for name, tensor in _plain_tensors(private.network).items()}
        found["weights"] = self._circuit.arrangement.gathered(found["weights"])
        found["range_weights"] = np.ascontiguousarray(private.range_weights)
        found |= {_named("limits", number): np.ascontiguousarray(one) for number, one in enumerate(private.limits)}
        found["weight_exponent"] = np.array(private.weight_exponents)
        return found

    @staticmethod
    def read(tensor: Callable[[str], npt.NDArray[Any]], signature: Signature) -> PrivateNetwork:
        """The network of a model file from its tensors, by name. Raises TypeError for tensors of other types."""
        circuit, layers, limits = signature.circuit_of(NetworkCircuit), [], []
        for number in range(len(circuit.periods)):
            weights, *rest = (_reals(tensor(_named(name, number))) for name in _LAYER)
            layers.append(HiddenLayer(weights if number else _scattered(weights, circuit.arrangement), *rest))
            limits.append(_reals(tensor(_named("limits", number))))
        network = Network(tuple(layers), *(_reals(tensor(name)) for name in _LAST))
        exponents = _reals(tensor("weight_exponent"))
        if exponents.shape != (len(layers),):
            raise TypeError(f"weight_exponent must have shape ({len(layers)},). Got {exponents.shape} instead.")
        return PrivateNetwork(network, tuple(exponents.tolist()), _reals(tensor("range_weights")), tuple(limits))


def _named(name: str, number: int) -> str:
    """A tensor's name in a layer: that of the first has no number."""
    return name if number == 0 else f"{name}_{number + 1}"


def _plain_tensors(network: Network) -> dict[str, Reals]:
    """The layers by the names that their tensors have."""
    found = {
        _named(name, number): getattr(layer, name) for number, layer in enumerate(network.layers) for name in _LAYER
    }
    return found | {name: getattr(network, name) for name in _LAST}


def _scattered(weights: Reals, arrangement: Arrangement) -> Reals:
    """The weights (H, d) of a model file's (H, taps), which has those that its window reads alone."""
    if weights.ndim != 2 or weights.shape[1] != arrangement.taps:
        raise ModelFileError(f"weights must have shape (neurons, {arrangement.taps}). Got {weights.shape} instead.")
    return arrangement.scattered(weights)


def _reals(tensor: npt.NDArray[Any]) -> Reals:
    if tensor.dtype != np.float64 or not np.isfinite(tensor).all():
        raise TypeError(f"tensors must be finite float64. Got {tensor.dtype} instead, or a value that is not finite.")
    return tensor


def _check_shapes(private: PrivateNetwork, circuit: NetworkCircuit) -> None:
    """Raise :class:`ModelFileError` unless the layers fit together, and into the circuit."""
    network = private.network
    expected: dict[str, tuple[int, ...]] = {}
    before = circuit.features
    for number, layer in enumerate(network.layers):
        hidden = layer.weights.shape[0] if layer.weights.ndim else 0
        shapes = ((hidden, before), (hidden,), (hidden, circuit.degree + 1))
        expected |= {_named(name, number): shape for name, shape in zip(_LAYER, shapes, strict=True)}
        before = hidden
    expected |= {"readout": (circuit.outputs, before), "offset": (circuit.outputs,)}
    for name, tensor in _plain_tensors(network).items():
        if tensor.shape != expected[name]:
            raise ModelFileError(f"{name} must have shape {expected[name]}. Got {tensor.shape} instead.")
    weights = network.first.weights
    if np.count_nonzero(circuit.arrangement.gathered(weights)) < np.count_nonzero(weights):
        raise ModelFileError("weights must be 0 for what the window does not read. Some are not.")
    _check_widths(private, circuit)


def _check_widths(private: PrivateNetwork, circuit: NetworkCircuit) -> None:
    arrangement, layers = circuit.arrangement, private.network.layers
    first = circuit.period // arrangement.cell * arrangement.positions * (2 if circuit.pairs else 1)
    for layer, most, limits in zip(layers, (first, *circuit.further), private.limits, strict=True):
        if not 1 <= layer.width <= most or limits.shape != (layer.width,):
            raise ModelFileError(f"a hidden layer must have 1 to {most} neurons. Got {layer.width} instead.")
    if private.range_weights.shape != (layers[-1].width,):
        raise ModelFileError(
            f"range_weights must have shape ({layers[-1].width},). Got {private.range_weights.shape} instead."
        )
