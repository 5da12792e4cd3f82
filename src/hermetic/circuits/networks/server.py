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
from ..masking import MaskingKey, MaskingKeys, available_cores, check_belongs, lift, workers
from ..query import Query
from .arrangement import Arrangement
from .evaluate import ClientKeys, Program
from .guarantee import check
from .network import Network
from .public import NetworkCircuit
from .simulate import simulated
from .weights import PrivateNetwork
from .wire import NetworkResult

_TENSORS = ("weights", "bias", "polynomials", "readout", "offset")


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

    def evaluate(self, query: Query, public_key: PublicKey | MaskingKey, threads: int | None = None) -> NetworkResult:
        """Answer a query, see :meth:`hermetic.CompiledModel.evaluate`."""
        check_kind(query, Query, "query")
        key = self._keys.of(public_key)
        check_belongs(query, self._signature, key)
        program = self.program
        with workers(min(threads or available_cores(), query.samples)) as run:
            answers = run(partial(self._sample, program, query, key, number) for number in range(query.samples))
        c1, words = (
            np.concatenate(part, axis=axis) for part, axis in zip(zip(*answers, strict=True), (0, 1), strict=True)
        )
        return NetworkResult(query.parameters, query.batch, c1, words)

    def _sample(self, program: Program, query: Query, key: MaskingKey, number: int) -> Any:
        count = self._circuit.arrangement.ciphertexts
        ciphertexts = PublicRing.of(query.parameters).empty_ciphertexts(count)
        lift(query, range(number * count, (number + 1) * count), ciphertexts)
        return program.release(program.scores(ciphertexts, ClientKeys(key)), key)

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
        return int(self.integers.network.weights.size + self.integers.network.readout.size)

    @property
    def spread_over_range(self) -> float:
        """See :attr:`hermetic.CompiledModel.spread_over_range`; from random inputs in range."""
        inputs = np.random.default_rng(0).uniform(-1, 1, (200, self._circuit.features))
        return float(np.median(self.integers.network.scores(inputs).std(axis=0)))

    @property
    def sizes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the layers."""
        return {name: getattr(self.integers.network, name).shape for name in _TENSORS}

    def tensors(self) -> Mapping[str, npt.NDArray[Any]]:
        """What a model file holds beside the signature."""
        found = {name: np.ascontiguousarray(getattr(self.integers.network, name)) for name in _TENSORS}
        found["weights"] = self._circuit.arrangement.gathered(found["weights"])
        found |= {name: np.ascontiguousarray(getattr(self.integers, name)) for name in ("range_weights", "limits")}
        found["weight_exponent"] = np.array([self.integers.weight_exponent])
        return found

    @staticmethod
    def read(tensor: Callable[[str], npt.NDArray[Any]], signature: Signature) -> PrivateNetwork:
        """The network of a model file from its tensors, by name. Raises TypeError for tensors of other types."""
        layers = {name: _reals(tensor(name)) for name in _TENSORS}
        layers["weights"] = _scattered(layers["weights"], signature.circuit_of(NetworkCircuit).arrangement)
        network = Network(**layers)
        exponent = _reals(tensor("weight_exponent"))
        if exponent.shape != (1,):
            raise TypeError(f"weight_exponent must have shape (1,). Got {exponent.shape} instead.")
        rest = (_reals(tensor(name)) for name in ("range_weights", "limits"))
        return PrivateNetwork(network, float(exponent[0]), *rest)


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
    hidden = network.weights.shape[0] if network.weights.ndim else 0
    expected = {
        "weights": (hidden, circuit.features),
        "bias": (hidden,),
        "polynomials": (hidden, circuit.degree + 1),
        "readout": (circuit.outputs, hidden),
        "offset": (circuit.outputs,),
    }
    for name, shape in expected.items():
        found = getattr(network, name).shape
        if found != shape:
            raise ModelFileError(f"{name} must have shape {shape}. Got {found} instead.")
    arrangement = circuit.arrangement
    room = circuit.period // arrangement.cell * arrangement.positions * (2 if circuit.pairs else 1)
    if np.count_nonzero(arrangement.gathered(network.weights)) < np.count_nonzero(network.weights):
        raise ModelFileError("weights must be 0 for what the window does not read. Some are not.")
    if not 1 <= hidden <= room or not private.range_weights.shape == private.limits.shape == (hidden,):
        raise ModelFileError(f"the hidden layer must have 1 to {room} neurons. Got {hidden} instead.")
