"""A linear circuit's public part as JSON: the fields that it has in a signature of format 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...json_values import integer, number, require, string
from ...rlwe.parameters import Parameters, parameters_for
from ..cost import Offer
from ..grid_document import grid_from_json, grid_to_json
from ..packing import Layout
from . import bounds
from .integers import MAX_RESULT_BITS
from .public import MAX_FEATURES, MAX_OUTPUTS, LinearCircuit

MAX_LAYOUTS = 64
_MAX_LIMBS = 8


def write(circuit: LinearCircuit) -> dict[str, Any]:
    """The fields of a circuit."""
    return {
        "format": 1,
        "profile": circuit.parameters.profile,
        "parameters": circuit.parameters.digest.hex(),
        "outputs": circuit.outputs,
        "features": circuit.features,
        "grid": grid_to_json(circuit.grid),
        "result_bits": circuit.result_bits,
        "scale_exponent": circuit.scale_exponent,
        "limbs": circuit.limbs,
        "limb_bits": circuit.limb_bits,
        "layouts": [[o.layout.samples, o.layout.features, o.layout.outputs, o.lambda_bits] for o in circuit.offers],
    }


def read(document: Mapping[str, Any], groups: npt.NDArray[np.intp] | None) -> LinearCircuit:
    """Read and check what :func:`write` wrote; ``groups`` of exclusive features follow from the feature map.

    Raises
    ------
    WireError, ParameterError, KeyError, TypeError, ValueError
        If a field is missing, of the wrong type, or inconsistent with the others.
    """
    features = integer(document["features"], 1, MAX_FEATURES, "features")
    circuit = LinearCircuit(
        parameters=(parameters := parameters_for(bytes.fromhex(string(document["parameters"])))),
        grid=grid_from_json(document["grid"], features, groups),
        outputs=integer(document["outputs"], 1, MAX_OUTPUTS, "outputs"),
        result_bits=integer(document["result_bits"], 2, MAX_RESULT_BITS, "result_bits"),
        scale_exponent=integer(document["scale_exponent"], -1000, 1000, "scale_exponent"),
        limbs=integer(document["limbs"], 1, _MAX_LIMBS, "limbs"),
        limb_bits=integer(document["limb_bits"], 0, MAX_RESULT_BITS, "limb_bits"),
        offers=_offers(document["layouts"], parameters),
    )
    _check_flooding(circuit)
    return circuit


def _offers(value: Any, parameters: Parameters) -> tuple[Offer, ...]:
    require(isinstance(value, list) and 1 <= len(value) <= MAX_LAYOUTS, f"layouts must be 1 to {MAX_LAYOUTS}")
    offers = []
    for samples, features, outputs, lambda_bits in value:
        sizes = [integer(count, 1, parameters.ring_degree, "layouts") for count in (samples, features, outputs)]
        offers.append(Offer(Layout(parameters.ring_degree, *sizes), number(lambda_bits)))
    return tuple(offers)


def _check_flooding(circuit: LinearCircuit) -> None:
    least, flood = bounds.MIN_LAMBDA_BITS, circuit.flood_bits
    require(flood >= least, "result_bits must leave room for flooding")
    floods = all(least <= offer.lambda_bits <= flood for offer in circuit.offers)
    require(floods, f"answers must be flooded by {least} to {flood} bits")
    require(bool(circuit.layouts_for(1)), "a layout for batches of every size must be offered")
