"""A network's public part as JSON: its fields in a signature of format 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...json_values import integer, number, require, string
from ...rlwe.parameters import Parameters, parameters_for
from ..bounds import max_targets
from ..grid_document import grid_from_json, grid_to_json
from .arrangement import Arrangement
from .embedding import INTEGER_BITS
from .public import NetworkCircuit, Range

MAX_DEGREE = 4
_MAX_EXPONENT = 120


def write(circuit: NetworkCircuit) -> dict[str, Any]:
    """The fields of a circuit."""
    arrangement, one = circuit.arrangement, circuit.range
    return {
        "profile": circuit.parameters.profile,
        "parameters": circuit.parameters.digest.hex(),
        "features": circuit.features,
        "grid": grid_to_json(circuit.grid),
        "outputs": circuit.outputs,
        "arrangement": [arrangement.ciphertexts, arrangement.repeat],
        "period": circuit.period,
        "degree": circuit.degree,
        "query_exponent": circuit.query_exponent,
        "score_exponent": circuit.score_exponent,
        "flood_bits": circuit.flood_bits,
        "lambda_bits": circuit.lambda_bits,
        "range": None if one is None else [one.exponent, one.limit],
    }


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
    count, repeat = (integer(one, 1, slots, "arrangement") for one in document["arrangement"])
    period = integer(document["period"], 1, slots, "period")
    require(period & (period - 1) == 0, "period must be a power of two")
    outputs = integer(document["outputs"], 1, slots, "outputs")
    circuit = NetworkCircuit(
        parameters=parameters,
        grid=grid_from_json(document["grid"], features, groups),
        outputs=outputs,
        arrangement=Arrangement(slots, features, count, repeat),
        period=period,
        degree=integer(document["degree"], 2, MAX_DEGREE, "degree"),
        query_exponent=integer(document["query_exponent"], INTEGER_BITS, _MAX_EXPONENT, "query_exponent"),
        score_exponent=integer(document["score_exponent"], -_MAX_EXPONENT, _MAX_EXPONENT, "score_exponent"),
        flood_bits=integer(document["flood_bits"], 1, 128, "flood_bits"),
        lambda_bits=number(document["lambda_bits"]),
        range=_range(document["range"]),
    )
    require(circuit.words * period <= slots, "outputs must have a period each")
    require(0 < circuit.lambda_bits <= circuit.flood_bits, "lambda_bits must be more than 0 and at most flood_bits")
    _check_words(circuit, circuit.release_parameters)
    return circuit


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
