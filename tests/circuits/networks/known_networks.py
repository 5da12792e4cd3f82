"""Small networks with known weights, compiled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from hermetic import Client, CompiledModel, Signature
from hermetic.circuits.networks.network import HiddenLayer, Network
from hermetic.circuits.networks.planner import choose
from hermetic.circuits.networks.public import NetworkCircuit
from hermetic.circuits.networks.ranges import HiddenRange
from hermetic.circuits.networks.window import Window
from hermetic.head import Head
from hermetic.inputs.grid import Grid
from hermetic.rlwe.parameters import DEEP, DEEPER, NETWORK

TOLERANCE = 0.05


@dataclass(frozen=True)
class Shape:
    """d inputs, H neurons, k scores; activations of a degree; whether the range is proved; what a convolution reads;
    the neurons of further hidden layers.
    """

    inputs: int = 10
    hidden: int = 12
    outputs: int = 3
    degree: int = 2
    proved: bool = True
    window: Window | None = None
    further: tuple[int, ...] = ()


def convolution(window: Window, maps: int, outputs: int = 3, **options: Any) -> Shape:
    """A shape whose hidden layer is a convolution with so many maps."""
    return Shape(window.inputs, maps * window.positions, outputs, window=window, **options)


def network_of(shape: Shape, seed: int = 0) -> Network:
    random = np.random.default_rng(seed)
    layers, before = [], shape.inputs
    for number, hidden in enumerate((shape.hidden, *shape.further)):
        polynomials = np.zeros((hidden, shape.degree + 1))
        polynomials[:, 1:] = random.normal(size=(hidden, shape.degree)) / 2
        weights = weights_of(None if number else shape.window, random, hidden, before)
        layers.append(HiddenLayer(weights, random.normal(size=hidden) / 4, polynomials))
        before = hidden
    readout = random.normal(size=(shape.outputs, before)) / np.sqrt(before)
    return Network(tuple(layers), readout, random.normal(size=shape.outputs))


def first_changed(network: Network, **changes: Any) -> Network:
    """A network with other tensors in its first layer."""
    return replace(network, layers=(replace(network.first, **changes), *network.layers[1:]))


def weights_of(window: Window | None, random: np.random.Generator, hidden: int, inputs: int) -> np.ndarray:
    """Of a dense layer, or the same at every place of a window."""
    if window is None:
        return random.normal(size=(hidden, inputs)) / inputs
    out = np.zeros((hidden // window.positions, window.positions, inputs + 1))
    out[:, np.arange(window.positions)[:, None], window.reads] = (
        random.normal(size=(len(out), 1, window.taps)) / window.taps
    )
    return np.ascontiguousarray(out.reshape(hidden, -1)[:, :-1])


def grid_of(inputs: int) -> Grid:
    """Inputs from -1 to 1 in steps of a hundredth."""
    ends = np.full(inputs, 100, dtype=np.int64)
    return Grid(np.zeros(inputs), np.full(inputs, 0.01), -ends, ends, exact=False)


def near(inputs: int, rows: int = 300) -> np.ndarray:
    """Inputs that a range is calibrated on: a tenth as large as they may be."""
    return np.random.default_rng(1).uniform(-0.1, 0.1, (rows, inputs))


def compiled_from(
    network: Network,
    *,
    proved: bool = True,
    tolerance: float = TOLERANCE,
    window: Window | None = None,
) -> CompiledModel:
    inputs = network.first.weights.shape[1]
    hidden = HiddenRange.proved(network) if proved else HiddenRange.calibrated(network, near(inputs), 1.1)
    layers, degree = len(network.layers), network.degree
    parameters = (
        NETWORK if layers == 1 and degree <= 4 else DEEP if layers == 1 or (layers, degree) == (2, 2) else DEEPER
    )
    choice = choose(network, grid_of(inputs), hidden, tolerance=tolerance, window=window, parameters=parameters)
    head = Head("predict", squeeze=len(network.readout) == 1)
    return CompiledModel(choice.integers, Signature("known", head, choice.circuit, choice.error))


@cache
def compiled(shape: Shape) -> CompiledModel:
    return compiled_from(network_of(shape), proved=shape.proved, window=shape.window)


@cache
def client_of(shape: Shape) -> Client:
    return Client(compiled(shape).signature)


def circuit_of(model: CompiledModel) -> NetworkCircuit:
    return model.signature.circuit_of(NetworkCircuit)


def answered(shape: Shape, X: np.ndarray) -> np.ndarray:
    """Decrypted scores (n, k)."""
    model, client = compiled(shape), client_of(shape)
    result = model.evaluate(client.encrypt(X), client.public_key, threads=1)
    return model.signature.head.columns(client.decrypt(result))
