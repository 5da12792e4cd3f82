"""A network's public part as JSON: its fields in a signature of format 3, or 4 where it has more than that can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...json_values import integer, number, require, string
from ...rlwe.parameters import Parameters, parameters_for
from ..bounds import max_targets
from ..grid_document import grid_from_json, grid_to_json
from .arrangement import MAX_CIPHERTEXTS, Arrangement
from .embedding import INTEGER_BITS
from .public import MAX_DEGREE_ALONE, MAX_FURTHER, RELEASE_LEVEL, NetworkCircuit, Range
from .window import Window

MAX_DEGREE = 8
_MAX_DEGREE_OF_THREE = 2
"""In format 3, where two inputs share a slot."""

_MAX_EXPONENT = 120
_WINDOW = ("image", "kernel", "stride", "padding")


def write(circuit: NetworkCircuit) -> dict[str, Any]:
    """The fields of a circuit."""
    arrangement, one = circuit.arrangement, circuit.range
    return {
        "format": _format(circuit),
        "profile": circuit.parameters.profile,
        "parameters": circuit.parameters.digest.hex(),
        "features": circuit.features,
        "grid": grid_to_json(circuit.grid),
        "outputs": circuit.outputs,
        "arrangement": [arrangement.ciphertexts, arrangement.repeat],
        **_written_arrangement(arrangement),
        "period": circuit.period,
        "degree": circuit.degree,
        "query_exponent": circuit.query_exponent,
        "score_exponent": circuit.score_exponent,
        "flood_bits": circuit.flood_bits,
        "lambda_bits": circuit.lambda_bits,
        "range": None if one is None else [one.exponent, one.limit],
        **({"further": list(circuit.further)} if circuit.further else {}),
    }


def _format(circuit: NetworkCircuit) -> int:
    """The least format that describes a circuit."""
    arrangement = circuit.arrangement
    later = circuit.further or arrangement.copies > 1 or (arrangement.paired and circuit.degree > _MAX_DEGREE_OF_THREE)
    return 4 if later else 3


def _written_arrangement(arrangement: Arrangement) -> dict[str, Any]:
    """What is there for two inputs a slot, for copies, and for a convolution, alone."""
    found: dict[str, Any] = {"paired": True} if arrangement.paired else {}
    if arrangement.copies > 1:
        found["copies"] = arrangement.copies
    if arrangement.window is not None:
        found["window"] = [list(getattr(arrangement.window, name)) for name in _WINDOW]
    return found


def read(document: Mapping[str, Any], groups: npt.NDArray[np.intp] | None) -> NetworkCircuit:
    """Read and check what :func:`write` wrote; ``groups`` of exclusive features follow from the feature map.

    Raises
    ------
    WireError, ParameterError, KeyError, TypeError, ValueError
        If a field is missing, of the wrong type, or inconsistent with the others.
    """
    parameters = parameters_for(bytes.fromhex(string(document["parameters"])))
    require(parameters.switches_keys, "the profile of a network must be one for networks")
    slots = parameters.ring_degree // 2
    features = integer(document["features"], 1, parameters.ring_degree, "features")
    degree = integer(document["degree"], 2, MAX_DEGREE, "degree")
    count, repeat = (integer(one, 1, slots, "arrangement") for one in document["arrangement"])
    paired, window = document.get("paired", False), _read_window(document.get("window"), slots)
    require(paired is True or paired is False, "paired must be true or false")
    require(paired or window is None, "a window must have two inputs a slot")
    copies = _power_of_two(document.get("copies", 1), slots, "copies")
    period = _power_of_two(document["period"], slots // copies, "period")
    further = _further(document.get("further"), period, parameters)
    require(paired or not further, "more than one hidden layer must have two inputs a slot")
    require(paired or degree <= MAX_DEGREE_ALONE, "activations of a degree beyond 4 must have two inputs a slot")
    outputs = integer(document["outputs"], 1, slots, "outputs")
    circuit = NetworkCircuit(
        parameters=parameters,
        grid=grid_from_json(document["grid"], features, groups),
        outputs=outputs,
        arrangement=Arrangement(slots, features, count, repeat, paired, window, copies),
        period=period,
        degree=degree,
        query_exponent=integer(document["query_exponent"], INTEGER_BITS, _MAX_EXPONENT, "query_exponent"),
        score_exponent=integer(document["score_exponent"], -_MAX_EXPONENT, _MAX_EXPONENT, "score_exponent"),
        flood_bits=integer(document["flood_bits"], 1, 128, "flood_bits"),
        lambda_bits=number(document["lambda_bits"]),
        range=_range(document["range"]),
        further=further,
    )
    require(circuit.last_level >= RELEASE_LEVEL, "further must have as many layers as the primes allow")
    if paired:
        require(circuit.words <= slots and period % circuit.arrangement.cell == 0, "outputs and cells must fit")
    else:
        require(circuit.words * period <= slots, "outputs must have a period each")
    require(0 < circuit.lambda_bits <= circuit.flood_bits, "lambda_bits must be more than 0 and at most flood_bits")
    _check_words(circuit, circuit.release_parameters)
    return circuit


def _power_of_two(value: Any, most: int, name: str) -> int:
    found = integer(value, 1, most, name)
    require(found & (found - 1) == 0, f"{name} must be a power of two")
    return found


def _further(value: Any, period: int, parameters: Parameters) -> tuple[int, ...]:
    """The periods of further hidden layers, none larger than the one before it."""
    if value is None:
        return ()
    require(
        isinstance(value, list) and 1 <= len(value) < parameters.levels,
        "further must have as many layers as the primes allow",
    )
    found: list[int] = []
    for one in value:
        found.append(_power_of_two(one, min(found[-1] if found else period, MAX_FURTHER), "further"))
    return tuple(found)


def _read_window(value: Any, slots: int) -> Window | None:
    if value is None:
        return None
    sizes = [tuple(integer(one, 0, slots, "window") for one in row) for row in value]
    require([len(row) for row in sizes] == [3, 2, 2, 2], "window must have an image, kernel, stride and padding")
    image, kernel, stride, padding = sizes
    window = Window(image, kernel, stride, padding)  # type: ignore[arg-type]
    fits = window.positions <= slots and window.positions * window.taps <= 2 * MAX_CIPHERTEXTS * slots
    require(fits, "window must fit into the slots")
    return window


def _check_words(circuit: NetworkCircuit, released: Parameters) -> None:
    require(circuit.flood_bits < released.query_modulus.bit_length(), "flood_bits must be below the modulus")
    require(circuit.words <= max_targets(released, circuit.flood_bits), "outputs must leave the mask its room")


def _range(value: Any) -> Range | None:
    if value is None:
        return None
    exponent, limit = value
    found = Range(integer(exponent, -_MAX_EXPONENT, _MAX_EXPONENT, "range"), number(limit))
    require(found.limit > 0, "range must have a positive limit")
    return found
